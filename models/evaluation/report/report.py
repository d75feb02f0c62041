"""The content of a report, and report.json."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from config.schema import EvaluateConfig
from models.evaluation.measures.bootstrap import Estimate, estimate
from models.evaluation.measures.definitions import MEASURES
from models.evaluation.measures.utterance import Value
from utils.atomic import disk_errors, write_text
from utils.errors import UserError

FORMAT_VERSION = 1
REPORT = "report.json"


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

    def summarise(self, config: EvaluateConfig) -> None:
        """Fill `summary` and `recordings` from the utterances."""
        self.summary = summarise([record.values for record in self.utterances], config)
        self.recordings = summarise([record.recording_values for record in self.utterances], config)

    @property
    def failed(self) -> list[UtteranceRecord]:
        """Utterances that count as failed."""
        return [record for record in self.utterances if record.failures]

    def to_json(self) -> dict[str, Any]:
        """As in report.json: the definitions come along, so that the file explains itself."""
        content = asdict(self)
        used = self.summary.keys() | self.recordings.keys()
        definitions = {key: MEASURES[key].to_json() for key in MEASURES if key in used}
        return _finite({"format_version": FORMAT_VERSION, **content, "measures": definitions})


def parts(values: dict[str, Value], key: str) -> tuple[float, float] | None:
    """Numerator and denominator of a figure (a mean has denominator 1); None where it is missing or not finite."""
    value = values.get(key)
    if value is None:
        return None
    pair = (float(value[0]), float(value[1])) if isinstance(value, (tuple, list)) else (float(value), 1.0)
    return pair if all(math.isfinite(x) for x in pair) else None


def summarise(rows: list[dict[str, Value]], config: EvaluateConfig) -> dict[str, Estimate]:
    """Figure over all rows for every measure that any row has, with its confidence interval."""
    result = {}
    for key in MEASURES:
        pairs = [pair for row in rows if (pair := parts(row, key)) is not None]
        if pairs and sum(pair[1] for pair in pairs) > 0:
            above, below = zip(*pairs)
            result[key] = estimate(above, below, config.bootstrap_samples, config.confidence, config.random_seed)
    return result


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
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"there is no report at {path}: run stage 4 first") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is not a report: {error}") from None
    version = content.get("format_version") if isinstance(content, dict) else None
    if version != FORMAT_VERSION:
        raise UserError(f"{path} is not a report of format version {FORMAT_VERSION} (found {version}): make it again")
    try:
        report = Report(**{name: content[name] for name in Report.__dataclass_fields__})
        report.utterances = [UtteranceRecord(**row) for row in content["utterances"]]
        for name in ("summary", "recordings"):
            setattr(report, name, {key: _estimate(value) for key, value in content[name].items()})
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is damaged ({error}): make the report again") from None
    return report, path.parent


def _estimate(value: dict[str, Any]) -> Estimate:
    return Estimate(**{key: float("nan") if number is None else number for key, number in value.items()})


def _finite(value: Any) -> Any:
    """The same with null in place of numbers that JSON cannot hold; figures that are missing are dropped."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
