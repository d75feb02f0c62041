"""What the networks are trained on: mel spectra, normalisation and energy of the same recording."""

from __future__ import annotations

import math

import numpy as np
import torch

from processors.audio.mel import MelSpectrogram
from tests.parity.oracle import Pair
from tests.parity.recipe import HOP

FRAMES = 60


def recording() -> torch.Tensor:
    """Harmonics of a gliding pitch, and noise."""
    rng = np.random.default_rng(0)
    t = np.arange(FRAMES * HOP) / 22050
    phase = 2 * np.pi * np.cumsum(150 + 40 * np.sin(3 * t)) / 22050
    voiced = sum(np.sin(k * phase) / k for k in range(1, 20)) * (0.6 + 0.4 * np.sin(7 * t))
    return torch.from_numpy((0.1 * voiced + 0.003 * rng.normal(size=len(t))).astype(np.float32))[None]


def test_the_alignment_sees_the_same_mels(pair: Pair) -> None:
    """Ours are natural logarithms; a converted voice's statistics make its own normalised decadic ones of them."""
    audio = recording()
    feats, lengths = pair.espnet.feats_extract(audio, torch.tensor([audio.shape[1]]))
    theirs, _ = pair.espnet.normalize(feats, lengths)
    p = pair.config.preprocess
    ours, _ = MelSpectrogram(p.sample_rate, p.n_fft, p.win_size, p.hop_size, p.n_mel, p.fmin, p.fmax)(audio)
    ours = (ours - pair.network.mel_mean) / pair.network.mel_std
    # ESPnet has one frame more than the recording has hops.
    assert theirs.shape[1] == ours.shape[1] + 1 == FRAMES + 1
    torch.testing.assert_close(ours, theirs[:, :FRAMES], atol=1e-4, rtol=0)


def test_the_same_energy(pair: Pair) -> None:
    audio = recording()
    lengths = torch.tensor([audio.shape[1]])
    energy, energy_lengths = pair.espnet.energy_extract(audio, lengths, feats_lengths=torch.tensor([FRAMES]))
    theirs, _ = pair.espnet.energy_normalize(energy, energy_lengths)
    p = pair.config.preprocess
    _, ours = MelSpectrogram(p.sample_rate, p.n_fft, p.win_size, p.hop_size, p.n_mel)(audio)
    ours = (ours - pair.network.energy_mean) / pair.network.energy_std
    torch.testing.assert_close(ours, theirs[..., 0], atol=1e-5, rtol=1e-5)


def test_the_same_statistics(pair: Pair) -> None:
    for ours, theirs in (("log_f0", pair.espnet.pitch_normalize), ("energy", pair.espnet.energy_normalize)):
        assert float(getattr(pair.network, f"{ours}_mean")) == float(theirs.mean.float())
        assert float(getattr(pair.network, f"{ours}_std")) == float(theirs.std.float())
    scale = math.log(10.0)
    torch.testing.assert_close(pair.network.mel_mean, pair.espnet.normalize.mean.float() * scale, rtol=1e-6, atol=0)
    torch.testing.assert_close(pair.network.mel_std, pair.espnet.normalize.std.float() * scale, rtol=1e-6, atol=0)
