"""Stage 4 from its options: what is judged, and which files come of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from config.schema import ExperimentConfig
from models.evaluation.items import Item, items_of_folder, read_manifest
from models.evaluation.judge import Evaluation, evaluate, relative
from models.evaluation.recordings import SplitRecordings
from models.evaluation.report.comparison import compare_reports
from models.evaluation.report.html import add_other_clips, report_html
from models.evaluation.report.markdown import comparison_markdown, report_markdown, summary_table
from models.evaluation.report.report import Report, read_report, write_report_json
from models.registry import model_module
from processors.corpus import META, corpus_directory
from utils.atomic import disk_errors, make_folder, write_json, write_json_lines, write_text
from utils.errors import UserError
from utils.paths import shown

MANIFEST = "manifest.jsonl"


@dataclass(frozen=True)
class Request:
    """What the command line asks for."""

    output_dir: Path | None
    testing_set: str
    expt_dir: Path | None = None
    wavs: Path | None = None
    manifest: Path | None = None
    system: str | None = None
    systems: Sequence[str] = ()  # others to show beside it, NAME=REPORT
    limit: int | None = None
    compare: tuple[Path, Path] | None = None  # two reports; then nothing is judged

    @property
    def folder(self) -> Path:
        """Where the report goes: below the experiment unless another folder is given."""
        if self.output_dir is not None:
            return self.output_dir
        if self.expt_dir is None:
            raise UserError("give --output_dir, the folder of the report")
        return self.expt_dir / "evaluation"


def run_evaluation(config: ExperimentConfig, request: Request) -> str:
    """Judge a voice or a folder of wavs and write report.json, report.md and report.html; the summary to print.

    Raises UserError for options that do not fit, or when nothing can be judged.
    """
    others = [_other(argument) for argument in request.systems]  # before the work, which a typing error would lose
    make_folder(request.folder, "--output_dir")
    items, source = collect_items(config, request)
    name = request.system or source.get("experiment") or (request.wavs or request.manifest or request.folder).stem
    evaluation = evaluate(items, config, Report(name, source=source), request.folder)
    reports = [report for report, _ in others]
    for report, folder in others:
        rate, audio_type = config.preprocess.sample_rate, config.evaluate.report_audio
        add_other_clips(evaluation.media, report, folder, rate, audio_type)
    write_report(evaluation, config, request.folder, reports)
    lines = summary_table(evaluation.report, reports)
    lines += [f"{len(evaluation.report.failed)} failed, {len(evaluation.report.skipped)} skipped"]
    lines += [*evaluation.report.notes, f"report: {shown(request.folder / 'report.html')}"]
    return "\n".join(lines)


def collect_items(config: ExperimentConfig, request: Request) -> tuple[list[Item], dict[str, str]]:
    """The utterances to judge, and where they come from: wavs that exist, or the experiment's voice."""
    if request.wavs is None and request.manifest is None:
        if request.expt_dir is None:
            raise UserError("nothing to judge: give --expt_dir, or --wavs and --manifest, or --compare")
        speak = model_module(config.model_type, "spoken_split").speak_split
        items, source = speak(config, request.expt_dir, request.testing_set, request.folder, request.limit)
        write_manifest(items, request.folder)
        return items, source
    source = {}
    if request.wavs is not None:
        source["wavs"] = request.wavs.name
    # The corpus is a help here, not a need: it has the texts and recordings of wavs that are named by its ids.
    corpora = [corpus_directory(config.preprocess, name) / META for name in config.dataset]
    recordings = None
    if request.manifest is None or all(path.is_file() for path in corpora):
        recordings = SplitRecordings(config, request.testing_set, request.folder)
        source["split"] = request.testing_set
    if request.manifest is not None:
        source["manifest"] = request.manifest.name
        items = read_manifest(request.manifest, request.wavs, recordings or (lambda key: None))
    else:
        assert request.wavs is not None and recordings is not None
        items = items_of_folder(request.wavs, recordings.texts(), recordings)
    return items[: request.limit], source


def write_manifest(items: Sequence[Item], folder: Path) -> None:
    """A manifest of what was spoken, so that it can be judged again without the voice."""
    rows: list[dict[str, object]] = []
    for item in items:
        row: dict[str, object] = {"id": item.id, "text": item.text, "wav": relative(item.audio, folder)}
        rows.append(row if item.recording is None else {**row, "reference": relative(item.recording, folder)})
    with disk_errors(folder):
        write_json_lines(folder / MANIFEST, rows)


def write_report(evaluation: Evaluation, config: ExperimentConfig, folder: Path, others: Sequence[Report]) -> None:
    """Write report.json, report.md and report.html into `folder`."""
    write_report_json(evaluation.report, folder)
    with disk_errors(folder):
        write_text(folder / "report.md", report_markdown(evaluation.report, others))
        page = report_html(evaluation.report, evaluation.media, config.evaluate, others)
        write_text(folder / "report.html", page)


def run_comparison(config: ExperimentConfig, request: Request) -> str:
    """Compare two reports; the table to print, also written to output_dir as comparison.md and comparison.json."""
    assert request.compare is not None
    first, second = (read_report(path)[0] for path in request.compare)
    table = compare_reports(first, second, config.evaluate)
    text = comparison_markdown(table)
    folder = request.output_dir
    if folder is not None:
        make_folder(folder, "--output_dir")
        with disk_errors(folder):
            write_text(folder / "comparison.md", text)
            write_json(folder / "comparison.json", table.to_json())
    return text


def _other(argument: str) -> tuple[Report, Path]:
    """NAME=REPORT of --systems: the report under that name, and its folder."""
    name, sign, path = argument.partition("=")
    if not sign or not name or not path:
        raise UserError(f"--systems {argument}: write NAME=REPORT, for instance baseline=ckpts/tts/first/evaluation")
    report, folder = read_report(Path(path))
    return replace(report, system=name), folder
