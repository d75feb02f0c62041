"""The cheap measures of training: known values, and padding that does not count."""

from __future__ import annotations

import pytest
import torch

from models.evaluation.measures.during_training import VALIDATION_MEASURES, validation_measures
from processors.audio.mel import MelSpectrogram


@pytest.fixture(scope="module")
def mel() -> MelSpectrogram:
    return MelSpectrogram(22050, 1024, 1024, 256, 80)


def test_perfect_copy_is_zero(mel):
    audio = torch.randn(2, 256 * 40, generator=torch.Generator().manual_seed(0)) * 0.1
    durations = torch.full((2, 8), 5)
    values = validation_measures(audio, audio, (40, 40), durations, durations.float(), mel)
    assert set(values) == set(VALIDATION_MEASURES)
    assert all(value.item() == 0 for value in values.values())


def test_known_values(mel):
    audio = torch.randn(1, 256 * 40, generator=torch.Generator().manual_seed(0)) * 0.1
    durations, durations_hat = torch.tensor([[10, 20, 10]]), torch.tensor([[12.0, 16.0, 10.0]])
    values = validation_measures(audio, audio * 2, (40,), durations, durations_hat, mel)
    assert values["duration_error"].item() == pytest.approx(6 / 40)
    assert values["duration_bias"].item() == pytest.approx(2 / 40)
    assert values["mel_distance"].item() == pytest.approx(0.6931, rel=1e-3)
    assert values["stft_distance"].item() == pytest.approx(1 + 0.6931, rel=1e-2)
    assert values["score"].item() == pytest.approx(values["stft_distance"].item() + 6 / 40, rel=1e-5)


def test_padding_does_not_count(mel):
    """A batch gives the mean of its utterances alone."""
    generator = torch.Generator().manual_seed(1)
    audio, copy = (torch.randn(2, 256 * 60, generator=generator) * 0.1 for _ in range(2))
    audio[1, 256 * 30 :] = 0
    copy[1, 256 * 30 :] = 0
    durations = torch.tensor([[20, 20, 20], [15, 15, 0]])
    durations_hat = torch.tensor([[18.0, 22.0, 25.0], [10.0, 16.0, 0.0]])
    together = validation_measures(audio, copy, (60, 30), durations, durations_hat, mel)
    alone = [
        validation_measures(
            audio[i : i + 1, : 256 * n], copy[i : i + 1, : 256 * n], (n,), durations[i : i + 1],
            durations_hat[i : i + 1], mel,
        )
        for i, n in enumerate((60, 30))
    ]  # fmt: skip
    for key, value in together.items():
        # Frames at an utterance's end see the padding instead of a mirrored border.
        assert value.item() == pytest.approx((alone[0][key] + alone[1][key]).item() / 2, rel=0.02), key


def test_worse_copies_score_worse(mel):
    generator = torch.Generator().manual_seed(2)
    audio = torch.sin(torch.arange(256 * 40) * 0.1)[None] * 0.3
    noise = torch.randn(audio.shape, generator=generator)
    durations = torch.full((1, 8), 5)
    scores = [
        validation_measures(audio, audio + level * noise, (40,), durations, durations.float(), mel)["score"].item()
        for level in (0.001, 0.01, 0.1)
    ]
    assert scores[0] < scores[1] < scores[2]
