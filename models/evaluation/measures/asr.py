"""What a speech recogniser hears (optional packages `faster-whisper` and `whisper-normalizer`, both MIT)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from models.evaluation.measures.text_distance import whisper_normaliser
from processors.audio.recording import resample

SAMPLE_RATE = 16000


class Recogniser:
    """A Whisper model in CTranslate2 form, and the normaliser that goes with its language."""

    def __init__(self, model: str, language: str, device: str, compute_type: str, beam_size: int) -> None:
        """Load `model`, a local folder or a name that faster-whisper knows; `language` as in "en" or "en-us".

        Raises ImportError without the packages, ValueError or RuntimeError or OSError when the model does not load.
        """
        from faster_whisper import WhisperModel

        self.language = language.split("-")[0].lower()
        self.beam_size = beam_size
        self.normalise: Callable[[str], str] = whisper_normaliser(self.language == "en")
        folder = Path(model).expanduser()
        self.model = WhisperModel(
            str(folder) if folder.is_dir() else model,
            device=device,
            compute_type=compute_type,
            cpu_threads=min(8, os.cpu_count() or 1),
        )

    def transcribe(self, audio: np.ndarray, sample_rate: int) -> str:
        """Text heard in audio (N,) in [-1, 1], normalised."""
        segments, _ = self.model.transcribe(
            resample(audio, sample_rate, SAMPLE_RATE),
            language=self.language,
            beam_size=self.beam_size,
            condition_on_previous_text=False,
        )
        return self.normalise(" ".join(segment.text for segment in segments)).strip()
