"""Intervals that hold what they promise, and tests that find differences only where there are some."""

from __future__ import annotations

import numpy as np
import pytest

from models.evaluation.comparison import compare, estimate, holm


def test_known_ratio_and_seed():
    errors, words = np.array([1, 0, 2.0]), np.array([10, 5, 5.0])
    first = estimate(errors, words, 1000, 0.95, seed=3)
    assert first.value == pytest.approx(3 / 20) and first.n == 3
    assert 0 <= first.low <= first.value <= first.high <= 0.4
    assert estimate(errors, words, 1000, 0.95, seed=3) == first
    single = estimate(errors[:1], words[:1], 1000, 0.95, seed=3)
    assert single.value == pytest.approx(0.1) and np.isnan(single.low) and np.isnan(single.high)
    same = estimate(np.full(20, 4.2), np.ones(20), 500, 0.95, seed=0)
    assert (same.low, same.high) == pytest.approx((4.2, 4.2))


def test_interval_covers_the_truth_as_often_as_it_says():
    """The true word error rate lies inside about 95 % of 400 intervals, each from 60 sentences."""
    generator = np.random.default_rng(0)
    inside = 0
    for trial in range(400):
        words = generator.integers(5, 15, 60)
        errors = generator.binomial(words, 0.1)
        found = estimate(errors, words, 1000, 0.95, seed=trial)
        inside += found.low <= 0.1 <= found.high
    assert 0.91 <= inside / 400 <= 0.98


def test_interval_is_as_wide_as_theory_says():
    values = np.random.default_rng(1).standard_normal(400)
    found = estimate(values, np.ones(400), 10000, 0.95, seed=0)
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * values.std() / 20, rel=0.05)


def test_paired_test_sees_a_small_steady_difference():
    """The systems differ by far less than the sentences do, which an unpaired test would not see."""
    generator = np.random.default_rng(0)
    difficulty = generator.normal(5, 2, 60)
    one = np.ones(60)
    a, b = difficulty + generator.normal(0, 0.1, 60), difficulty - 0.2 + generator.normal(0, 0.1, 60)
    result = compare((a, one), (b, one), 2000, 0.95, seed=0)
    assert result.p < 0.01 and result.low < -0.2 < result.high < 0
    assert result.difference == pytest.approx((b - a).mean())
    unpaired = [estimate(x, one, 2000, 0.95, seed=0) for x in (a, b)]
    assert unpaired[1].high > unpaired[0].low  # the single intervals overlap


def test_paired_test_finds_nothing_where_nothing_is():
    generator = np.random.default_rng(5)
    words = np.full(40, 10)
    false_alarms = 0
    for trial in range(200):
        a, b = generator.binomial(words, 0.1), generator.binomial(words, 0.1)
        false_alarms += compare((a, words), (b, words), 200, 0.95, seed=trial).p < 0.05
    assert false_alarms / 200 <= 0.09
    same = np.arange(10.0)
    assert compare((same, np.ones(10)), (same, np.ones(10)), 200, 0.95, seed=0).p == 1


def test_randomisation_against_all_swaps():
    """With 8 utterances all 256 label swaps can be counted."""
    generator = np.random.default_rng(2)
    a, b = generator.normal(0, 1, 8), generator.normal(0.8, 1, 8)
    difference = b - a
    signs = 1 - 2 * ((np.arange(256)[:, None] >> np.arange(8)) & 1)
    exact = np.mean(np.abs((signs * difference).mean(1)) >= abs(difference.mean()) - 1e-12)
    found = compare((a, np.ones(8)), (b, np.ones(8)), 20000, 0.95, seed=0)
    assert found.p == pytest.approx(exact, abs=0.015)


def test_nothing_in_common_is_refused():
    with pytest.raises(ValueError, match="same utterances"):
        compare((np.ones(2), np.ones(2)), (np.ones(3), np.ones(3)), 100, 0.95, 0)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []
