"""How long speech lasts and how fast it is."""

from __future__ import annotations

import numpy as np

from processors.audio.recording import trim_silence

TOP_DB = 40.0


def speech_seconds(audio: np.ndarray, sample_rate: int) -> float:
    """Seconds from the first to the last sound of audio (N,), pauses inside included.

    Ends that lie 40 dB below the loudest 20 ms are not counted: padding must not look like slow speech.
    """
    return len(trim_silence(audio, sample_rate, TOP_DB, 0.0)) / sample_rate


def spoken_characters(text: str) -> int:
    """Characters of text, runs of white space counted as one: the numerator of a speaking rate in characters/s."""
    return len(" ".join(text.split()))
