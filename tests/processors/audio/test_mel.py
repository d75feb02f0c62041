"""The log-mel module against librosa, and its shapes at the edges."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from processors.audio.mel import MEL_FLOOR, MelSpectrogram, reflect


def module(**changes: object) -> MelSpectrogram:
    settings = {"sample_rate": 22050, "n_fft": 1024, "win_size": 1024, "hop_size": 256, "n_mel": 80} | changes
    return MelSpectrogram(**settings)


def noise(samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)


@pytest.mark.parametrize("changes", [{}, {"win_size": 800}, {"fmin": 60.0, "fmax": 7600.0}, {"n_mel": 40}])
def test_equals_librosa(changes: dict) -> None:
    audio = noise(20 * 256)
    mel = module(**changes)(torch.from_numpy(audio)[None])[0][0].numpy()
    magnitude = np.abs(
        librosa.stft(audio, n_fft=1024, hop_length=256, win_length=changes.get("win_size", 1024), pad_mode="reflect")
    )
    basis = librosa.filters.mel(
        sr=22050, n_fft=1024, n_mels=changes.get("n_mel", 80), fmin=changes.get("fmin", 0.0), fmax=changes.get("fmax")
    )
    expected = np.log(np.maximum(basis @ magnitude, MEL_FLOOR))[:, :20].T
    assert mel.shape == expected.shape
    np.testing.assert_allclose(mel, expected, atol=2e-4)


def test_gradients_are_finite_in_silence() -> None:
    audio = torch.zeros(1, 2560, requires_grad=True)
    mel, energy = module()(audio)
    (mel.sum() + energy.sum()).backward()
    assert torch.isfinite(audio.grad).all()


@pytest.mark.parametrize(("left", "right"), [(0, 0), (3, 0), (0, 1), (9, 9), (4, 7)])
def test_values_and_gradients_are_those_of_padding(left: int, right: int) -> None:
    audio = torch.randn(3, 10, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(3, 10 + left + right, dtype=torch.float64)
    results = []
    for padded in (reflect(audio, left, right), F.pad(audio[:, None], (left, right), "reflect")[:, 0]):
        results.append((padded.detach(), torch.autograd.grad((padded * weight).sum(), audio)[0]))
    torch.testing.assert_close(*results)
