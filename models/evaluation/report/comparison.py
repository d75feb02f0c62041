"""Which differences between two systems are real."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from config.schema import EvaluateConfig
from models.evaluation.measures.bootstrap import Comparison, compare, holm
from models.evaluation.measures.definitions import MEASURES, Measure
from models.evaluation.report.report import Report, UtteranceRecord, parts
from utils.errors import UserError


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
        return asdict(self)


def compare_reports(first: Report, second: Report, config: EvaluateConfig) -> ComparisonTable:
    """Compare two reports utterance by utterance; p values are corrected for the number of measures (Holm).

    A difference is real where the corrected p lies below 1 - config.confidence. Raises UserError when they share no
    utterance of the same text.
    """
    others = {record.id: record for record in second.utterances}
    pairs = [(record, others[record.id]) for record in first.utterances if record.id in others]
    differing = [a.id for a, b in pairs if a.text != b.text]
    pairs = [(a, b) for a, b in pairs if a.text == b.text]
    if not pairs:
        raise UserError(f"{first.system} and {second.system} share no utterance of the same id and text")
    names = (first.system, second.system)
    if names[0] == names[1]:
        names = (f"{names[0]} (A)", f"{names[1]} (B)")
    table = ComparisonTable(*names, utterances=len(pairs), confidence=config.confidence)
    table.notes = _notes(first, second, len(pairs), differing)
    found = []
    for key in MEASURES:
        result = _compare(pairs, key, config)
        if result is not None:
            found.append((key, result))
    for (key, result), p in zip(found, holm([result.p for _, result in found])):
        real = p < 1 - config.confidence
        table.rows.append(Row(key, result, p, real, _better(MEASURES[key], result, first, names) if real else ""))
    return table


def _compare(
    pairs: list[tuple[UtteranceRecord, UtteranceRecord]], key: str, config: EvaluateConfig
) -> Comparison | None:
    both = [(parts(a.values, key), parts(b.values, key)) for a, b in pairs]
    both = [(x, y) for x, y in both if x is not None and y is not None]
    if len(both) < 2:
        return None
    columns = [tuple(zip(*side)) for side in zip(*both)]
    return compare(columns[0], columns[1], config.bootstrap_samples, config.confidence, config.random_seed)


def _better(measure: Measure, result: Comparison, first: Report, names: tuple[str, str]) -> str:
    """The name of the system with the better figure."""
    target = {"lower": -float("inf"), "higher": float("inf"), "one": 1.0, "recording": None}[measure.better]
    if target is None:
        ceiling = first.recordings.get(measure.key)
        if ceiling is None:
            return ""
        target = ceiling.value
    if target == -float("inf"):
        return names[result.second < result.first]
    if target == float("inf"):
        return names[result.second > result.first]
    return names[abs(result.second - target) < abs(result.first - target)]


def _notes(first: Report, second: Report, shared: int, differing: list[str]) -> list[str]:
    notes = []
    for report in (first, second):
        alone = len(report.utterances) - shared - len(differing)
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
