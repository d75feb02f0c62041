"""Monotonic alignment search: the best path that gives every token its frames in order (arXiv 2005.11129, section 3.1).

The CPU's search and the Triton kernel (one program walks through one utterance) both add up in float64 in the same
order and break ties alike, so that their paths are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.kernels.dispatch import tl, triton, uses_triton


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
