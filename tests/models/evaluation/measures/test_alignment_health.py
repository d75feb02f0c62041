"""Alignments that are perfect, absent and backwards; durations that are believable and not."""

from __future__ import annotations

import numpy as np
import pytest

from models.evaluation.measures.alignment_health import diagonality, duration_health, path_probability, sharpness


def soft(path: np.ndarray, tokens: int, certainty: float) -> np.ndarray:
    """Log alignment (T, tokens) that gives each frame's token `certainty`, the others the rest."""
    result = np.full((len(path), tokens), (1 - certainty) / (tokens - 1))
    result[np.arange(len(path)), path] = certainty
    return np.log(result)


def test_perfect_absent_and_backward_alignments():
    path = np.repeat(np.arange(10), 5)
    assert diagonality(soft(path, 10, 0.999)) > 0.99
    assert diagonality(soft(path[::-1], 10, 0.999)) < -0.99
    uniform = np.full((50, 10), np.log(0.1))
    assert diagonality(uniform) == 0
    assert sharpness(uniform) == pytest.approx(0.1)
    assert sharpness(soft(path, 10, 0.8)) == pytest.approx(0.8)
    noise = np.log(np.random.default_rng(0).dirichlet(np.ones(10), 50))
    assert abs(diagonality(noise)) < 0.4


def test_path_probability_tells_a_wrong_path():
    path = np.repeat(np.arange(10), 5)
    log_p_attn = soft(path, 10, 0.9)
    assert path_probability(log_p_attn, path) == pytest.approx(0.9)
    assert path_probability(log_p_attn, path[::-1]) < 0.1


def test_durations():
    durations = np.array([0, 10, 5, 0, 60, 8, 9, 7, 70, 6])
    pause = np.zeros(10, bool)
    pause[[3, 8]] = True  # a pause may vanish or last
    health = duration_health(durations, 256 / 22050, pause)
    assert health == pytest.approx(
        {"zero_durations": 1 / 8, "long_durations": 1 / 8, "longest_token": 60 * 256 / 22050}
    )
    assert duration_health(durations, 256 / 22050)["zero_durations"] == pytest.approx(0.2)
    assert duration_health(durations, 0.01, np.ones(10, bool))["zero_durations"] == 0
