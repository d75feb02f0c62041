"""report.md and comparison.md: the tables, to read in a terminal and to paste elsewhere."""

from __future__ import annotations

import math
from collections.abc import Sequence

from models.evaluation.comparison import ComparisonTable
from models.evaluation.report import MEASURES, Estimate, Measure, Report

MOST_LISTED = 50
ARROWS = {"lower": " ↓", "higher": " ↑", "one": " →1", "recording": ""}


def report_markdown(report: Report, others: Sequence[Report] = ()) -> str:
    """The summary with the recordings as the ceiling and other systems beside it, failures, skips and definitions."""
    lines = [f"# {cell(report.system)}", ""]
    lines += [f"- {cell(key)}: {cell(value)}" for key, value in report.source.items()]
    judged, skipped, failed = len(report.utterances), len(report.skipped), len(report.failed)
    lines += [f"- utterances: {judged} judged, {failed} failed, {skipped} skipped", ""]
    lines += [*(f"> {cell(note)}" for note in report.notes), ""] if report.notes else []
    lines += summary_table(report, others)
    lines += listing("Failed", [(record.id, "; ".join(record.failures)) for record in report.failed])
    lines += listing("Skipped", [(entry["id"], entry["reason"]) for entry in report.skipped])
    noted = [(record.id, "; ".join(record.notes)) for record in report.utterances if record.notes]
    lines += listing("Judged in part", noted)
    lines += ["", "## What the figures are", ""]
    lines += [f"- **{MEASURES[key].label}**: {MEASURES[key].definition}" for key in shown_measures(report, others)]
    settings = ", ".join(f"{key} {value}" for key, value in report.settings.items())
    lines += ["", f"Measured with: {settings}. Intervals: bootstrap over utterances.", ""]
    return "\n".join(lines)


def shown_measures(report: Report, others: Sequence[Report]) -> list[str]:
    """Measures that any of the systems or the recordings have, in the order of their definition."""
    return [key for key in MEASURES if any(key in r.summary or key in r.recordings for r in (report, *others))]


def summary_table(report: Report, others: Sequence[Report]) -> list[str]:
    """Rows are measures; columns the system, the recordings and other systems, with their intervals."""
    columns = [(report.system, report.summary)]
    columns += [("recordings", report.recordings)] if report.recordings else []
    columns += [(other.system, other.summary) for other in others]
    lines = [f"| | {' | '.join(cell(name) for name, _ in columns)} |", f"| --- |{' ---: |' * len(columns)}"]
    group = ""
    for key in shown_measures(report, others):
        measure = MEASURES[key]
        if measure.group != group:
            group = measure.group
            lines.append(f"| **{group}** |{' |' * len(columns)}")
        cells = [with_interval(figures.get(key), measure) for _, figures in columns]
        lines.append(f"| {named(measure)} | {' | '.join(cells)} |")
    return lines


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


def listing(title: str, entries: list[tuple[str, str]]) -> list[str]:
    """A headed list of (id, reason), the longest ones cut."""
    if not entries:
        return []
    lines = ["", f"## {title} ({len(entries)})", ""]
    lines += [f"- {cell(name)}: {cell(reason)}" for name, reason in entries[:MOST_LISTED]]
    if len(entries) > MOST_LISTED:
        lines.append(f"- and {len(entries) - MOST_LISTED} more in report.json")
    return lines


def cell(text: str) -> str:
    """Text that cannot break a table."""
    return " ".join(str(text).split()).replace("|", "\\|")


def number(value: float, measure: Measure, sign: bool = False) -> str:
    """A figure as shown: scaled, with the measure's decimals; a dash for a missing one."""
    if not math.isfinite(value):
        return "–"
    text = f"{value * measure.scale:{'+' if sign else ''}.{measure.decimals}f}"
    return text.replace("-", "−")


def interval(low: float, high: float, measure: Measure) -> str:
    """A confidence interval in brackets; empty where there is none."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return ""
    return f"[{number(low, measure)}, {number(high, measure)}]"


def with_interval(estimate: Estimate | None, measure: Measure) -> str:
    """A figure and its interval; a dash for a missing one."""
    if estimate is None:
        return "–"
    return f"{number(estimate.value, measure)} {interval(estimate.low, estimate.high, measure)}".strip()


def named(measure: Measure) -> str:
    """A measure's name with its unit and an arrow to where it is better."""
    return f"{measure.label}{f' ({measure.unit})' if measure.unit else ''}{ARROWS[measure.better]}"
