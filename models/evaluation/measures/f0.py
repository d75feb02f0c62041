"""How close the melody of one utterance comes to another's, and how lively it is."""

from __future__ import annotations

import numpy as np

MIN_PAIRS = 10  # about a tenth of a second; fewer voiced pairs say nothing about a melody
SEMITONES = 12 / np.log(2)


def f0_distance(first: np.ndarray, second: np.ndarray, path: np.ndarray) -> dict[str, float]:
    """Distance between two F0 curves (T1,) and (T2,) in Hz, 0 where unvoiced, along a time-warping path (P, 2).

    Returns `log_f0_rmse` (natural log; 2 semitones are 0.1155) and `log_f0_correlation` (Pearson), both over the pairs
    that are voiced in both, and `voicing_error`, the share of pairs where one is voiced and the other is not. The first
    two are NaN with fewer than 10 such pairs, the correlation also where one of the curves is flat.
    """
    a, b = first[path[:, 0]], second[path[:, 1]]
    both = (a > 0) & (b > 0)
    result = {
        "log_f0_rmse": float("nan"),
        "log_f0_correlation": float("nan"),
        "voicing_error": float(np.mean((a > 0) != (b > 0))),
    }
    if both.sum() >= MIN_PAIRS:
        log_a, log_b = np.log(a[both].astype(np.float64)), np.log(b[both].astype(np.float64))
        result["log_f0_rmse"] = float(np.sqrt(np.mean((log_a - log_b) ** 2)))
        result["log_f0_correlation"] = correlation(log_a, log_b)
    return result


def pitch_range(f0: np.ndarray) -> float:
    """Standard deviation of F0 (T,) in semitones over its voiced frames: low in a monotonous voice; NaN if unvoiced."""
    voiced = f0[f0 > 0].astype(np.float64)
    return float(np.std(np.log(voiced)) * SEMITONES) if len(voiced) >= MIN_PAIRS else float("nan")


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Pearson's correlation of two series (N,); NaN where one of them does not vary."""
    a, b = first - first.mean(), second - second.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(np.clip(a @ b / scale, -1, 1)) if scale > 1e-12 else float("nan")
