"""Alignment against slow, obvious versions of the same mathematics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.stats import betabinom

from models.tts.jets.alignment import (
    MASKED_SCORE,
    beta_binomial_prior,
    binarisation_loss,
    euclidean_distance,
    forward_sum_loss,
)
from models.tts.jets.masking import length_mask


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


def test_forward_sum_counts_every_monotonic_alignment() -> None:
    """Two tokens, three frames: the likelihood is the sum over the label sequences that collapse to both tokens."""
    torch.manual_seed(1)
    log_p = torch.randn(1, 3, 2)
    p = F.softmax(F.pad(log_p[0], (1, 0), value=-1.0), dim=-1)
    total = 0.0
    for labels in np.ndindex(3, 3, 3):
        collapsed = [k for i, k in enumerate(labels) if k != 0 and (i == 0 or labels[i - 1] != k)]
        if collapsed == [1, 2]:
            total += float(np.prod([p[t, k] for t, k in enumerate(labels)]))
    loss = forward_sum_loss(log_p, torch.tensor([2]), torch.tensor([3]))
    assert loss.item() == pytest.approx(-np.log(total) / 2, rel=1e-5)


def test_binarisation_is_the_mean_over_the_path() -> None:
    torch.manual_seed(0)
    log_p = torch.randn(2, 6, 3)
    path = torch.tensor([[0, 0, 1, 1, 2, 2], [0, 1, 2, 0, 0, 0]])
    loss = binarisation_loss(log_p, path, length_mask(torch.tensor([6, 3]), 6))
    first = -np.mean([log_p[0, t, k] for t, k in enumerate([0, 0, 1, 1, 2, 2])])
    second = -np.mean([log_p[1, t, k] for t, k in enumerate([0, 1, 2])])
    assert loss.item() == pytest.approx((first + second) / 2, rel=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_forward_sum_on_a_gpu_equals_the_one_on_the_cpu() -> None:
    torch.manual_seed(0)
    for max_text, max_frames in ((1, 1), (12, 40), (90, 600), (300, 1200)):
        text_lengths = torch.randint(1, max_text + 1, (8,))
        frame_lengths = torch.randint(1, max_frames + 1, (8,))
        text_lengths[0], frame_lengths[0] = max_text, max_frames
        scores = 4 * torch.randn(8, max_frames, max_text)
        scores = scores.masked_fill(~length_mask(text_lengths, max_text)[:, None, :], MASKED_SCORE)
        results = []
        for device in ("cpu", "cuda"):
            leaf = scores.to(device, torch.float64 if device == "cpu" else torch.float32, copy=True).requires_grad_()
            loss = forward_sum_loss(leaf, text_lengths.to(device), frame_lengths.to(device))
            loss.backward()
            results.append((loss.detach().cpu().double(), leaf.grad.cpu().double()))
        torch.testing.assert_close(results[1][0], results[0][0], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(results[1][1], results[0][1], rtol=1e-3, atol=1e-4)
