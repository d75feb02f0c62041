"""Monotonic alignments, which give every token its frames in order: the best one, and the sum over all of them.

The search is that of arXiv 2005.11129, section 3.1; the sum is CTC whose labels are the tokens.

The CPU's search and the Triton kernel (one program walks through one utterance) both add up in float64 in the same
order and break ties alike, so that their paths are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from models.kernels import tl, triton, uses_triton

# Logarithm of "impossible": far below any sum of log-probabilities, finite so that differences stay numbers.
IMPOSSIBLE = -1e30
# A likelihood below this is that of an utterance without any alignment (fewer frames than tokens).
NO_ALIGNMENT = -1e20


def search_paths(log_p_attn: Tensor, text_lengths: Tensor, frame_lengths: Tensor) -> Tensor:
    """Token of each frame (B, T), int64, on the path of the largest sum of log_p_attn (B, T, T_text).

    Every path starts at the first token, ends at the last one and moves by at most one token a frame; of two equally
    good ways the one that moved is taken. With fewer frames than tokens the last tokens get a frame each. Padding
    frames hold 0.
    """
    log_p_attn = log_p_attn.detach().float()
    if uses_triton(log_p_attn):
        return _search_on_gpu(log_p_attn, text_lengths, frame_lengths)
    paths = np.zeros(log_p_attn.shape[:2], dtype=np.int64)
    _compiled_search()(log_p_attn.cpu().numpy(), text_lengths.cpu().numpy(), frame_lengths.cpu().numpy(), paths)
    return torch.from_numpy(paths).to(log_p_attn.device)


@cache
def _compiled_search() -> Callable[..., None]:
    """`_search` as machine code. Speech never asks for it, and so never loads numba."""
    from numba import njit

    return njit(cache=True, nogil=True)(_search)


def _search(log_p: Any, text_lengths: Any, frame_lengths: Any, paths: Any) -> None:
    for b in range(log_p.shape[0]):
        n_text, n_frames = text_lengths[b], frame_lengths[b]
        best = np.full(n_text, -np.inf)
        advanced = np.zeros((n_frames, n_text), dtype=np.bool_)
        best[0] = log_p[b, 0, 0]
        for t in range(1, n_frames):
            # From right to left, so that best[k - 1] still belongs to the frame before.
            for k in range(min(t, n_text - 1), 0, -1):
                advanced[t, k] = best[k - 1] >= best[k]
                best[k] = max(best[k - 1], best[k]) + log_p[b, t, k]
            for k in range(t + 1, n_text):
                advanced[t, k] = True
            best[0] += log_p[b, t, 0]
        k = n_text - 1
        for t in range(n_frames - 1, -1, -1):
            paths[b, t] = k
            if t > 0 and k > 0 and advanced[t, k]:
                k -= 1


@triton.jit
def _search_kernel(
    log_p_ptr, text_lengths_ptr, frame_lengths_ptr, best_ptr, advanced_ptr, paths_ptr,
    max_frames, max_text, BLOCK: tl.constexpr,
):  # fmt: skip
    b = tl.program_id(0).to(tl.int64)
    n_text = tl.load(text_lengths_ptr + b)
    n_frames = tl.load(frame_lengths_ptr + b)
    log_p_ptr += b * max_frames * max_text
    advanced_ptr += b * max_frames * max_text
    # Two rows, so that a row is never overwritten while it is still read; one slot in front of each stands for
    # the token before the first.
    best_ptr += b * 2 * (BLOCK + 1)
    paths_ptr += b * max_frames
    k = tl.arange(0, BLOCK)
    inside = k < n_text
    minus_inf = float("-inf")
    best = tl.where(k == 0, tl.load(log_p_ptr).to(tl.float64), minus_inf)
    tl.store(best_ptr, minus_inf)
    tl.store(best_ptr + BLOCK + 1, minus_inf)
    tl.store(best_ptr + 1 + k, best)
    for t in range(1, n_frames):
        row = best_ptr + ((t - 1) % 2) * (BLOCK + 1)
        score = tl.load(log_p_ptr + t * max_text + k, mask=inside, other=0.0).to(tl.float64)
        tl.debug_barrier()
        before = tl.load(row + k)
        advance = (before >= best) & (k > 0)
        tl.store(advanced_ptr + t * max_text + k, advance.to(tl.int8), mask=inside)
        best = tl.maximum(before, best) + score
        tl.store(best_ptr + (t % 2) * (BLOCK + 1) + 1 + k, best)
    tl.debug_barrier()
    token = n_text - 1
    for i in range(0, n_frames):
        t = n_frames - 1 - i
        tl.store(paths_ptr + t, token.to(tl.int64))
        moved = tl.load(advanced_ptr + t * max_text + token, mask=t > 0, other=0)
        token = tl.where((token > 0) & (moved != 0), token - 1, token)


def _search_on_gpu(log_p_attn: Tensor, text_lengths: Tensor, frame_lengths: Tensor) -> Tensor:
    """`search_paths` without the host."""
    batch, max_frames, max_text = log_p_attn.shape
    block = triton.next_power_of_2(max_text)
    device = log_p_attn.device
    best = torch.empty(batch, 2 * (block + 1), dtype=torch.float64, device=device)
    advanced = torch.empty(batch, max_frames, max_text, dtype=torch.int8, device=device)
    paths = torch.zeros(batch, max_frames, dtype=torch.int64, device=device)
    with torch.cuda.device_of(log_p_attn):
        _search_kernel[(batch,)](
            log_p_attn.contiguous(), text_lengths.long(), frame_lengths.long(), best, advanced, paths,
            max_frames, max_text, BLOCK=block, num_warps=1 if block <= 256 else 4,
        )  # fmt: skip
    return paths


def forward_sum(log_probs: Tensor, text_lengths: Tensor, frame_lengths: Tensor) -> Tensor:
    """Negative log-likelihoods (B,) of all monotonic alignments: CTC whose labels are the tokens in order.

    log_probs (B, T, 1 + T_text) float32, the blank first; lengths (B,). 0 where there are fewer frames than tokens.
    """
    if uses_triton(log_probs):
        return ForwardSum.apply(log_probs, text_lengths, frame_lengths)
    labels = torch.arange(1, log_probs.shape[2], device=log_probs.device).expand(log_probs.shape[0], -1)
    time_first = log_probs.transpose(0, 1)
    return F.ctc_loss(time_first, labels, frame_lengths, text_lengths, reduction="none", zero_infinity=True)


@triton.jit
def _logaddexp(a, b):
    high = tl.maximum(a, b)
    return high + tl.log(1.0 + tl.exp(tl.minimum(a, b) - high))


@triton.jit
def _forward_sum_kernel(
    log_p_ptr, text_lengths_ptr, frame_lengths_ptr, alpha_token_ptr, alpha_blank_ptr, row_ptr, loss_ptr, grad_ptr,
    max_frames, max_text, IMPOSSIBLE: tl.constexpr, NO_ALIGNMENT: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    b = tl.program_id(0).to(tl.int64)
    n_text, n_frames = tl.load(text_lengths_ptr + b), tl.load(frame_lengths_ptr + b)
    # Column 0 is the blank, column k + 1 token k.
    log_p_ptr += b * max_frames * (max_text + 1)
    grad_ptr += b * max_frames * (max_text + 1)
    alpha_token_ptr += b * max_frames * BLOCK
    alpha_blank_ptr += b * max_frames * BLOCK
    # Two rows to shift a vector through, used in turn, so that none is overwritten while it is still read; one
    # impossible slot at each end.
    row_ptr += b * 2 * (BLOCK + 2)
    k = tl.arange(0, BLOCK)
    is_token, is_blank = k < n_text, k <= n_text
    impossible = tl.full((BLOCK,), IMPOSSIBLE, tl.float32)
    for i in tl.static_range(2):
        tl.store(row_ptr + i * (BLOCK + 2), IMPOSSIBLE)
        tl.store(row_ptr + i * (BLOCK + 2) + BLOCK + 1, IMPOSSIBLE)
    # There: token[k] and blank[k] (k tokens spoken) are log-probabilities of all beginnings that end in them.
    token = tl.where(k == 0, tl.load(log_p_ptr + 1), impossible)
    blank = tl.where(k == 0, tl.load(log_p_ptr), impossible)
    tl.store(alpha_token_ptr + k, token)
    tl.store(alpha_blank_ptr + k, blank)
    for t in range(1, n_frames):
        row = row_ptr + (t % 2) * (BLOCK + 2)
        tl.store(row + 1 + k, token)
        log_p = tl.load(log_p_ptr + t * (max_text + 1) + 1 + k, mask=is_token, other=IMPOSSIBLE)
        log_blank = tl.load(log_p_ptr + t * (max_text + 1))
        tl.debug_barrier()
        arrived = _logaddexp(blank, tl.load(row + k))
        token = tl.maximum(_logaddexp(token, arrived) + log_p, IMPOSSIBLE)
        blank = tl.where(is_blank, tl.maximum(arrived + log_blank, IMPOSSIBLE), impossible)
        tl.store(alpha_token_ptr + t * BLOCK + k, token)
        tl.store(alpha_blank_ptr + t * BLOCK + k, blank)
    last = tl.maximum(tl.where(k == n_text - 1, token, impossible), tl.where(k == n_text, blank, impossible))
    high = tl.max(last, 0)
    total = high + tl.log(tl.sum(tl.exp(last - high), 0))
    tl.store(loss_ptr + b, tl.where(total > NO_ALIGNMENT, -total, 0.0))
    # Without any alignment, every probability below becomes 0.
    total = tl.where(total > NO_ALIGNMENT, total, -IMPOSSIBLE)
    # And back: the same for all endings that follow them; the gradient is minus the probability of being there.
    token, blank = tl.where(k == n_text - 1, 0.0, impossible), tl.where(k == n_text, 0.0, impossible)
    for i in range(0, n_frames):
        t = n_frames - 1 - i
        spoken = tl.load(alpha_token_ptr + t * BLOCK + k) + token - total
        silent = tl.load(alpha_blank_ptr + t * BLOCK + k) + blank - total
        spoken = tl.where(is_token, tl.exp(tl.minimum(spoken, 0.0)), 0.0)
        silent = tl.where(is_blank, tl.exp(tl.minimum(silent, 0.0)), 0.0)
        tl.store(grad_ptr + t * (max_text + 1) + 1 + k, -spoken, mask=is_token)
        tl.store(grad_ptr + t * (max_text + 1), -tl.sum(silent, 0))
        log_p = tl.load(log_p_ptr + t * (max_text + 1) + 1 + k, mask=is_token, other=IMPOSSIBLE)
        log_blank = tl.load(log_p_ptr + t * (max_text + 1))
        token = tl.maximum(token + log_p, IMPOSSIBLE)
        blank = tl.where(is_blank, _logaddexp(tl.maximum(blank + log_blank, IMPOSSIBLE), token), impossible)
        row = row_ptr + (i % 2) * (BLOCK + 2)
        tl.store(row + 1 + k, blank)
        tl.debug_barrier()
        token = tl.where(is_token, _logaddexp(token, tl.load(row + 2 + k)), impossible)


class ForwardSum(torch.autograd.Function):
    """The Triton twin; the gradient is made on the way."""

    @staticmethod
    def forward(ctx: Any, log_probs: Tensor, text_lengths: Tensor, frame_lengths: Tensor) -> Tensor:
        batch, max_frames, columns = log_probs.shape
        block = triton.next_power_of_2(columns)
        device = log_probs.device
        log_probs = log_probs.contiguous()
        alphas = torch.empty(2, batch, max_frames, block, device=device)
        rows = torch.empty(batch, 2 * (block + 2), device=device)
        losses = torch.empty(batch, device=device)
        gradient = torch.zeros_like(log_probs)
        with torch.cuda.device_of(log_probs):
            _forward_sum_kernel[(batch,)](
                log_probs, text_lengths.long(), frame_lengths.long(), alphas[0], alphas[1], rows, losses, gradient,
                max_frames, columns - 1, IMPOSSIBLE=IMPOSSIBLE, NO_ALIGNMENT=NO_ALIGNMENT, BLOCK=block,
                num_warps=1 if block <= 128 else 4,
            )  # fmt: skip
        ctx.save_for_backward(gradient)
        return losses

    @staticmethod
    def backward(ctx: Any, grad_losses: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * grad_losses[:, None, None], None, None
