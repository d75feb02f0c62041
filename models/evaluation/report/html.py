"""report.html: one file with everything in it, drawn by the script of assets/ from two JSON blocks."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from config.schema import EvaluateConfig
from models.evaluation.measures.definitions import MEASURES
from models.evaluation.measures.text_distance import align
from models.evaluation.measures.utterance import load_audio
from models.evaluation.report.markdown import shown_measures
from models.evaluation.report.media import Media, make_clip
from models.evaluation.report.report import Report, UtteranceRecord
from processors.audio.recording import AudioProblem

ASSETS = Path(__file__).parent / "assets"


def report_html(
    report: Report, media: Mapping[str, Media], config: EvaluateConfig, others: Sequence[Report] = ()
) -> str:
    """The whole page. It loads nothing from anywhere, so that it opens from disk and travels as one file."""
    content = report.to_json()
    content["measures"] = {key: MEASURES[key].to_json() for key in shown_measures(report, others)}
    content["confidence"] = config.confidence
    content["diffs"] = {record.id: edits for record in report.utterances if (edits := _edits(record))}
    content["others"] = [{"system": o.system, "summary": o.to_json()["summary"]} for o in others]
    page = (ASSETS / "report.html").read_text(encoding="utf-8")
    parts = {
        "title": html.escape(report.system),
        "style": (ASSETS / "report.css").read_text(encoding="utf-8").strip(),
        "script": (ASSETS / "report.js").read_text(encoding="utf-8").strip(),
        "data": _script_json(content),
        "media": _script_json({key: item.to_json() for key, item in media.items()}),
    }
    # One pass: a text that happens to hold a placeholder stays as it is.
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], page)


def add_other_clips(media: Mapping[str, Media], other: Report, folder: Path, sample_rate: int, audio_type: str) -> None:
    """Add another system's players to the utterances that it has too; `folder` is that of its report.

    Audio that is gone by now is left out.
    """
    for record in other.utterances:
        if record.id not in media:
            continue
        try:
            audio = load_audio(folder / record.audio, sample_rate)
        except AudioProblem:
            continue
        media[record.id].clips[other.system] = make_clip(audio, sample_rate, audio_type)


def _edits(record: UtteranceRecord) -> dict[str, list[tuple[str, str, str]]]:
    """Transcript differences of synthesis and recording, by words."""
    heard = {"synthesis": record.heard, "recording": record.recording_heard}
    return {
        name: [(edit.kind, edit.expected, edit.heard) for edit in align((record.expected or "").split(), text.split())]
        for name, text in heard.items()
        if text is not None
    }


def _script_json(value: object) -> str:
    """JSON that cannot end the script element that holds it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
