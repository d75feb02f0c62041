"""Stage 4 from its options: what is judged, and which files come of it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from config.schema import EXPERIMENT_CONFIG, ExperimentConfig
from models.evaluation.comparison import compare_reports, comparison_markdown
from models.evaluation.items import Item, SplitRecordings, items_of, read_manifest, write_manifest
from models.evaluation.judge import evaluate
from models.evaluation.page import Media, add_other_clips, report_html
from models.evaluation.report import Report, read_report, report_markdown, summary_table, write_report_json
from models.registry import load_config, load_experiment_config, model_module
from processors.corpus import META, ProcessedCorpus, corpus_directory, require_features
from utils.errors import UserError
from utils.files import disk_errors, make_folder, project_path, shown, write_json, write_text


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
    return run_evaluation(
        config, args.output_dir, args.testing_set, expt_dir=args.expt_dir, wavs=args.wavs, manifest=args.manifest,
        system=args.system, systems=args.systems, limit=args.limit,
    )  # fmt: skip


def run_evaluation(
    config: ExperimentConfig,
    output_dir: Path | None,
    testing_set: str,
    expt_dir: Path | None = None,
    wavs: Path | None = None,
    manifest: Path | None = None,
    system: str | None = None,
    systems: Sequence[str] = (),
    limit: int | None = None,
) -> str:
    """Judge a voice or a folder of wavs and write report.json, report.md and report.html; the summary to print.

    The report is called `system` and goes below the experiment unless another folder is given; `systems` are others to
    show beside it, NAME=REPORT. Raises UserError for options that do not fit, or when nothing can be judged.
    """
    others = [_other(argument) for argument in systems]  # before the work, which a typing error would lose
    folder = output_dir or (expt_dir / "evaluation" if expt_dir else None)
    if folder is None:
        raise UserError("give --output_dir, the folder of the report")
    make_folder(folder, "--output_dir")
    if wavs or manifest:
        items, source = given_items(config, folder, testing_set, wavs, manifest, limit)
    elif expt_dir:
        speak = model_module(config.model_type, "spoken_split").speak_split
        items, source = speak(config, expt_dir, testing_set, folder, limit)
        write_manifest(items, folder / "manifest.jsonl")
    else:
        raise UserError("nothing to judge: give --expt_dir, or --wavs and --manifest, or --compare")
    name = system or source.get("experiment") or (wavs or manifest or folder).stem
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


def given_items(
    config: ExperimentConfig, folder: Path, split: str, wavs: Path | None, manifest: Path | None, limit: int | None
) -> tuple[list[Item], dict[str, str]]:
    """Speech that exists already, in a folder of wavs or a manifest or both, and what the report says of it."""
    if wavs is not None and not wavs.is_dir():
        raise UserError(f"there is no folder {shown(wavs)}")
    source = {"wavs": wavs.name} if wavs else {}
    # The corpus is a help here, not a need: it has the texts and recordings of wavs that are named by its ids.
    recordings = None
    directories = [corpus_directory(config.preprocess, name) for name in config.dataset]
    if manifest is None or all((directory / META).is_file() for directory in directories):
        corpora = [ProcessedCorpus.open(directory, config.preprocess) for directory in directories]
        recordings = SplitRecordings(corpora, split, folder)
        source["split"] = split
    if manifest is not None:
        source["manifest"] = manifest.name
        rows = read_manifest(manifest)
    elif recordings is not None:
        rows = recordings.rows()
    return items_of(rows[:limit], wavs or (manifest or folder).parent, recordings or (lambda key: None)), source


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
