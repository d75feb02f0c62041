"""Whether the alignment of text and speech is a clear diagonal, and whether durations are believable."""

from __future__ import annotations

import numpy as np

from models.evaluation.measures.f0 import correlation

LONGEST_TOKEN = 0.6  # seconds: longer than read speech holds one sound


def diagonality(log_p_attn: np.ndarray) -> float:
    """Correlation of time with the expected token of soft alignment log_p_attn (T, T_text), rows log-normalised.

    1 for a straight diagonal, near 0 for an alignment that has not formed (every frame looks at the same mixture of
    tokens), negative where it runs backwards. Natural speech reaches about 0.98, as tokens differ in length.
    """
    probability = np.exp(log_p_attn)
    expected = probability @ np.arange(probability.shape[1]) / probability.sum(1)
    value = correlation(np.arange(len(expected), dtype=np.float64), expected)
    return 0.0 if np.isnan(value) else value


def sharpness(log_p_attn: np.ndarray) -> float:
    """Mean over frames of the largest probability in soft alignment (T, T_text): 1 when each frame picks one token."""
    return float(np.exp(log_p_attn.max(1)).mean())


def path_probability(log_p_attn: np.ndarray, path: np.ndarray) -> float:
    """Geometric mean of the probability along the chosen path (T,), token of each frame: near sharpness if well."""
    return float(np.exp(log_p_attn[np.arange(len(path)), path].mean()))


def duration_health(
    durations: np.ndarray, seconds_per_frame: float, pause: np.ndarray | None = None
) -> dict[str, float]:
    """Shares of tokens with believable and unbelievable durations (T_text,) in frames.

    `zero_durations` is the share of tokens without a frame, `long_durations` that of tokens above 0.6 s, `pause`
    tokens (T_text, bool) left out of both, as a pause may vanish or last; `longest_token` is in seconds.
    """
    spoken = durations if pause is None else durations[~pause]
    if not len(spoken):
        return {"zero_durations": 0.0, "long_durations": 0.0, "longest_token": 0.0}
    seconds = spoken * seconds_per_frame
    return {
        "zero_durations": float(np.mean(spoken <= 0)),
        "long_durations": float(np.mean(seconds > LONGEST_TOKEN)),
        "longest_token": float(seconds.max()),
    }
