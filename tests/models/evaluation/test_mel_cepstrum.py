"""Mel-cepstral analysis, against spectra that a known mel-cepstrum made."""

from __future__ import annotations

import numpy as np
import pytest

from models.evaluation import signal_measures as mcd


def power_of(cepstra: np.ndarray, bins: int, alpha: float) -> np.ndarray:
    """Power spectra (T, bins) of mel-cepstra (T, M + 1), by the definition."""
    warped = mcd.warped_frequency(np.linspace(0, np.pi, bins), alpha)
    return np.exp(2 * cepstra @ np.cos(np.outer(np.arange(cepstra.shape[1]), warped)))


def test_a_known_mel_cepstrum_comes_back():
    generator = np.random.default_rng(0)
    cepstra = generator.standard_normal((6, mcd.ORDER + 1)) / (1 + np.arange(mcd.ORDER + 1))
    cepstra[:, 0] += 2  # well above the floor
    found = mcd.mel_cepstrum(power_of(cepstra, 513, 0.455), 22050)
    np.testing.assert_allclose(found, cepstra, atol=1e-5)


def test_distortion_of_a_known_difference():
    first = np.zeros((3, 35))
    second = first.copy()
    second[:, 0] = 5  # level: does not count
    second[:, 7] = 0.3
    path = np.repeat(np.arange(3)[:, None], 2, axis=1)
    expected = 10 / np.log(10) * np.sqrt(2) * 0.3
    assert mcd.mel_cepstral_distortion(first, second, path) == pytest.approx(expected)
