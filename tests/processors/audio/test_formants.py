"""Resampled speech is higher or lower by what was asked, as long, and has its formants where they were."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.signal

from processors.audio.pitch import extract_f0, squeezed

RATE = 22050
FORMANTS = ((700.0, 90.0), (1300.0, 110.0), (2600.0, 160.0))


def vowel(f0: float, seconds: float = 1.0) -> np.ndarray:
    """A buzz of f0 Hz through three resonances."""
    count = round(seconds * RATE)
    phase = (np.arange(count) * f0 / RATE) % 1.0
    wave = scipy.signal.sosfilt(scipy.signal.butter(1, 4000, fs=RATE, output="sos"), np.diff(phase, append=0) < -0.5)
    for centre, width in FORMANTS:
        radius = math.exp(-math.pi * width / RATE)
        turn = 2 * math.pi * centre / RATE
        wave = scipy.signal.lfilter([1 - radius], [1, -2 * radius * math.cos(turn), radius**2], wave)
    return (0.3 * wave / np.abs(wave).max()).astype(np.float32)


def first_formant(wave: np.ndarray) -> float:
    """Hz of the highest point of a smooth spectrum between 400 and 920 Hz, by linear prediction."""
    wave = scipy.signal.lfilter([1, -0.95], [1], scipy.signal.resample_poly(wave, 1, 2))
    wave = wave * np.hanning(len(wave))
    lags = np.correlate(wave, wave, "full")[len(wave) - 1 : len(wave) + 13]
    weights = scipy.linalg.solve_toeplitz(lags[:-1], lags[1:])
    frequency, response = scipy.signal.freqz([1], np.concatenate([[1], -weights]), 2048, fs=RATE / 2)
    inside = (frequency > 400) & (frequency < 920)
    return float(frequency[inside][np.abs(response[inside]).argmax()])


def pitch_of(wave: np.ndarray) -> float:
    f0 = extract_f0(wave, RATE, 256, 60, 500)
    return float(np.median(f0[f0 > 0]))


@pytest.mark.parametrize("semitones", [-5.0, -2.0, 1.5, 4.0])
def test_pitch_moves_and_formants_stay(semitones: float) -> None:
    factor = 2 ** (semitones / 12)
    wave = vowel(150.0, factor)  # as long as it must be before it is squeezed into a second
    moved = squeezed(wave, RATE, RATE)
    assert moved.shape == (RATE,) and moved.dtype == np.float32
    assert 12 * math.log2(pitch_of(moved) / pitch_of(wave)) == pytest.approx(semitones, abs=0.05)
    kept, lost = [], []
    for f0 in (120.0, 135.0, 150.0, 165.0, 180.0):
        # The estimate leans towards harmonics: compare with a vowel that has the same ones, and take the mean.
        wave, goal = vowel(f0, factor), first_formant(vowel(f0 * factor))
        kept.append(first_formant(squeezed(wave, RATE, RATE)) / goal - 1)
        lost.append(first_formant(scipy.signal.resample(wave, RATE)) / goal - 1)
    assert abs(np.mean(lost)) > 0.06, "without help they move"
    assert abs(np.mean(kept)) < 0.05 and abs(np.mean(kept)) < 0.5 * abs(np.mean(lost))
