"""report.md and comparison.md: the tables, to read in a terminal and to paste elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from models.evaluation.measures.definitions import MEASURES
from models.evaluation.report.comparison import ComparisonTable
from models.evaluation.report.figures import interval, named, number, p_value, with_interval
from models.evaluation.report.report import Report

MOST_LISTED = 50


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
    ceiling = bool(report.recordings)
    columns = [report.system, *(["recordings"] if ceiling else []), *(other.system for other in others)]
    lines = [f"| | {' | '.join(map(cell, columns))} |", f"| --- |{' ---: |' * len(columns)}"]
    group = ""
    for key in shown_measures(report, others):
        measure = MEASURES[key]
        if measure.group != group:
            group = measure.group
            lines.append(f"| **{group}** |{' |' * len(columns)}")
        found = [report.summary, *([report.recordings] if ceiling else []), *(other.summary for other in others)]
        cells = [with_interval(figures.get(key), measure) for figures in found]
        lines.append(f"| {named(measure)} | {' | '.join(cells)} |")
    return lines


def comparison_markdown(table: ComparisonTable) -> str:
    """Differences of two systems with their intervals and p values, and which of them are real."""
    first, second = cell(table.first), cell(table.second)
    lines = [f"# {first} against {second}", "", f"{table.utterances} utterances that both have.", ""]
    lines += [*(f"> {cell(note)}" for note in table.notes), ""] if table.notes else []
    percent = f"{table.confidence:.0%}"
    lines += [f"| | {first} | {second} | difference [{percent}] | p (corrected) | |"]
    lines += ["| --- |" + " ---: |" * 4 + " --- |"]
    for row in table.rows:
        measure, result = MEASURES[row.key], row.result
        difference = f"{number(result.difference, measure, sign=True)} {interval(result.low, result.high, measure)}"
        verdict = "no difference shown"
        if row.real:
            verdict = f"**{cell(row.better)} is better**" if row.better else "they differ"
        cells = [number(result.first, measure), number(result.second, measure), difference, p_value(row.corrected_p)]
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
