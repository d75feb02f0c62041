"""The monotonic alignment search as one Triton kernel: one program walks through one utterance."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor


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


def search_paths(log_p_attn: Tensor, text_lengths: Tensor, frame_lengths: Tensor) -> Tensor:
    """Token of each frame (B, T), int64, for float32 log_p_attn (B, T, T_text) on a GPU; see `monotonic`."""
    batch, max_frames, max_text = log_p_attn.shape
    block = triton.next_power_of_2(max_text)
    device = log_p_attn.device
    best = torch.empty(batch, 2 * (block + 1), dtype=torch.float64, device=device)
    advanced = torch.empty(batch, max_frames, max_text, dtype=torch.int8, device=device)
    paths = torch.zeros(batch, max_frames, dtype=torch.int64, device=device)
    with torch.cuda.device(device):
        _search_kernel[(batch,)](
            log_p_attn.contiguous(), text_lengths.long(), frame_lengths.long(), best, advanced, paths,
            max_frames, max_text, BLOCK=block, num_warps=1 if block <= 256 else 4,
        )  # fmt: skip
    return paths
