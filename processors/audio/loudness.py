"""Gain to a target level of the active speech, without clipping."""

from __future__ import annotations

import math

import numpy as np
from scipy.ndimage import minimum_filter1d

from processors.audio.recording import active_level_db

CEILING_DB = -0.5  # peaks stay below this
_LIMITER_SECONDS = 0.005


def limit_peaks(wave: np.ndarray, sample_rate: int, ceiling_db: float = CEILING_DB) -> np.ndarray:
    """wave (N,) float32 with its peaks turned down smoothly, from 5 ms before them, so that none exceeds the ceiling.

    A wave that stays below the ceiling (dBFS) comes back unchanged.
    """
    ceiling = 10 ** (ceiling_db / 20)
    if float(np.max(np.abs(wave), initial=0.0)) <= ceiling:
        return wave
    reach = max(1, round(_LIMITER_SECONDS * sample_rate))
    needed = np.minimum(1.0, ceiling / np.maximum(np.abs(wave), 1e-9))
    # The smallest gain within reach, then its average over the same reach: nowhere above what is needed.
    held = minimum_filter1d(needed, 2 * reach + 1, mode="nearest")
    window = np.hanning(2 * reach + 3)[1:-1]
    gain = np.convolve(np.pad(held, reach, mode="edge"), window / window.sum(), mode="valid")
    return np.clip(wave * gain, -ceiling, ceiling).astype(np.float32)


def apply_gain(wave: np.ndarray, sample_rate: int, gain_db: float) -> np.ndarray:
    """wave (N,) float32 louder by `gain_db` dB, its peaks limited where a positive gain would clip them."""
    if gain_db == 0 or wave.size == 0:
        return wave
    scaled = (wave * np.float32(10 ** (gain_db / 20))).astype(np.float32)
    return limit_peaks(scaled, sample_rate) if gain_db > 0 else scaled


def to_level(wave: np.ndarray, sample_rate: int, target_db: float) -> np.ndarray:
    """wave (N,) float32 with its active speech at `target_db` dBFS, peaks limited; digital silence stays as it is."""
    level = active_level_db(wave, sample_rate) if wave.size else -math.inf
    return wave if level == -math.inf else apply_gain(wave, sample_rate, target_db - level)
