"""Monotonic alignment search: the best path that gives every token its frames in order (arXiv 2005.11129, section 3.1).

On a GPU one kernel searches the whole batch without the host (`monotonic_triton`); elsewhere compiled CPU code does.
Both add up in float64 in the same order and break ties alike, so their paths are the same.
"""

from __future__ import annotations

import numpy as np
import torch
from numba import njit
from torch import Tensor

try:
    from models.kernels.monotonic_triton import search_paths as _search_on_gpu
except ImportError:  # Triton exists for Linux only; other systems search on the CPU.
    _search_on_gpu = None


@njit(cache=True, nogil=True)
def _search(log_p: np.ndarray, text_lengths: np.ndarray, frame_lengths: np.ndarray, paths: np.ndarray) -> None:
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


def search_paths(log_p_attn: Tensor, text_lengths: Tensor, frame_lengths: Tensor) -> Tensor:
    """Token of each frame (B, T), int64, on the path of the largest sum of log_p_attn (B, T, T_text).

    Every path starts at the first token, ends at the last one and moves by at most one token a frame; of two equally
    good ways the one that moved is taken. With fewer frames than tokens the last tokens get a frame each. Padding
    frames hold 0.
    """
    log_p_attn = log_p_attn.detach().float()
    if log_p_attn.is_cuda and _search_on_gpu is not None:
        return _search_on_gpu(log_p_attn, text_lengths, frame_lengths)
    paths = np.zeros(log_p_attn.shape[:2], dtype=np.int64)
    _search(log_p_attn.cpu().numpy(), text_lengths.cpu().numpy(), frame_lengths.cpu().numpy(), paths)
    return torch.from_numpy(paths).to(log_p_attn.device)


def durations_of(paths: Tensor, frame_mask: Tensor, n_text: int) -> Tensor:
    """Frames of each token (B, n_text), int64, on paths (B, T) inside frame_mask (B, T)."""
    counts = torch.zeros(paths.shape[0], n_text, dtype=torch.int64, device=paths.device)
    return counts.scatter_add_(1, paths, frame_mask.long())
