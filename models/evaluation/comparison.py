"""How sure the figures are: intervals over utterances, and which differences between two systems are real."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from config.schema import EvaluateConfig
from models.evaluation.report import MEASURES, Estimate, Measure, Report, UtteranceRecord, Value, finite, parts
from utils.errors import UserError

CHUNK = 1_000_000  # numbers drawn at a time: a few MB


@dataclass(frozen=True)
class Comparison:
    """Second system minus first over the n utterances that both have."""

    first: float
    second: float
    difference: float
    low: float
    high: float
    p: float
    n: int


@dataclass(frozen=True)
class Row:
    """One measure of two systems."""

    key: str
    result: Comparison
    corrected_p: float
    real: bool  # whether a difference is shown
    better: str  # name of the better system, or "" where no difference is shown, or neither is better


@dataclass
class ComparisonTable:
    """All measures that two reports share, over the utterances that they share."""

    first: str
    second: str
    utterances: int
    confidence: float
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return finite(asdict(self))


def summarise(report: Report, config: EvaluateConfig) -> None:
    """Fill `summary` and `recordings`: every measure that an utterance has, over all of them, with its interval."""
    report.summary = _summary([record.values for record in report.utterances], config)
    report.recordings = _summary([record.recording_values for record in report.utterances], config)


def _summary(rows: list[dict[str, Value]], config: EvaluateConfig) -> dict[str, Estimate]:
    result = {}
    for key in MEASURES:
        pairs = [pair for row in rows if (pair := parts(row.get(key))) is not None]
        if sum(below for _, below in pairs) > 0:
            above, below = zip(*pairs)
            result[key] = estimate(above, below, config.bootstrap_samples, config.confidence, config.random_seed)
    return result


def ratio(above: np.ndarray, below: np.ndarray, axis: int = -1) -> Any:
    """Sum over an axis of numerators over that of denominators; NaN or infinite where the latter is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return above.sum(axis) / below.sum(axis)


def _difference(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray, axis: int = -1) -> Any:
    return ratio(c, d, axis) - ratio(a, b, axis)


def estimate(above: Sequence[float], below: Sequence[float], samples: int, confidence: float, seed: int) -> Estimate:
    """Ratio of sums over utterances (n,) with its percentile bootstrap interval (Efron and Tibshirani 1993, ch. 13).

    With denominators of 1 this is the mean. A single utterance has no interval: its ends are NaN.
    """
    columns = [np.asarray(column, float) for column in (above, below)]
    return Estimate(
        float(ratio(columns[0], columns[1])), *_interval(columns, ratio, samples, confidence, seed), len(above)
    )


def compare(
    first: Sequence[Sequence[float]], second: Sequence[Sequence[float]], samples: int, confidence: float, seed: int
) -> Comparison:
    """Paired comparison of two systems, each (numerators, denominators) of the same n utterances in the same order.

    The interval is a paired bootstrap of the difference. The p value is two-sided, from swapping the two systems'
    labels within utterances at random (Noreen 1989, approximate randomisation; all swaps where there are few), so that
    it needs no distribution. Raises ValueError when the lengths differ or nothing is shared.
    """
    from scipy.stats import permutation_test  # seconds to import, which only stage 4 should wait for

    columns = [np.asarray(column, float) for column in (*first, *second)]
    n = len(columns[0])
    if n == 0 or any(len(column) != n for column in columns):
        raise ValueError("a paired comparison needs the same utterances, at least one, in both systems")
    a, b, c, d = columns
    values = float(ratio(a, b)), float(ratio(c, d))
    low, high = _interval(columns, _difference, samples, confidence, seed)
    p = 1.0
    if n > 1:
        above, below, places = np.concatenate([a, c]), np.concatenate([b, d]), np.arange(n)
        p = permutation_test(
            (places, places + n),
            lambda x, y, axis=-1: _difference(above[x], below[x], above[y], below[y], axis),
            permutation_type="samples",
            vectorized=True,
            n_resamples=samples,
            batch=max(1, CHUNK // n),
            random_state=np.random.default_rng(seed + 1),
        ).pvalue
    return Comparison(*values, values[1] - values[0], low, high, float(p), n)


def _interval(
    columns: list[np.ndarray], statistic: Any, samples: int, confidence: float, seed: int
) -> tuple[float, float]:
    """Percentile interval of a statistic of columns (n,), which are resampled together."""
    from scipy.stats import bootstrap

    n = len(columns[0])
    if n < 2:
        return float("nan"), float("nan")
    low, high = bootstrap(
        columns,
        statistic,
        paired=True,
        vectorized=True,
        n_resamples=samples,
        batch=max(1, CHUNK // n),
        confidence_level=confidence,
        method="percentile",
        random_state=np.random.default_rng(seed),
    ).confidence_interval
    return float(low), float(high)


def holm(p_values: Sequence[float]) -> list[float]:
    """P values corrected for the number of comparisons (Holm 1979), in the same order."""
    order = np.argsort(p_values)
    corrected = np.empty(len(p_values))
    scaled = np.take(p_values, order) * np.arange(len(p_values), 0, -1)
    corrected[order] = np.maximum.accumulate(np.minimum(scaled, 1))
    return [float(p) for p in corrected]


def compare_reports(first: Report, second: Report, config: EvaluateConfig) -> ComparisonTable:
    """Compare two reports utterance by utterance; p values are corrected for the number of measures (Holm).

    A difference is real where the corrected p lies below 1 - config.confidence. Raises UserError when they share no
    utterance of the same text.
    """
    others = {record.id: record for record in second.utterances}
    shared = [(record, others[record.id]) for record in first.utterances if record.id in others]
    pairs = [(a, b) for a, b in shared if a.text == b.text]
    if not pairs:
        raise UserError(f"{first.system} and {second.system} share no utterance of the same id and text")
    names = (first.system, second.system)
    if names[0] == names[1]:
        names = (f"{names[0]} (A)", f"{names[1]} (B)")
    table = ComparisonTable(*names, utterances=len(pairs), confidence=config.confidence)
    table.notes = _notes(first, second, len(shared), [a.id for a, b in shared if a.text != b.text])
    found = {key: result for key in MEASURES if (result := _compare(pairs, key, config)) is not None}
    for (key, result), p in zip(found.items(), holm([result.p for result in found.values()])):
        real = p < 1 - config.confidence
        table.rows.append(Row(key, result, p, real, _better(MEASURES[key], result, first, names) if real else ""))
    return table


def _compare(
    pairs: list[tuple[UtteranceRecord, UtteranceRecord]], key: str, config: EvaluateConfig
) -> Comparison | None:
    both = [(parts(a.values.get(key)), parts(b.values.get(key))) for a, b in pairs]
    known = [(x, y) for x, y in both if x is not None and y is not None]
    if len(known) < 2:
        return None
    first, second = ([*zip(*side)] for side in zip(*known))
    return compare(first, second, config.bootstrap_samples, config.confidence, config.random_seed)


def _better(measure: Measure, result: Comparison, report: Report, names: tuple[str, str]) -> str:
    """The name of the system with the better figure; "" where no recording says what is good."""
    ceiling = report.recordings.get(measure.key)
    if measure.better in ("lower", "higher"):
        second = (result.second < result.first) == (measure.better == "lower")
    elif measure.better == "one" or ceiling is not None:
        target = 1.0 if measure.better == "one" or ceiling is None else ceiling.value
        second = abs(result.second - target) < abs(result.first - target)
    else:
        return ""
    return names[second]


def _notes(first: Report, second: Report, shared: int, differing: list[str]) -> list[str]:
    notes = []
    for report in (first, second):
        alone = len(report.utterances) - shared
        if alone:
            notes.append(f"{alone} utterances are in {report.system} only: left out.")
    if differing:
        notes.append(f"{len(differing)} utterances have different texts: left out ({', '.join(differing[:3])} ...).")
    # What only one of them has, such as a recogniser, is not compared anyway.
    both = first.settings.keys() & second.settings.keys()
    changed = sorted(key for key in both if second.settings[key] != first.settings[key])
    if changed:
        notes.append(f"Measured with different settings ({', '.join(changed)}): differences may be theirs.")
    return notes
