"""The forward-sum loss: CTC, and its Triton twin, where one program walks through one utterance and back."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from models.kernels.dispatch import tl, triton, uses_triton

# Logarithm of "impossible": far below any sum of log-probabilities, finite so that differences stay numbers.
IMPOSSIBLE = -1e30
# A likelihood below this is that of an utterance without any alignment (fewer frames than tokens).
NO_ALIGNMENT = -1e20


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
