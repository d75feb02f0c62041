"""Intervals that hold what they promise, and tests that find differences only where there are some."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from config.schema import EvaluateConfig, ExperimentConfig
from models.evaluation.comparison import Pairs, compare, estimate, holm


@pytest.fixture
def settings(config: ExperimentConfig) -> EvaluateConfig:
    return config.evaluate.model_copy(update={"bootstrap_samples": 1000, "random_seed": 3})


def pairs(above: Iterable[float], below: Iterable[float] | None = None) -> Pairs:
    above = list(above)
    return list(zip(above, [1.0] * len(above) if below is None else below))


def test_known_ratio_and_seed(settings):
    errors = pairs([1, 0, 2], [10, 5, 5])
    first = estimate(errors, settings)
    assert first.value == pytest.approx(3 / 20) and first.n == 3
    assert 0 <= first.low <= first.value <= first.high <= 0.4
    assert estimate(errors, settings) == first
    single = estimate(errors[:1], settings)
    assert single.value == pytest.approx(0.1) and np.isnan([single.low, single.high]).all()
    same = estimate(pairs([4.2] * 20), settings)
    assert (same.low, same.high) == pytest.approx((4.2, 4.2))


def test_paired_test_sees_a_small_steady_difference(settings):
    """The systems differ by far less than the sentences do, which an unpaired test would not see."""
    generator = np.random.default_rng(0)
    difficulty = generator.normal(5, 2, 60)
    a, b = difficulty + generator.normal(0, 0.1, 60), difficulty - 0.2 + generator.normal(0, 0.1, 60)
    result = compare(pairs(a), pairs(b), settings)
    assert result.p < 0.01 and result.low < -0.2 < result.high < 0
    assert result.difference == pytest.approx((b - a).mean())
    unpaired = [estimate(pairs(x), settings) for x in (a, b)]
    assert unpaired[1].high > unpaired[0].low  # the single intervals overlap


def test_paired_test_finds_nothing_where_nothing_is(settings):
    generator = np.random.default_rng(5)
    words = np.full(40, 10)
    false_alarms = 0
    for trial in range(200):
        a, b = (pairs(generator.binomial(words, 0.1), words) for _ in range(2))
        quick = settings.model_copy(update={"bootstrap_samples": 200, "random_seed": trial})
        false_alarms += compare(a, b, quick).p < 0.05
    assert false_alarms / 200 <= 0.09
    assert compare(pairs(range(10)), pairs(range(10)), settings).p == 1


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_interval_is_as_wide_as_theory_says(settings):
    values = np.random.default_rng(1).standard_normal(400)
    found = estimate(pairs(values), settings.model_copy(update={"bootstrap_samples": 10000}))
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * values.std() / 20, rel=0.05)
