"""Alignments that are perfect, absent and backwards; durations that are believable and not."""

from __future__ import annotations

import numpy as np
import pytest

from models.evaluation.judge import alignment_health, value_failures
from models.evaluation.report import AlignmentRecord

PATH = np.repeat(np.arange(10), 5)
TOKENS = ("AH0",) * 10


def soft(path: np.ndarray, certainty: float) -> np.ndarray:
    """Log alignment (T, 10) that gives each frame's token `certainty`, the others the rest."""
    result = np.full((len(path), 10), (1 - certainty) / 9)
    result[np.arange(len(path)), path] = certainty
    return np.log(result)


@pytest.mark.parametrize(
    ("log_p_attn", "low", "high"),
    [
        (soft(PATH, 0.999), 0.99, 1),
        (soft(PATH[::-1], 0.999), -1, -0.99),
        (np.full((50, 10), np.log(0.1)), 0, 0),
        (np.log(np.random.default_rng(0).dirichlet(np.ones(10), 50)), -0.4, 0.4),
    ],
    ids=["perfect", "backwards", "uniform", "noise"],
)
def test_diagonality(log_p_attn, low, high):
    values = alignment_health(AlignmentRecord(TOKENS, np.full(10, 5), log_p_attn, PATH), 0.01)
    assert low <= values["diagonality"] <= high
    assert bool(value_failures(values)) == (low < 0.7)


def test_durations():
    durations = np.array([0, 10, 5, 0, 60, 8, 9, 7, 70, 6])
    tokens = tuple({3: " ", 8: ","}.get(i, "T") for i in range(10))  # a boundary may vanish, a pause may last
    health = alignment_health(AlignmentRecord(tokens, durations), 256 / 22050)
    assert health == pytest.approx({"zero_durations": 1 / 8, "long_durations": 1 / 8})
    assert alignment_health(AlignmentRecord((",",), np.zeros(1)), 0.01)["zero_durations"] == 0
    assert value_failures({"zero_durations": 0.25}) == ["25% of the tokens got no frame"]
