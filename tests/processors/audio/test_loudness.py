"""Gain to a level: exact where nothing clips, below the ceiling where something would."""

from __future__ import annotations

import numpy as np
import pytest

from processors.audio.finish import CEILING_DB, apply_gain, limit_peaks, pause_like, to_level
from processors.audio.recording import active_level_db

RATE = 22050
CEILING = 10 ** (CEILING_DB / 20)


def speechlike(seconds: float = 3.0, level: float = 0.05) -> np.ndarray:
    random = np.random.default_rng(0)
    time = np.arange(int(seconds * RATE)) / RATE
    syllables = np.clip(np.sin(2 * np.pi * 3 * time), 0, None)
    return (level * syllables * random.laplace(size=time.size)).astype(np.float32)


@pytest.mark.parametrize("target", [-40.0, -26.0, -20.0])
def test_the_active_level_becomes_the_target(target: float) -> None:
    assert active_level_db(to_level(speechlike(), RATE, target), RATE) == pytest.approx(target, abs=0.1)


def test_a_level_that_would_clip_is_limited_smoothly() -> None:
    loud = to_level(speechlike(), RATE, -3.0)
    assert np.abs(loud).max() <= CEILING + 1e-6
    assert loud.dtype == np.float32
    # Limiting turns peaks down; it does not square them off.
    assert (np.abs(loud) > 0.999 * CEILING).mean() < 0.01


def test_a_wave_below_the_ceiling_is_not_touched() -> None:
    wave = speechlike()
    assert limit_peaks(wave, RATE) is wave
    assert np.array_equal(apply_gain(wave, RATE, -6.0), wave * np.float32(10 ** (-6 / 20)))
    assert apply_gain(wave, RATE, 0.0) is wave


@pytest.mark.parametrize(("quiet", "expected"), [(0.001, 0.001), (0.0003, 0.0003), (0.1, 10 ** (-50 / 20)), (0.0, 0.0)])
def test_a_pause_has_the_level_of_the_floor_before_it_and_never_more_than_50_dbfs(
    quiet: float, expected: float
) -> None:
    wave = speechlike()
    wave[: RATE // 20] = quiet * np.random.default_rng(1).standard_normal(RATE // 20)
    pause = pause_like(wave, 1.5, RATE)
    assert pause.shape == (round(1.5 * RATE),) and pause.dtype == np.float32
    assert np.sqrt(np.square(pause).mean()) == pytest.approx(expected, rel=0.1)
    assert np.array_equal(pause, pause_like(wave[: round(0.043 * RATE)], 1.5, RATE)), "its first 43 ms decide"


def test_what_is_too_short_for_a_floor_has_digital_silence_before_it() -> None:
    assert not pause_like(np.ones(9, np.float32), 0.1, RATE).any() and len(pause_like(np.ones(9), 0, RATE)) == 0
