"""Monotonic alignment search against all paths, and the GPU kernel against the CPU."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.tts.jets.masking import length_mask
from models.tts.jets.monotonic import durations_of, search_paths


def every_path(n_text: int, n_frames: int) -> np.ndarray:
    """All monotonic paths from the first to the last token, one a row."""
    paths = []
    for moves in itertools.combinations(range(1, n_frames), n_text - 1):
        path = np.zeros(n_frames, dtype=int)
        for move in moves:
            path[move:] += 1
        paths.append(path)
    return np.array(paths)


def backwards_moving_first(paths: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The best path; among equals the one that, seen from the end, moves to the token before as soon as it can."""
    best = paths[scores == scores.max()]
    return min(best.tolist(), key=lambda path: path[::-1])


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 6), st.integers(0, 6), st.integers(0, 2**31), st.booleans())
def test_search_finds_the_best_of_all_paths(n_text: int, more: int, seed: int, ties: bool) -> None:
    n_frames = n_text + more
    random = np.random.default_rng(seed)
    shape = (n_frames, n_text)
    # Small integers make many ties and add up exactly.
    log_p = random.integers(-2, 1, shape).astype(np.float32) if ties else random.normal(size=shape).astype(np.float32)
    paths = every_path(n_text, n_frames)
    scores = log_p.astype(np.float64)[np.arange(n_frames), paths].sum(1)
    found = search_paths(torch.from_numpy(log_p)[None], torch.tensor([n_text]), torch.tensor([n_frames]))[0]
    if ties:
        assert found.tolist() == backwards_moving_first(paths, scores)
    else:
        assert found.tolist() == paths[scores.argmax()].tolist()


def test_batch_equals_one_at_a_time_and_padding_is_zero() -> None:
    torch.manual_seed(0)
    text_lengths, frame_lengths = torch.tensor([7, 3, 12]), torch.tensor([40, 11, 25])
    log_p = torch.randn(3, 40, 12)
    paths = search_paths(log_p, text_lengths, frame_lengths)
    for b in range(3):
        n, t = int(text_lengths[b]), int(frame_lengths[b])
        alone = search_paths(log_p[b : b + 1, :t, :n], text_lengths[b : b + 1], frame_lengths[b : b + 1])
        assert paths[b, :t].equal(alone[0])
        assert paths[b, t:].eq(0).all()


def test_durations_count_frames() -> None:
    paths = torch.tensor([[0, 0, 1, 2, 2], [0, 1, 0, 0, 0]])
    durations = durations_of(paths, length_mask(torch.tensor([5, 2]), 5), 3)
    assert durations.tolist() == [[2, 1, 2], [1, 1, 0]]


def test_more_tokens_than_frames_gives_the_last_tokens_a_frame_each() -> None:
    assert search_paths(torch.zeros(1, 3, 5), torch.tensor([5]), torch.tensor([3])).tolist() == [[2, 3, 4]]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("ties", [False, True])
def test_gpu_paths_equal_cpu_paths(ties: bool) -> None:
    random = torch.Generator().manual_seed(0)
    for max_text, max_frames in ((1, 5), (90, 600), (300, 1200), (5, 3)):
        text_lengths = torch.randint(1, max_text + 1, (8,), generator=random)
        frame_lengths = torch.randint(1, max_frames + 1, (8,), generator=random)
        text_lengths[0], frame_lengths[0] = max_text, max_frames
        log_p = torch.randn(8, max_frames, max_text, generator=random) * 5
        log_p = log_p.round() if ties else log_p
        cpu = search_paths(log_p, text_lengths, frame_lengths)
        gpu = search_paths(log_p.cuda(), text_lengths.cuda(), frame_lengths.cuda())
        assert gpu.cpu().equal(cpu)
