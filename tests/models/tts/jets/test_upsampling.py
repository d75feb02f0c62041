"""Upsampling, averages and segments against loops."""

from __future__ import annotations

import pytest
import torch

from models.tts.jets import variance
from models.tts.jets.step import random_starts, take_segments
from models.tts.jets.variance import (
    average_by_duration,
    durations_from_log,
    durations_of,
    gaussian_upsample,
    scale_durations,
)
from models.vocoders.convolutions import length_mask


def test_gaussian_upsampling_equals_a_loop_over_frames() -> None:
    torch.manual_seed(0)
    hidden, durations = torch.randn(1, 4, 8), torch.tensor([[3, 0, 5, 2]])
    fast = gaussian_upsample(hidden, durations, torch.ones(1, 4, dtype=torch.bool), 10, 0.1)[0]
    centres = [1.5, 3.0, 5.5, 9.0]
    for t in range(10):
        weights = torch.tensor([-0.1 * (t - c) ** 2 for c in centres]).softmax(0)
        torch.testing.assert_close(fast[t], weights @ hidden[0])


def test_average_by_duration_equals_a_loop() -> None:
    torch.manual_seed(0)
    values = 100 + torch.randn(2, 900)
    durations = torch.randint(0, 12, (2, 70))
    durations[1, 40:] = 0
    fast = average_by_duration(values, durations)
    for b in range(2):
        start = 0
        for n, duration in enumerate(durations[b].tolist()):
            expected = values[b, start : start + duration].mean() if duration else torch.tensor(0.0)
            torch.testing.assert_close(fast[b, n], expected, atol=3e-5, rtol=0)
            start += duration


def test_durations_count_frames() -> None:
    paths = torch.tensor([[0, 0, 1, 2, 2], [0, 1, 0, 0, 0]])
    assert durations_of(paths, length_mask(torch.tensor([5, 2]), 5), 3).tolist() == [[2, 1, 2], [1, 1, 0]]


def test_segments_equal_slices_and_are_zero_beyond_the_end() -> None:
    values = torch.arange(20.0).view(2, 10)
    assert take_segments(values, torch.tensor([2, 8]), 4).tolist() == [[2, 3, 4, 5], [18, 19, 0, 0]]
    deep = torch.randn(2, 10, 3)
    assert take_segments(deep, torch.tensor([1, 6]), 4)[1].equal(deep[1, 6:10])


def test_starts_are_inside_and_reach_both_ends() -> None:
    starts = random_starts(torch.full((4000,), 13), 8, torch.Generator().manual_seed(0))
    assert starts.unique().tolist() == [0, 1, 2, 3, 4, 5]
    assert random_starts(torch.tensor([3, 8]), 8).tolist() == [0, 0]


def test_predicted_durations_round_and_never_vanish_altogether() -> None:
    mask = length_mask(torch.tensor([3, 2]), 3)
    log_durations = torch.log(torch.tensor([[1.4, 3.6, 1.0], [0.2, 0.4, 9.0]]))
    assert durations_from_log(log_durations, mask).tolist() == [[0, 3, 0], [1, 1, 0]]


def test_tempo_scales_the_whole_and_keeps_every_token() -> None:
    durations = torch.randint(1, 15, (1, 80), generator=torch.Generator().manual_seed(0))
    for speed in (0.5, 0.8, 1.25, 2.0):
        scaled = scale_durations(durations, speed)
        assert abs(scaled.sum().item() - durations.sum().item() / speed) <= 0.05 * durations.sum().item()
        assert (scaled > 0).all()
    assert scale_durations(durations, 1.0).equal(durations)


def test_a_graph_s_running_maximum_is_torch_s(monkeypatch: pytest.MonkeyPatch) -> None:
    values = torch.randint(0, 50, (3, 17), generator=torch.Generator().manual_seed(0))
    expected = variance.running_maximum(values)
    monkeypatch.setattr(variance, "exporting", lambda: True)
    assert expected.equal(values.cummax(1).values) and variance.running_maximum(values).equal(expected)


def test_neighbours_blend_alike_at_any_tempo() -> None:
    hidden = torch.eye(4).unsqueeze(0)
    durations = torch.tensor([[6, 8, 4, 10]])
    mask = torch.ones(1, 4, dtype=torch.bool)
    plain = gaussian_upsample(hidden, durations, mask, 28, 0.1)
    slow = gaussian_upsample(hidden, 2 * durations, mask, 56, 0.1 * 0.5**2)
    assert (slow[:, ::2] - plain).abs().max() < 1e-6
    for delta in (torch.tensor(0.1), torch.full((1, 4), 0.1)):
        assert gaussian_upsample(hidden, durations, mask, 28, delta).equal(plain)
