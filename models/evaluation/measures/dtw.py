"""Dynamic time warping: which frames of two utterances belong together."""

from __future__ import annotations

import numba
import numpy as np

MAX_CELLS = 120_000_000  # 480 MB of float32 costs: two clips of about two minutes at 86 frames per second

_DIAGONAL, _UP, _LEFT = 0, 1, 2


@numba.njit(cache=True, nogil=True)
def _steps(cost: np.ndarray) -> np.ndarray:
    """Best last step into each cell of cost (N, M), by dynamic programming over steps (1,1), (1,0), (0,1)."""
    rows, columns = cost.shape
    steps = np.empty((rows, columns), dtype=np.uint8)
    total = np.empty(columns, dtype=np.float64)
    for i in range(rows):
        corner = np.inf  # total of (i - 1, j - 1)
        for j in range(columns):
            above = total[j] if i > 0 else np.inf
            left = total[j - 1] if j > 0 else np.inf
            if i == 0 and j == 0:
                best, step = 0.0, _DIAGONAL
            else:
                best, step = corner, _DIAGONAL  # ties go to the diagonal: the shortest path
                if above < best:
                    best, step = above, _UP
                if left < best:
                    best, step = left, _LEFT
            corner = above
            total[j] = best + cost[i, j]
            steps[i, j] = step
    return steps


@numba.njit(cache=True, nogil=True)
def _walk_back(steps: np.ndarray) -> np.ndarray:
    """Path (P, 2) from (0, 0) to the last cell of steps (N, M)."""
    i, j = steps.shape[0] - 1, steps.shape[1] - 1
    path = np.empty((i + j + 1, 2), dtype=np.int64)
    length = 0
    while True:
        path[length, 0], path[length, 1] = i, j
        length += 1
        if i == 0 and j == 0:
            break
        step = steps[i, j]
        if step != _LEFT:
            i -= 1
        if step != _UP:
            j -= 1
    return path[:length][::-1].copy()


def pairwise_distance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Euclidean distances (N, M) between the rows of first (N, D) and second (M, D)."""
    square = (first**2).sum(1)[:, None] + (second**2).sum(1)[None] - 2 * first @ second.T
    return np.sqrt(np.maximum(square, 0)).astype(np.float32)


def warp(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Align the rows of first (N, D) with those of second (M, D) by dynamic time warping.

    Returns the path (P, 2) of row pairs, monotone, from (0, 0) to (N - 1, M - 1), with the least sum of Euclidean
    distances (Sakoe and Chiba 1978, symmetric steps of weight 1). Raises ValueError for empty or far too long input.
    """
    if not len(first) or not len(second):
        raise ValueError("nothing to align: one of the two has no frames")
    if len(first) * len(second) > MAX_CELLS:
        raise ValueError(f"too long to align: {len(first)} x {len(second)} frames")
    return _walk_back(_steps(pairwise_distance(first, second)))
