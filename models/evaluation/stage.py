"""Stage 4 from its options: what is judged, and which files come of it.

`judge.py` applies the measures of `signal_measures.py` and `listening.py` to each utterance; `report.py` holds the
figures and their tables, which `page.py` shows and `comparison.py` compares; `assets/measures.json` defines each.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import soundfile
from pydantic import BaseModel, ValidationError

from config.schema import EXPERIMENT_CONFIG, ExperimentConfig
from models.evaluation.comparison import compare_reports, comparison_markdown
from models.evaluation.judge import evaluate
from models.evaluation.page import Media, add_other_clips, report_html
from models.evaluation.report import (
    Item,
    Report,
    file_name,
    finite,
    group_table,
    read_report,
    relative,
    report_markdown,
    summary_table,
    write_report_json,
)
from models.registry import load_config, load_experiment_config, model_module
from processors.corpus import (
    META,
    ProcessedCorpus,
    Utterance,
    corpus_directory,
    id_prefixes,
    require_features,
)
from utils.errors import UserError, one_line
from utils.files import disk_errors, make_folder, project_path, regular, shown, write_json, write_json_lines, write_text

EXAMPLES = 20  # recordings that show whose voice a speaker's is
AUDIO_TYPES = (".wav", ".flac", ".ogg", ".mp3", ".opus")


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
    given = (args.expt_dir, args.wavs, args.manifest, args.system, args.systems, args.limit)
    return run_evaluation(config, args.output_dir, args.testing_set, *given)


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

    The report goes below the experiment unless another folder is given; `systems` are others to show, NAME=REPORT.
    Raises UserError for options that do not fit, or when nothing can be judged.
    """
    examples: dict[str, list[Path]] = {}
    others = [_other(argument) for argument in systems]  # before the work, which a typing error would lose
    folder = output_dir or (expt_dir / "evaluation" if expt_dir else None)
    if folder is None:
        raise UserError("give --output_dir, the folder of the report")
    make_folder(folder, "--output_dir")
    if wavs or manifest:
        items, source, examples = given_items(config, folder, testing_set, wavs, manifest, limit)
    elif expt_dir:
        speak = model_module(config.model_type, "spoken_split").speak_split
        items, source = speak(config, expt_dir, testing_set, folder, limit)
        write_manifest(items, folder / "manifest.jsonl")
    else:
        raise UserError("nothing to judge: give --expt_dir, or --wavs and --manifest, or --compare")
    name = system or source.get("experiment") or (wavs or manifest or folder).stem
    report = Report(name, source=source)
    media = evaluate(items, config, report, folder, examples)
    for other, place in others:
        add_other_clips(media, other, place, config.preprocess.sample_rate, config.evaluate.report_audio)
    beside = [other for other, _ in others]
    write_report(report, media, config, folder, beside)
    lines = summary_table(report, beside)
    lines += ["", *group_table(report), ""] if report.groups else []
    lines += [f"{len(report.failed)} failed, {len(report.skipped)} skipped"]
    lines += [*report.notes, f"report: {shown(folder / 'report.html')}"]
    return "\n".join(lines)


def given_items(
    config: ExperimentConfig, folder: Path, split: str, wavs: Path | None, manifest: Path | None, limit: int | None
) -> tuple[list[Item], dict[str, str], dict[str, list[Path]]]:
    """Speech that exists already, in a folder of wavs or a manifest or both, and what the report says of it.

    The last are recordings of the speakers whom a manifest names, where the corpus has them.
    """
    if wavs is not None and not wavs.is_dir():
        raise UserError(f"there is no folder {shown(wavs)}")
    source = {"wavs": wavs.name} if wavs else {}
    # The corpus is a help here, not a need: it has the texts and recordings of wavs that are named by its ids.
    recordings = None
    directories = {name: corpus_directory(config.preprocess, name) for name in config.dataset}
    if manifest is None or all((directory / META).is_file() for directory in directories.values()):
        corpora = [ProcessedCorpus.open(path, config.preprocess_of(name)) for name, path in directories.items()]
        recordings = SplitRecordings(corpora, split, folder)
        source["split"] = split
    if manifest is not None:
        source["manifest"] = manifest.name
        rows = read_manifest(manifest)
    elif recordings is not None:
        rows = [ManifestRow(id=key, text=utterance.text) for key, (_, utterance) in recordings.utterances.items()]
    items = items_of(rows[:limit], wavs or (manifest or folder).parent, recordings or (lambda key: None))
    if recordings is None:
        return items, source, {}
    items = [recordings.named(item) for item in items]
    speakers = {item.speaker for item in items} if config.evaluate.speaker_similarity else set()
    return items, source, recordings.of_speakers(speakers)


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
            write_json(folder / "comparison.json", finite(asdict(table)))
    return text


def _other(argument: str) -> tuple[Report, Path]:
    """NAME=REPORT of --systems: the report under that name, and its folder."""
    name, _, path = argument.partition("=")
    if not name or not path:
        raise UserError(f"--systems {argument}: write NAME=REPORT, for instance baseline=ckpts/tts/first/evaluation")
    report, folder = read_report(Path(path))
    return replace(report, system=name), folder


class SplitRecordings:
    """Utterances of one split of opened corpora, by their ids in a table; their audio is written where asked for."""

    def __init__(self, corpora: Sequence[ProcessedCorpus], split: str, folder: Path) -> None:
        """`folder` is the report's. Raises UserError for an unknown split."""
        self.folder = folder / "recordings"
        self.utterances: dict[str, tuple[ProcessedCorpus, Utterance]] = {}
        for corpus, before in zip(corpora, id_prefixes(corpora)):
            self.utterances |= {before + utterance.id: (corpus, utterance) for utterance in corpus.split(split)}

    def __call__(self, key: str) -> Path | None:
        """The recording of an id as a FLAC file; None for an id that the split does not have."""
        if key not in self.utterances:
            return None
        corpus, utterance = self.utterances[key]
        path = self.folder / f"{file_name(key)}.flac"
        with disk_errors(path):
            self.folder.mkdir(parents=True, exist_ok=True)
            audio, _, _ = corpus.arrays(utterance.row)
            soundfile.write(path, audio, corpus.sample_rate, format="FLAC")
        return path

    def named(self, item: Item) -> Item:
        """An item with the speaker and the language of its utterance, unless it names its own."""
        if item.id not in self.utterances:
            return item
        _, utterance = self.utterances[item.id]
        return replace(item, speaker=item.speaker or utterance.speaker, language=item.language or utterance.language)

    def of_speakers(self, speakers: Collection[str]) -> dict[str, list[Path]]:
        """A few recordings of each of `speakers`, of those that have any."""
        found: dict[str, list[Path]] = {}
        for key, (_, utterance) in self.utterances.items():
            mine = found.setdefault(utterance.speaker, []) if utterance.speaker in speakers else None
            if mine is not None and len(mine) < EXAMPLES and (path := self(key)) is not None:
                mine.append(path)
        return found


def write_manifest(items: Sequence[Item], path: Path) -> None:
    """A manifest of what was spoken, so that it can be judged again without the voice."""
    rows = []
    for item in items:
        reference = None if item.recording is None else relative(item.recording, path.parent)
        about = {"speaker": item.speaker, "language": item.language}
        wav = relative(item.audio, path.parent)
        rows.append(ManifestRow(id=item.id, text=item.text, wav=wav, reference=reference, **about))
    with disk_errors(path):
        write_json_lines(path, [row.model_dump(exclude_defaults=True) for row in rows])


class ManifestRow(BaseModel, strict=True):
    """One line of a manifest; `reference` is a recording of the same text by the same speaker."""

    id: str
    text: str
    wav: str | None = None
    reference: str | None = None
    speaker: str = ""
    language: str = ""


def read_manifest(manifest: Path) -> list[ManifestRow]:
    """The lines of a JSON Lines file; UserError when it is not such a manifest, or when an id comes twice."""
    try:
        lines = regular(manifest).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"the manifest {shown(manifest)} cannot be read: {error}") from None
    rows: dict[str, ManifestRow] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{shown(manifest)}, line {number}"
        try:
            row = ManifestRow.model_validate_json(line)
        except ValidationError as error:
            problem = error.errors()[0]
            name = f"{problem['loc'][0]}: " if problem["loc"] else ""
            needed = "id and text, and optionally wav, reference, speaker and language, all strings"
            raise UserError(f"{where}: needs the keys {needed} ({name}{one_line(problem['msg'])})") from None
        if row.id in rows:
            raise UserError(f"{where}: the id {row.id} comes twice; ids must be unique")
        rows[row.id] = row
    if not rows:
        raise UserError(f"the manifest {shown(manifest)} is empty: give lines with id, text and wav")
    return list(rows.values())


def items_of(rows: Iterable[ManifestRow], folder: Path, recording_of: Callable[[str], Path | None]) -> list[Item]:
    """Items whose paths, of files that may be missing, start at `folder`, by default <folder>/<id>.wav (or .flac)."""
    items = []
    for row in rows:
        names = dict.fromkeys((row.id, file_name(row.id)))
        candidates = [folder / f"{name}{suffix}" for name in names for suffix in AUDIO_TYPES]
        candidates = candidates if row.wav is None else [folder / row.wav]
        audio = next((path for path in candidates if path.is_file()), candidates[0])
        recording = recording_of(row.id) if row.reference is None else folder / row.reference
        items.append(Item(row.id, row.text, audio, recording, speaker=row.speaker, language=row.language))
    return items
