"""How sure the figures are: intervals over utterances, and which differences between two systems are real."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from config.schema import EvaluateConfig
from models.evaluation.report import (
    MEASURES,
    Estimate,
    Group,
    Report,
    UtteranceRecord,
    cell,
    interval,
    named,
    number,
    parts,
)
from utils.errors import UserError

CHUNK = 1_000_000  # numbers drawn at a time: a few MB
Pairs = Sequence[tuple[float, float]]  # numerator and denominator of each utterance


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


# What is told of each speaker and each language.
GROUPED = (
    *("wer", "cer", "speaker_similarity", "speaker_found", "dnsmos_p808", "distillmos"),
    *("mcd", "log_f0_rmse", "duration_ratio"),
)


def summarise(report: Report, config: EvaluateConfig) -> None:
    """Fill `summary`, `recordings` and `groups`: the measures that utterances have, over them, with intervals."""
    records = report.utterances
    report.summary, report.recordings = _estimates(records, MEASURES, config)
    pairs = sorted({(record.language, record.speaker) for record in records})
    counts = Counter(language for language, _ in pairs)
    wholes = [(language, "") for language, count in sorted(counts.items()) if 1 < count < len(pairs)]
    report.groups = []
    for language, speaker in [*pairs, *wholes] if len(pairs) > 1 else ():
        mine = [r for r in records if r.language == language and speaker in ("", r.speaker)]
        report.groups.append(Group(speaker, language, len(mine), *_estimates(mine, GROUPED, config)))


def _estimates(
    records: Sequence[UtteranceRecord], keys: Iterable[str], config: EvaluateConfig
) -> tuple[dict[str, Estimate], dict[str, Estimate]]:
    """Some measures over `records`, of the synthesis and of the recordings."""
    summaries: tuple[dict[str, Estimate], dict[str, Estimate]] = {}, {}
    for key in keys:
        for name, summary in zip(("values", "recording_values"), summaries):
            found = [parts(getattr(record, name).get(key)) for record in records]
            pairs = [pair for pair in found if pair is not None]
            if sum(below for _, below in pairs) > 0:
                summary[key] = estimate(pairs, config)
    return summaries


def ratio(above: np.ndarray, below: np.ndarray, axis: int = -1) -> Any:
    """Sum over an axis of numerators over that of denominators; NaN or infinite where the latter is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return above.sum(axis) / below.sum(axis)


def _difference(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray, axis: int = -1) -> Any:
    return ratio(c, d, axis) - ratio(a, b, axis)


def estimate(pairs: Pairs, config: EvaluateConfig) -> Estimate:
    """Ratio of sums over n utterances with its percentile bootstrap interval (Efron, Tibshirani 1993; NaN if n = 1)."""
    above, below = np.array(pairs, float).T
    return Estimate(float(ratio(above, below)), *_interval((above, below), ratio, config), len(pairs))


def compare(first: Pairs, second: Pairs, config: EvaluateConfig) -> Comparison:
    """Paired comparison of two systems over the same n utterances, at least two, in the same order.

    The interval is a paired bootstrap of the difference. The p value is two-sided, from swapping the systems' labels
    within utterances at random (Noreen 1989, approximate randomisation; all swaps where they are few).
    """
    from scipy.stats import permutation_test  # takes seconds to load, and only stage 4 needs it

    n = len(first)
    columns = np.hstack([np.array(first, float), np.array(second, float)]).T
    values = float(ratio(*columns[:2])), float(ratio(*columns[2:]))
    above, below = np.array([*first, *second], float).T
    places = np.arange(n)
    test = permutation_test(
        (places, places + n),
        lambda x, y, axis=-1: _difference(above[x], below[x], above[y], below[y], axis),
        permutation_type="samples",
        **_resampling(n, config, seed=config.random_seed + 1),
    )
    low, high = _interval(tuple(columns), _difference, config)
    return Comparison(*values, values[1] - values[0], low, high, float(test.pvalue), n)


def _interval(columns: tuple[np.ndarray, ...], statistic: Any, config: EvaluateConfig) -> tuple[float, float]:
    """Percentile interval of a statistic of columns (n,), which are resampled together."""
    from scipy.stats import bootstrap

    n = len(columns[0])
    if n < 2:
        return float("nan"), float("nan")
    options = {"confidence_level": config.confidence, **_resampling(n, config, config.random_seed)}
    result = bootstrap(columns, statistic, paired=True, method="percentile", **options)
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


def _resampling(n: int, config: EvaluateConfig, seed: int) -> dict[str, Any]:
    """What scipy's resampling methods are told alike, for n utterances."""
    generator = np.random.default_rng(seed)
    batch = max(1, CHUNK // n)
    return {"vectorized": True, "n_resamples": config.bootstrap_samples, "batch": batch, "random_state": generator}


def holm(p_values: Sequence[float]) -> list[float]:
    """P values corrected for the number of comparisons (Holm 1979), in the same order."""
    order = np.argsort(p_values)
    scaled = np.take(p_values, order) * np.arange(len(p_values), 0, -1)
    corrected = np.empty(len(p_values))
    corrected[order] = np.maximum.accumulate(np.minimum(scaled, 1))
    return corrected.tolist()


def compare_reports(first: Report, second: Report, config: EvaluateConfig) -> ComparisonTable:
    """Compare two reports over the utterances of the same id and text; UserError when they share none.

    A difference is real where its p, corrected for the number of measures (Holm), lies below 1 - config.confidence.
    """
    others = {record.id: record for record in second.utterances}
    shared = [(record, others[record.id]) for record in first.utterances if record.id in others]
    same = [(a.values, b.values) for a, b in shared if a.text == b.text]
    if not same:
        raise UserError(f"{first.system} and {second.system} share no utterance of the same id and text")
    names = (first.system, second.system)
    if names[0] == names[1]:
        names = (f"{names[0]} (A)", f"{names[1]} (B)")
    found = {}
    for key in MEASURES:
        both = [(parts(a.get(key)), parts(b.get(key))) for a, b in same]
        pairs = [(a, b) for a, b in both if a is not None and b is not None]
        if len(pairs) > 1:
            found[key] = compare([a for a, _ in pairs], [b for _, b in pairs], config)
    table = ComparisonTable(*names, utterances=len(same), confidence=config.confidence)
    table.notes = _notes(first, second, len(shared), [a.id for a, b in shared if a.text != b.text])
    for (key, result), p in zip(found.items(), holm([result.p for result in found.values()])):
        real = p < 1 - config.confidence
        table.rows.append(Row(key, result, p, real, _better(key, result, first, names) if real else ""))
    return table


def _better(key: str, result: Comparison, report: Report, names: tuple[str, str]) -> str:
    """The name of the system with the better figure; "" where no recording says what is good."""
    good = MEASURES[key].better
    if good in ("lower", "higher"):
        return names[(result.second < result.first) == (good == "lower")]
    ceiling = report.recordings.get(key)
    target = 1.0 if good == "one" else ceiling.value if ceiling else None
    return "" if target is None else names[abs(result.second - target) < abs(result.first - target)]


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


def comparison_markdown(table: ComparisonTable) -> str:
    """Differences of two systems with their intervals and p values, and which of them are real."""
    first, second = cell(table.first), cell(table.second)
    lines = [f"# {first} against {second}", "", f"{table.utterances} utterances that both have.", ""]
    lines += [*(f"> {cell(note)}" for note in table.notes), ""] if table.notes else []
    lines += [f"| | {first} | {second} | difference [{table.confidence:.0%}] | p (corrected) | |"]
    lines += ["| --- |" + " ---: |" * 4 + " --- |"]
    for row in table.rows:
        measure, result = MEASURES[row.key], row.result
        difference = f"{number(result.difference, measure, sign=True)} {interval(result.low, result.high, measure)}"
        verdict = "no difference shown"
        if row.real:
            verdict = f"**{cell(row.better)} is better**" if row.better else "they differ"
        p = "< 0.001" if row.corrected_p < 0.001 else f"{row.corrected_p:.3f}"
        cells = [number(result.first, measure), number(result.second, measure), difference, p]
        lines.append(f"| {named(measure)} | {' | '.join(cells)} | {verdict} |")
    lines += [
        "",
        "Paired over utterances: intervals by bootstrap, p values by approximate randomisation, corrected for the "
        "number of measures (Holm). Half an interval's width is about the smallest difference that this set can show.",
        "",
    ]
    return "\n".join(lines)
