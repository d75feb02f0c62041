"""Confidence intervals over utterances, and paired tests of two systems."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CHUNK = 1_000_000  # numbers drawn at a time: a few MB


@dataclass(frozen=True)
class Estimate:
    """A figure over a corpus with its confidence interval; n is the number of utterances behind it."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Comparison:
    """Second system minus first over the utterances that both have."""

    first: float
    second: float
    difference: float
    low: float
    high: float
    p: float
    n: int


def ratio(numerators: np.ndarray, denominators: np.ndarray) -> np.ndarray:
    """Sum over the last axis of numerators over that of denominators; NaN where the latter is 0."""
    below = denominators.sum(-1)
    return np.divide(numerators.sum(-1), below, out=np.full(np.shape(below), np.nan), where=below != 0)


def _resampled(columns: list[np.ndarray], samples: int, seed: int) -> list[np.ndarray]:
    """Sums (samples,) of each column over utterances drawn with replacement, the same draws for all columns."""
    n = len(columns[0])
    generator = np.random.default_rng(seed)
    totals = [np.empty(samples) for _ in columns]
    size = max(1, CHUNK // n)
    for start in range(0, samples, size):
        count = min(size, samples - start)
        picks = generator.integers(0, n, (count, n))
        for total, column in zip(totals, columns):
            total[start : start + count] = column[picks].sum(1)
    return totals


def estimate(numerators: np.ndarray, denominators: np.ndarray, samples: int, confidence: float, seed: int) -> Estimate:
    """Ratio of sums over utterances (n,) with its percentile bootstrap interval (Efron and Tibshirani 1993, ch. 13).

    With denominators of 1 this is the mean. A single utterance has no interval: its ends are NaN.
    """
    numerators, denominators = np.asarray(numerators, float), np.asarray(denominators, float)
    value = float(ratio(numerators, denominators))
    if len(numerators) < 2:
        return Estimate(value, float("nan"), float("nan"), len(numerators))
    above, below = _resampled([numerators, denominators], samples, seed)
    low, high = _interval(np.divide(above, below, out=np.full(samples, np.nan), where=below != 0), confidence)
    return Estimate(value, low, high, len(numerators))


def _interval(values: np.ndarray, confidence: float) -> tuple[float, float]:
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(values, [tail, 1 - tail])
    return float(low), float(high)


def compare(
    first: tuple[np.ndarray, np.ndarray],
    second: tuple[np.ndarray, np.ndarray],
    samples: int,
    confidence: float,
    seed: int,
) -> Comparison:
    """Paired comparison of two systems, each (numerators, denominators) of the same n utterances in the same order.

    The interval is a paired bootstrap of the difference. The p value is two-sided, from swapping the two systems'
    labels within utterances at random (Noreen 1989, approximate randomisation), so that it needs no distribution.
    Raises ValueError when the lengths differ or nothing is shared.
    """
    a, b, c, d = (np.asarray(column, float) for pair in (first, second) for column in pair)
    n = len(a)
    if n == 0 or not n == len(b) == len(c) == len(d):
        raise ValueError("a paired comparison needs the same utterances, at least one, in both systems")
    value_a, value_b = float(ratio(a, b)), float(ratio(c, d))
    if n < 2:
        return Comparison(value_a, value_b, value_b - value_a, float("nan"), float("nan"), 1.0, n)
    sums = _resampled([a, b, c, d], samples, seed)
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = _interval(sums[2] / sums[3] - sums[0] / sums[1], confidence)
    p = _randomisation(a, b, c, d, abs(value_b - value_a), samples, seed + 1)
    return Comparison(value_a, value_b, value_b - value_a, low, high, p, n)


def _randomisation(
    a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray, observed: float, samples: int, seed: int
) -> float:
    """Share of random label swaps whose absolute difference reaches the observed one, that one counted in."""
    generator = np.random.default_rng(seed)
    n, reached = len(a), 0
    size = max(1, CHUNK // n)
    tolerance = 1e-12 * max(1.0, observed)
    for start in range(0, samples, size):
        swap = generator.random((min(size, samples - start), n)) < 0.5
        first = ratio(np.where(swap, c, a), np.where(swap, d, b))
        second = ratio(np.where(swap, a, c), np.where(swap, b, d))
        reached += int((np.abs(second - first) >= observed - tolerance).sum())
    return (reached + 1) / (samples + 1)


def holm(p_values: list[float]) -> list[float]:
    """P values corrected for the number of comparisons (Holm 1979), in the same order."""
    order = np.argsort(p_values)
    corrected, running = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, p_values[index] * (len(p_values) - rank)))
        corrected[index] = running
    return corrected
