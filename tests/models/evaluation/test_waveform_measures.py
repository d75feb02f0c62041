"""Distances of aligned waveforms: known values, and padding that does not count."""

from __future__ import annotations

import pytest
import torch

from models.evaluation.signal_measures import VALIDATION_MEASURES, validation_measures
from processors.audio.mel import MelSpectrogram


@pytest.fixture(scope="module")
def mel() -> MelSpectrogram:
    return MelSpectrogram(22050, 1024, 1024, 256, 80)


def noise(frames: int, utterances: int = 1, seed: int = 0) -> torch.Tensor:
    return torch.randn(utterances, 256 * frames, generator=torch.Generator().manual_seed(seed)) * 0.1


def test_known_values(mel):
    audio = noise(40)
    durations, durations_hat = torch.tensor([[10, 20, 10]]), torch.tensor([[12.0, 16.0, 10.0]])
    same = validation_measures(audio, audio, (40,), durations, durations.float(), mel)
    assert set(same) == set(VALIDATION_MEASURES) and not any(same.values())
    values = validation_measures(audio, audio * 2, (40,), durations, durations_hat, mel)
    assert values["duration_error"].item() == pytest.approx(6 / 40)
    assert values["duration_bias"].item() == pytest.approx(2 / 40)
    assert values["mel_distance"].item() == pytest.approx(0.6931, rel=1e-3)
    assert values["stft_distance"].item() == pytest.approx(1 + 0.6931, rel=1e-2)
    assert values["score"].item() == pytest.approx(values["stft_distance"].item() + 6 / 40, rel=1e-5)


def test_padding_does_not_count(mel):
    """A batch gives the mean of its utterances alone."""
    audio, copy = noise(60, 2, seed=1), noise(60, 2, seed=2)
    audio[1, 256 * 30 :] = copy[1, 256 * 30 :] = 0
    durations = torch.tensor([[20, 20, 20], [15, 15, 0]])
    guess = torch.tensor([[18.0, 22.0, 25.0], [10.0, 16.0, 0.0]])
    together = validation_measures(audio, copy, (60, 30), durations, guess, mel)
    alone = [
        validation_measures(audio[i, None, : 256 * n], copy[i, None, : 256 * n], (n,), durations[[i]], guess[[i]], mel)
        for i, n in enumerate((60, 30))
    ]
    for key, value in together.items():
        # Frames at an utterance's end see the padding instead of a mirrored border.
        assert value.item() == pytest.approx((alone[0][key] + alone[1][key]).item() / 2, rel=0.02), key
