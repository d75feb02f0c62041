"""Alignment against slow, obvious versions of the same mathematics."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import betabinom

from models.kernels.monotonic import search_paths
from models.tts.jets.alignment import (
    MASKED_SCORE,
    beta_binomial_prior,
    euclidean_distance,
    forward_sum_loss,
)
from models.vocoders.convolutions import length_mask


@pytest.mark.parametrize("omega", [0.5, 1.0, 2.0])
def test_prior_is_scipys_beta_binomial(omega: float) -> None:
    text_lengths, frame_lengths = [1, 7, 30, 180], [1, 20, 100, 850]
    prior = beta_binomial_prior(torch.tensor(text_lengths), torch.tensor(frame_lengths), 850, 180, omega)
    for b, (n, total) in enumerate(zip(text_lengths, frame_lengths)):
        t = np.arange(1, total + 1)[:, None]
        expected = betabinom.logpmf(np.arange(n)[None], n, omega * t, omega * (total - t + 1))
        np.testing.assert_allclose(prior[b, :total, :n], expected, atol=1e-4)
    frames, tokens = length_mask(torch.tensor(frame_lengths), 850), length_mask(torch.tensor(text_lengths), 180)
    outside = ~(frames[:, :, None] & tokens[:, None])
    assert (prior[outside] == MASKED_SCORE).all()


def test_distance_equals_the_norm_of_differences() -> None:
    torch.manual_seed(0)
    queries, keys = 5 + 3 * torch.randn(2, 50, 64), 5 + 3 * torch.randn(2, 20, 64)
    expected = (queries.double().unsqueeze(2) - keys.double().unsqueeze(1)).norm(dim=-1)
    assert (euclidean_distance(queries, keys) - expected).abs().max() < 2e-5


def test_distance_of_equal_vectors_has_a_finite_gradient() -> None:
    queries = torch.randn(1, 3, 8, requires_grad=True)
    euclidean_distance(queries, queries.detach()).sum().backward()
    assert torch.isfinite(queries.grad).all()


def one_by_one_forward_sum(log_p_attn: torch.Tensor, text_lengths: list[int], frame_lengths: list[int]) -> torch.Tensor:
    losses = []
    for b, (n, t) in enumerate(zip(text_lengths, frame_lengths)):
        logits = F.pad(log_p_attn[b, :t, :n], (1, 0), value=-1.0)
        log_probs = F.log_softmax(logits, dim=-1).unsqueeze(1)
        labels = torch.arange(1, n + 1).unsqueeze(0)
        losses.append(F.ctc_loss(log_probs, labels, torch.tensor([t]), torch.tensor([n]), zero_infinity=True))
    return torch.stack(losses).mean()


def test_forward_sum_equals_ctc_of_each_utterance_with_gradient() -> None:
    torch.manual_seed(0)
    text_lengths, frame_lengths = [5, 12, 3, 9], [30, 40, 4, 8]  # the last has no alignment
    raw = torch.randn(4, 40, 12)
    mask = length_mask(torch.tensor(text_lengths), 12)[:, None, :]
    fast, slow = raw.clone().requires_grad_(), raw.clone().requires_grad_()
    lengths = torch.tensor(text_lengths), torch.tensor(frame_lengths)
    batched = forward_sum_loss(fast.masked_fill(~mask, MASKED_SCORE), *lengths)
    expected = one_by_one_forward_sum(slow, text_lengths, frame_lengths)
    batched.backward()
    expected.backward()
    torch.testing.assert_close(batched, expected)
    torch.testing.assert_close(fast.grad, slow.grad, atol=1e-6, rtol=1e-4)


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


def test_more_tokens_than_frames_gives_the_last_tokens_a_frame_each() -> None:
    assert search_paths(torch.zeros(1, 3, 5), torch.tensor([5]), torch.tensor([3])).tolist() == [[2, 3, 4]]
