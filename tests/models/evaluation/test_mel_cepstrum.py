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
    found = mcd.mel_cepstrum_of_power(power_of(cepstra, 513, 0.455), 0.455)
    np.testing.assert_allclose(found, cepstra, atol=1e-5)


def test_the_criterion_is_at_its_minimum(monkeypatch):
    """A harmonic spectrum has no exact mel-cepstrum; then no small step may lower exp(R) - R - 1."""
    monkeypatch.setattr(mcd, "TOLERANCE", 1e-12)
    generator = np.random.default_rng(1)
    time = np.arange(4096) / 22050
    audio = sum(np.sin(2 * np.pi * 210 * k * time) / k for k in range(1, 30)) * 0.1
    power = mcd.frame_power(audio + 1e-4 * generator.standard_normal(len(time)), 1024, 256)[4:6]
    best = mcd.mel_cepstrum_of_power(power, 0.455)

    def criterion(cepstra: np.ndarray) -> np.ndarray:
        residual = np.log(power + mcd.POWER_FLOOR) - np.log(power_of(cepstra, 513, 0.455))
        value = np.exp(residual) - residual - 1
        return value[:, 1:-1].sum(1) + value[:, [0, -1]].sum(1) / 2

    lowest = criterion(best)
    for _ in range(50):
        assert (criterion(best + 1e-3 * generator.standard_normal(best.shape)) > lowest).all()


@pytest.mark.parametrize(("sample_rate", "alpha"), [(22050, 0.455), (16000, 0.41), (48000, 0.554)])
def test_warping_constant_and_ends(sample_rate, alpha):
    assert mcd.all_pass_constant(sample_rate) == pytest.approx(alpha, abs=0.006)
    ends = np.array([0, np.pi])
    np.testing.assert_allclose(mcd.warped_frequency(ends, alpha), ends, atol=1e-12)


def test_distortion_of_a_known_difference():
    first = np.zeros((3, 35))
    second = first.copy()
    second[:, 0] = 5  # level: does not count
    second[:, 7] = 0.3
    path = np.repeat(np.arange(3)[:, None], 2, axis=1)
    expected = 10 / np.log(10) * np.sqrt(2) * 0.3
    assert mcd.mel_cepstral_distortion(first, second, path) == pytest.approx(expected)


def test_frames_are_centred_and_calibrated():
    time = np.arange(8192) / 22050
    power = mcd.frame_power(np.sin(2 * np.pi * 22050 / 1024 * 100 * time), 1024, 256)
    assert power.shape == (32, 513)
    assert power[10].argmax() == 100 and power[10, 100] == pytest.approx(1, rel=1e-3)
    click = np.zeros(8192)
    click[7 * 256] = 1
    assert mcd.frame_power(click, 1024, 256).sum(1).argmax() == 7


def test_silence_is_finite():
    assert np.isfinite(mcd.mel_cepstrum(np.zeros(4096), 22050, 1024, 256)).all()
