"""What is judged, and the figures of one system: what each means, report.json, and report.md's tables."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator, TypeAdapter, ValidationError

from utils.errors import UserError, one_line
from utils.files import disk_errors, read_json, write_text

FORMAT_VERSION = 1
MOST_LISTED = 50
ARROWS = {"lower": " ↓", "higher": " ↑", "one": " →1", "recording": ""}
REPORT = "report.json"
ASSETS = Path(__file__).parent / "assets"
Number = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]  # JSON has no NaN
Value = float | tuple[float, float]  # a figure, or numerator and denominator of a ratio measure


@dataclass(frozen=True)
class Measure:
    """What a figure is: a row of assets/measures.json.

    `better` says which way is good ("one": close to 1; "recording": close to the recordings' figure). `ratio` measures
    are sums over sums, all others means over utterances. `recording` is true where the recordings have one as well.
    """

    label: str
    unit: str
    better: Literal["lower", "higher", "one", "recording"]
    group: str
    decimals: int
    definition: str
    ratio: bool = False
    recording: bool = False
    scale: float = 1.0  # shown = stored * scale


MEASURES: dict[str, Measure] = {key: Measure(**row) for key, row in read_json(ASSETS / "measures.json").items()}


@dataclass(frozen=True)
class Estimate:
    """A figure over a corpus with its confidence interval; n is the number of utterances behind it."""

    value: Number
    low: Number
    high: Number
    n: int


@dataclass(frozen=True)
class AlignmentRecord:
    """How a network that aligns by itself placed the tokens."""

    tokens: tuple[str, ...]  # (T_text)
    durations: np.ndarray  # (T_text,) frames, of the synthesis
    log_p_attn: np.ndarray | None = None  # (T, T_text), of the recording
    path: np.ndarray | None = None  # (T,) token of each frame of the recording


@dataclass(frozen=True)
class Item:
    """One utterance to judge."""

    id: str
    text: str
    audio: Path
    recording: Path | None = None
    copy: Path | None = None
    alignment: AlignmentRecord | None = None
    speaker: str = ""
    language: str = ""  # "": preprocess.language


@dataclass
class UtteranceRecord:
    """One judged utterance; paths are relative to the report's folder."""

    id: str
    text: str
    audio: str
    recording: str | None = None
    copy: str | None = None
    seconds: float = 0.0
    values: dict[str, Value] = field(default_factory=dict)
    recording_values: dict[str, Value] = field(default_factory=dict)
    expected: str | None = None  # the text as the error rates see it, normalised
    heard: str | None = None  # what the recogniser heard, likewise
    recording_heard: str | None = None
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    speaker: str = ""
    language: str = ""


@dataclass
class Group:
    """The figures of one speaker in one language, or of a whole language (speaker "")."""

    speaker: str
    language: str
    utterances: int
    summary: dict[str, Estimate] = field(default_factory=dict)
    recordings: dict[str, Estimate] = field(default_factory=dict)


@dataclass
class Report:
    """All that is known about one system on one set of texts."""

    system: str
    source: dict[str, str] = field(default_factory=dict)  # where the audio came from, for reading
    settings: dict[str, Any] = field(default_factory=dict)  # all that changes figures
    notes: list[str] = field(default_factory=list)  # what was left out, and why
    utterances: list[UtteranceRecord] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)  # id, reason
    summary: dict[str, Estimate] = field(default_factory=dict)
    recordings: dict[str, Estimate] = field(default_factory=dict)  # the ceiling
    groups: list[Group] = field(default_factory=list)  # where there are several speakers or languages

    @property
    def failed(self) -> list[UtteranceRecord]:
        """Utterances that count as failed."""
        return [record for record in self.utterances if record.failures]

    def to_json(self) -> dict[str, Any]:
        """As in report.json: the definitions come along, so that the file explains itself."""
        used = self.summary.keys() | self.recordings.keys()
        definitions = {key: asdict(measure) for key, measure in MEASURES.items() if key in used}
        return finite({"format_version": FORMAT_VERSION, **asdict(self), "measures": definitions})


def file_name(key: str) -> str:
    """An id as the name of a file."""
    return key.replace("/", "_").replace("\\", "_")


def relative(path: Path, folder: Path) -> str:
    """How a report in `folder` names `path`: relative to it, so that both can move together."""
    return Path(os.path.relpath(path, folder)).as_posix()


def parts(value: Value | None) -> tuple[float, float] | None:
    """Numerator and denominator of a figure (a mean has denominator 1); None where it is missing or not finite."""
    if value is None:
        return None
    pair = (float(value[0]), float(value[1])) if isinstance(value, (tuple, list)) else (float(value), 1.0)
    return pair if all(map(math.isfinite, pair)) else None


def write_report_json(report: Report, folder: Path) -> Path:
    """Write report.json; UserError when the disk is full or forbidden."""
    path = folder / REPORT
    with disk_errors(path):
        write_text(path, json.dumps(report.to_json(), indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    return path


def read_report(path: Path) -> tuple[Report, Path]:
    """Read report.json (or the one in a folder): the report and its folder; UserError when it is not one."""
    path = path / REPORT if path.is_dir() else path
    try:
        content = read_json(path)
    except FileNotFoundError:
        raise UserError(f"there is no report at {path}: run stage 4 first") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is not a report: {error}") from None
    version = content.get("format_version") if isinstance(content, dict) else None
    if version != FORMAT_VERSION:
        raise UserError(f"{path} is not a report of format version {FORMAT_VERSION} (found {version}): make it again")
    try:
        content.setdefault("groups", [])  # a report that is older than these
        report = TypeAdapter(Report).validate_python({name: content[name] for name in Report.__dataclass_fields__})
    except (KeyError, ValidationError) as error:
        raise UserError(f"{path} is damaged ({one_line(error)}): make the report again") from None
    return report, path.parent


def finite(value: Any) -> Any:
    """The same with null in place of numbers that JSON cannot hold."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def report_markdown(report: Report, others: Sequence[Report] = ()) -> str:
    """The summary with the recordings as the ceiling and other systems beside it, failures, skips and definitions."""
    lines = [f"# {cell(report.system)}", ""]
    lines += [f"- {cell(key)}: {cell(value)}" for key, value in report.source.items()]
    judged, skipped, failed = len(report.utterances), len(report.skipped), len(report.failed)
    lines += [f"- utterances: {judged} judged, {failed} failed, {skipped} skipped", ""]
    lines += [*(f"> {cell(note)}" for note in report.notes), ""] if report.notes else []
    lines += summary_table(report, others)
    lines += ["", "## By speaker and language", "", *group_table(report)] if report.groups else []
    lines += listing("Failed", [(record.id, "; ".join(record.failures)) for record in report.failed])
    lines += listing("Skipped", [(entry["id"], entry["reason"]) for entry in report.skipped])
    noted = [(record.id, "; ".join(record.notes)) for record in report.utterances if record.notes]
    lines += listing("Judged in part", noted)
    lines += ["", "## What the figures are", ""]
    lines += [f"- **{MEASURES[key].label}**: {MEASURES[key].definition}" for key in shown_measures(report, others)]
    return "\n".join([*lines, *measured_with(report)])


def measured_with(report: Report) -> list[str]:
    """What changes the figures, as a paragraph."""
    settings = cell(", ".join(f"{key} {value}" for key, value in report.settings.items()))
    return ["", f"Measured with: {settings}. Intervals: bootstrap over utterances.", ""]


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
        found = [figures.get(key) for _, figures in columns]
        cells = [f"{number(e.value, measure)} {interval(e.low, e.high, measure)}".strip() if e else "–" for e in found]
        lines.append(f"| {named(measure)} | {' | '.join(cells)} |")
    return lines


def group_table(report: Report) -> list[str]:
    """A row for each speaker and language with the figures that such groups have, the recordings' in parentheses."""
    keys = [key for key in MEASURES if any(key in group.summary for group in report.groups)]
    head = ["speaker", "language", "utterances", *(named(MEASURES[key]) for key in keys)]
    lines = [f"| {' | '.join(head)} |", "| --- | --- |" + " ---: |" * (len(keys) + 1)] if report.groups else []
    for group in report.groups:
        cells = [cell(group.speaker) or "all", cell(group.language), str(group.utterances)]
        for key in keys:
            e, own, measure = group.summary.get(key), group.recordings.get(key), MEASURES[key]
            figure = f"{number(e.value, measure)} {interval(e.low, e.high, measure)}".strip() if e else "–"
            cells.append(f"{figure} ({number(own.value, measure)})" if own else figure)
        lines.append(f"| {' | '.join(cells)} |")
    return lines


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
    there = math.isfinite(low) and math.isfinite(high)
    return f"[{number(low, measure)}, {number(high, measure)}]" if there else ""


def named(measure: Measure) -> str:
    """A measure's name with its unit and an arrow to where it is better."""
    return f"{measure.label}{f' ({measure.unit})' if measure.unit else ''}{ARROWS[measure.better]}"
