"""Whether the same parts of two utterances are loud."""

from __future__ import annotations

import numpy as np

from models.evaluation.measures.f0 import correlation

RANGE_DB = 50.0  # below an utterance's loudest frame by more than this lies the room, not the speaker


def energy_correlation(first: np.ndarray, second: np.ndarray, path: np.ndarray) -> float:
    """Pearson's correlation of the frame levels in dB of energies (T1,) and (T2,) along a time-warping path (P, 2).

    Energies are norms of the STFT magnitude. Levels more than 50 dB below an utterance's loudest frame count as that,
    so that a quieter room does not look like another emphasis; the overall level drops out. NaN where one is silent.
    """
    return correlation(_levels(first)[path[:, 0]], _levels(second)[path[:, 1]])


def _levels(energy: np.ndarray) -> np.ndarray:
    levels = 20 * np.log10(np.maximum(energy.astype(np.float64), 1e-9))
    return np.maximum(levels, levels.max() - RANGE_DB)
