"""CARD.md of a packed voice: where it comes from, what may be done with it, and how good it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from utils.config.paths import PROJECT_ROOT
from utils.config.schema import ExperimentConfig
from utils.report.markdown import cell, summary_table
from utils.report.report import Report


@dataclass(frozen=True)
class VoiceFacts:
    """What only the person who trained a voice knows."""

    title: str
    corpus: str
    licence: str
    training: str
    date: str


def voice_card(
    facts: VoiceFacts,
    config: ExperimentConfig,
    steps: int,
    averaged: bool,
    stored: str,
    weights: int,
    reports: Sequence[Report],
    out: Path,
) -> str:
    """The card in Markdown; `weights` is their number, `stored` how they are stored, `out` the voice's folder."""
    preprocess, train = config.preprocess, config.train
    generator = getattr(config.model, "generator", None)
    batch = f"batches of {train.batch_size}"
    if train.max_batch_frames is not None:
        batch += f" (at most {train.max_batch_frames} frames)"
    rows = {
        "corpus": facts.corpus,
        "licence": facts.licence,
        "language": f"{preprocess.language}, tokens by phone_extractor {preprocess.phone_extractor}",
        "model": f"{config.model_type}{f', generator {generator}' if generator else ''}, {weights / 1e6:.1f} M weights",
        "audio": f"{preprocess.sample_rate:,} Hz, mono",
        "stored": f"{stored}, without discriminators and optimisers",
        "training": facts.training,
        "steps": f"{steps:,}{', averaged weights' if averaged else ''}",
        "settings": f"{batch}, learning rate {train.learning_rate:g}; all of them in config.json",
        "date": facts.date,
    }
    lines = [f"# {cell(facts.title)}, a voice", "", "| | |", "| --- | --- |"]
    lines += [f"| {key} | {cell(value)} |" for key, value in rows.items() if value]
    lines += ["", "## Measures", ""]
    if not reports:
        lines += ["None yet: stage 4 measures a voice, and `bins/pack.py --report` puts its figures here."]
    for report in reports:
        lines += [*measures(report), ""]
    if reports:
        lines += ["egs/tts/Jets/EVALUATION.md says what each figure is."]
    folder = out.absolute()
    place = folder.relative_to(PROJECT_ROOT) if folder.is_relative_to(PROJECT_ROOT) else Path(folder.name)
    lines += [
        "",
        "## Use",
        "",
        "```sh",
        f'sh egs/tts/Jets/run.sh --stage 3 --infer_expt_dir {place} --infer_output_dir speech --infer_text "Hello."',
        f"sh egs/tts/Jets/run.sh --stage 1-2 --config {place}/config.json --finetune_from {place} --name mine \\",
        "    --set 'dataset=[\"mine\"]' --set dataset_path.mine=corpora/mine --set train.max_epoch=5",
        "```",
        "",
    ]
    return "\n".join(lines)


def measures(report: Report) -> list[str]:
    """A report's summary: what was judged, the table, and what the figures were measured with."""
    source = ", ".join(f"{key} {value}" for key, value in report.source.items() if key != "experiment")
    judged = f"{len(report.utterances)} utterances, {len(report.failed)} failed, {len(report.skipped)} skipped"
    settings = ", ".join(f"{key} {value}" for key, value in report.settings.items())
    return [
        f"{cell(report.system)}: {judged}{f' ({cell(source)})' if source else ''}.",
        "",
        *summary_table(report, ()),
        "",
        f"Measured with: {cell(settings)}. Intervals: bootstrap over utterances.",
    ]
