"""Stage 4 from its options: what is judged, and which files come of it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from config.schema import EXPERIMENT_CONFIG, ExperimentConfig
from models.evaluation.comparison import compare_reports
from models.evaluation.items import Item, SplitRecordings, items_of, read_manifest, write_manifest
from models.evaluation.judge import evaluate
from models.evaluation.markdown import comparison_markdown, report_markdown, summary_table
from models.evaluation.page import Media, add_other_clips, report_html
from models.evaluation.report import Report, read_report, write_report_json
from models.registry import load_config, load_experiment_config, model_module
from processors.corpus import META, corpus_directory, require_features
from utils.atomic import disk_errors, make_folder, write_json, write_text
from utils.errors import UserError
from utils.paths import project_path, shown


@dataclass(frozen=True)
class Request:
    """What to judge, as the command line asks for it."""

    output_dir: Path | None
    testing_set: str
    expt_dir: Path | None = None
    wavs: Path | None = None
    manifest: Path | None = None
    system: str | None = None
    systems: Sequence[str] = ()  # others to show beside it, NAME=REPORT
    limit: int | None = None

    @property
    def folder(self) -> Path:
        """Where the report goes: below the experiment unless another folder is given."""
        if self.output_dir is not None:
            return self.output_dir
        if self.expt_dir is None:
            raise UserError("give --output_dir, the folder of the report")
        return self.expt_dir / "evaluation"


def run(args: argparse.Namespace) -> str:
    """What bins/evaluate.py is asked for; the text to print. UserError for a corpus without features."""
    if args.config is None and args.expt_dir is not None:
        config = load_experiment_config(args.expt_dir, args.overrides)
    else:
        config = load_config(args.config or project_path("config/jets.json"), args.overrides)
    if args.compare:
        return run_comparison(config, args.compare, args.output_dir)
    corpora = [args.dataset] if args.dataset else config.dataset
    if args.expt_dir is not None and not (args.wavs or args.manifest):
        require_features(config, corpora, Path(args.config or args.expt_dir / EXPERIMENT_CONFIG))
    config = config.model_copy(update={"dataset": corpora})
    return run_evaluation(config, Request(**{name: getattr(args, name) for name in Request.__dataclass_fields__}))


def run_evaluation(config: ExperimentConfig, request: Request) -> str:
    """Judge a voice or a folder of wavs and write report.json, report.md and report.html; the summary to print.

    Raises UserError for options that do not fit, or when nothing can be judged.
    """
    others = [_other(argument) for argument in request.systems]  # before the work, which a typing error would lose
    folder = request.folder
    make_folder(folder, "--output_dir")
    items, source = collect_items(config, request)
    name = request.system or source.get("experiment") or (request.wavs or request.manifest or folder).stem
    report = Report(name, source=source)
    media = evaluate(items, config, report, folder)
    for other, place in others:
        add_other_clips(media, other, place, config.preprocess.sample_rate, config.evaluate.report_audio)
    beside = [other for other, _ in others]
    write_report(report, media, config, folder, beside)
    lines = summary_table(report, beside)
    lines += [f"{len(report.failed)} failed, {len(report.skipped)} skipped"]
    lines += [*report.notes, f"report: {shown(folder / 'report.html')}"]
    return "\n".join(lines)


def collect_items(config: ExperimentConfig, request: Request) -> tuple[list[Item], dict[str, str]]:
    """The utterances to judge, and where they come from: wavs that exist, or the experiment's voice."""
    if request.wavs is None and request.manifest is None:
        if request.expt_dir is None:
            raise UserError("nothing to judge: give --expt_dir, or --wavs and --manifest, or --compare")
        speak = model_module(config.model_type, "spoken_split").speak_split
        items, source = speak(config, request.expt_dir, request.testing_set, request.folder, request.limit)
        write_manifest(items, request.folder / "manifest.jsonl")
        return items, source
    source = {} if request.wavs is None else {"wavs": request.wavs.name}
    if request.wavs is not None and not request.wavs.is_dir():
        raise UserError(f"there is no folder {shown(request.wavs)}")
    # The corpus is a help here, not a need: it has the texts and recordings of wavs that are named by its ids.
    corpora = [corpus_directory(config.preprocess, name) / META for name in config.dataset]
    recordings = None
    if request.manifest is None or all(path.is_file() for path in corpora):
        recordings = SplitRecordings(config, request.testing_set, request.folder)
        source["split"] = request.testing_set
    if request.manifest is not None:
        source["manifest"] = request.manifest.name
        rows = read_manifest(request.manifest)
    elif recordings is not None:
        rows = recordings.rows()
    place = request.wavs or (request.manifest or request.folder).parent
    return items_of(rows[: request.limit], place, recordings or (lambda key: None)), source


def write_report(
    report: Report, media: Mapping[str, Media], config: ExperimentConfig, folder: Path, others: Sequence[Report]
) -> None:
    """Write report.json, report.md and report.html into `folder`."""
    write_report_json(report, folder)
    with disk_errors(folder):
        write_text(folder / "report.md", report_markdown(report, others))
        write_text(folder / "report.html", report_html(report, media, config.evaluate, others))


def run_comparison(config: ExperimentConfig, reports: Sequence[Path], folder: Path | None) -> str:
    """Compare two reports; the table to print, with a folder also written as comparison.md and comparison.json."""
    first, second = (read_report(path)[0] for path in reports)
    table = compare_reports(first, second, config.evaluate)
    text = comparison_markdown(table)
    if folder is not None:
        make_folder(folder, "--output_dir")
        with disk_errors(folder):
            write_text(folder / "comparison.md", text)
            write_json(folder / "comparison.json", table.to_json())
    return text


def _other(argument: str) -> tuple[Report, Path]:
    """NAME=REPORT of --systems: the report under that name, and its folder."""
    name, _, path = argument.partition("=")
    if not name or not path:
        raise UserError(f"--systems {argument}: write NAME=REPORT, for instance baseline=ckpts/tts/first/evaluation")
    report, folder = read_report(Path(path))
    return replace(report, system=name), folder
