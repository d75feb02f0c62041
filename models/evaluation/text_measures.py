"""What a recogniser hears (optional packages `faster-whisper` and `whisper-normalizer`), and how far it is off."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from itertools import zip_longest
from pathlib import Path

import numpy as np
from rapidfuzz.distance import Levenshtein

from config.schema import EvaluateConfig
from processors.audio.recording import resample

SAMPLE_RATE = 16000
KINDS = {"equal": "same", "replace": "replaced", "delete": "missing", "insert": "extra"}
Edit = tuple[str, str, str]  # one of KINDS' values ("missing" is in what was heard); expected; heard


class Recogniser:
    """A Whisper model in CTranslate2 form, and the normaliser that goes with its language."""

    def __init__(self, config: EvaluateConfig, language: str) -> None:
        """Load config.asr_model, a local folder or a name that faster-whisper knows; `language` as in "en" or "en-us".

        Raises ImportError without the packages, ValueError or RuntimeError or OSError when the model does not load.
        """
        from faster_whisper import WhisperModel

        self.language = language.split("-")[0].lower()
        self.beam_size = config.asr_beam_size
        self.normalise = whisper_normaliser(self.language == "en")
        folder = Path(str(config.asr_model)).expanduser()
        self.model = WhisperModel(
            str(folder if folder.is_dir() else config.asr_model),
            device=config.asr_device,
            compute_type=config.asr_compute_type,
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


def whisper_normaliser(english: bool = True) -> Callable[[str], str]:
    """Text normaliser of the Whisper paper (arXiv 2212.04356, appendix C), from the package `whisper-normalizer`.

    Spellings, numbers, contractions and punctuation that sound alike become alike. Raises ImportError without it.
    """
    if english:
        from whisper_normalizer.english import EnglishTextNormalizer

        return EnglishTextNormalizer()
    from whisper_normalizer.basic import BasicTextNormalizer

    return BasicTextNormalizer()


def text_errors(expected: str, heard: str) -> dict[str, tuple[float, float]]:
    """Errors and length, as (edits, units of expected), by "wer" (words) and "cer" (characters, spaces included).

    Both texts must be normalised already. The rate over a corpus is the sum of edits over the sum of units.
    """
    words = expected.split(), heard.split()
    characters = " ".join(words[0]), " ".join(words[1])
    return {key: (Levenshtein.distance(*pair), len(pair[0])) for key, pair in (("wer", words), ("cer", characters))}


def align(expected: Sequence[str], heard: Sequence[str]) -> list[Edit]:
    """Fewest edits (Levenshtein 1966: replacement, deletion, insertion, each 1) that turn expected into heard."""
    edits: list[Edit] = []
    for block in Levenshtein.opcodes(expected, heard):
        before = expected[block.src_start : block.src_end]
        after = heard[block.dest_start : block.dest_end]
        edits += [(KINDS[block.tag], *pair) for pair in zip_longest(before, after, fillvalue="")]
    return edits
