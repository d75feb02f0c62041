"""Stage 1: a corpus folder becomes a processed corpus: read -> features -> store.

Workers write finished shards under their final names; a new manifest and, in one step, meta.json make a corpus of them,
and then what nothing refers to any more goes. Whoever interrupts this, at any time, runs it again and loses at most the
pieces in hand; until the last step the earlier corpus is in force.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from tqdm import tqdm

from config.schema import ExperimentConfig, PreprocessConfig
from preprocessors.corpus_report import CorpusFigures, report_text, write_plots
from preprocessors.features import DIED, SourceRow, group_key, grouped, make_worker, with_keys
from preprocessors.pool import run_jobs
from preprocessors.ray_pool import run_jobs_on_ray
from preprocessors.readers.layouts import read_corpus
from preprocessors.splits import assign_splits
from processors.corpus import (
    NOTED,
    REPORT,
    SHARDS,
    SKIPPED,
    SPLIT_KEYS,
    SPLITS,
    UTTERANCE_KEYS,
    ProcessedCorpus,
    corpus_directory,
    digest,
    feature_values,
    fingerprint,
    write_meta,
)
from processors.corpus_statistics import SUMS, frame_statistics
from processors.store import FEATURES, MANIFEST, feature_batch, is_whole, read_batch, write_batch
from utils.errors import UserError
from utils.files import (
    FileLock,
    disk_errors,
    fsync_directory,
    parse_json,
    project_path,
    remove_leftovers,
    shown,
    write_json_lines,
    write_text,
)

LOCK = ".lock"
# What version 1 of the format left.
_OLD_FILES = ("audio.i16", "log_f0.f32", "voiced.u8", "manifest.jsonl", "sources.jsonl", "tokens.json")
_OLD_SIBLINGS = ("work", "new", "old")


def preprocess_dataset(config: ExperimentConfig, name: str) -> Path:
    """Make the processed corpus `name` of `config`, or find it up to date; its folder. Raises UserError."""
    started = time.monotonic()
    preprocess = config.preprocess_of(name)
    folder = config.dataset_path.get(name)
    if folder is None:
        raise UserError(f"dataset {name!r} has no folder: add dataset_path.{name} to the config")
    target = corpus_directory(preprocess, name)
    if target.resolve() == project_path(folder).resolve():
        where = f"the features of {name} would lie among its recordings, in {shown(target)}"
        raise UserError(f"{where}: set preprocess.processed_dir to another folder")
    rows = with_keys(_source_rows(config, name), preprocess)
    source = digest([_facts(row, name, preprocess.language) for row in rows])
    up_to_date = f"{name}: nothing to do, {shown(target)} is up to date (see {shown(target / REPORT)})"
    if _is_current(target, preprocess, source) and not _useless(target):
        print(up_to_date)
        return target
    try:
        with disk_errors(target.parent):
            (target / SHARDS).mkdir(parents=True, exist_ok=True)
            with FileLock(target / LOCK, f"the features of {name} are being made already"):
                if _is_current(target, preprocess, source):  # a kill struck when only the cleaning was left
                    print(up_to_date)
                else:
                    groups = grouped([row for row in rows if not row.kind])
                    shards, fresh = _all_shards(groups, preprocess, target / SHARDS, name)
                    print(write_corpus(target, name, rows, source, shards, preprocess), end="\n\n")
                    _print_speed(target, fresh, preprocess, time.monotonic() - started)
                for path in _useless(target):
                    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    except FileNotFoundError as error:
        raise UserError(f"{error.filename} vanished during the run: run stage 1 again") from error
    return target


def _source_rows(config: ExperimentConfig, name: str) -> Iterator[SourceRow]:
    """What the reader finds, with the speakers and languages that the config gives them, or the corpus."""
    corpus, language = config.corpus_config(name), config.preprocess_of(name).language
    for row in read_corpus(project_path(config.dataset_path[name]), name, corpus.dataset_format):
        speaker = (corpus.speaker or "*").strip().replace("*", row.speaker or name) or name
        yield replace(row, speaker=speaker, language=corpus.language or row.language or language)


def _facts(row: SourceRow, name: str, language: str) -> list[str]:
    """What a corpus is known by; of a speaker and a language only where they are not the corpus' own."""
    usual = row.kind or (row.speaker, row.language) == (name, language)
    return [row.id, row.key, row.kind, row.reason, *(() if usual else (row.speaker, row.language))]


def _is_current(target: Path, preprocess: PreprocessConfig, source: str) -> bool:
    """Whether `target` holds a whole corpus of this config and of what is on the disk."""
    try:
        corpus = ProcessedCorpus.open(target, preprocess)
        corpus.check()
    except UserError:
        return False
    return corpus.source == source


def _useless(target: Path) -> list[Path]:
    """What is left in a finished corpus of earlier ones, of killed processes and of the format's first version."""
    corpus = ProcessedCorpus.open(target)
    found = [*target.glob(".*.tmp"), *target.glob("*.arrow"), *(target / SHARDS).iterdir()]
    found += [target / name for name in _OLD_FILES]
    found += [target.with_name(f".{target.name}.{role}") for role in _OLD_SIBLINGS]
    kept = corpus.files
    return [path for path in found if path.exists() and path not in kept]


def _all_shards(
    groups: list[list[SourceRow]], preprocess: PreprocessConfig, folder: Path, name: str
) -> tuple[list[Path], list[Path]]:
    """The shard of each group, whole, found or made; and those that were made."""
    keys = [group_key(group) for group in groups]
    wanted = set(keys)
    remove_leftovers(folder, alone=True)
    done = {path.stem.partition("-")[0]: path for path in sorted(folder.glob("*-*.arrow"))}
    usable = {key: path for key, path in done.items() if key in wanted and is_whole(path)}
    # Where a worker died, perhaps memory was short: those get another chance.
    usable = {k: path for k, path in usable.items() if DIED not in read_batch(path).column("kind").to_pylist()}
    jobs = [group for key, group in zip(keys, groups) if key not in usable]
    fresh = []
    total, waiting = sum(map(len, groups)), sum(map(len, jobs))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # Ray counts the cores of all its machines by itself.
    on_ray = preprocess.engine == "ray"
    run, workers = (run_jobs_on_ray, preprocess.num_workers) if on_ray else (run_jobs, preprocess.num_workers or cores)
    interval = 0.2 if sys.stderr.isatty() else 10
    bar = tqdm(desc=name, total=total, initial=total - waiting, unit="utt", mininterval=interval, dynamic_ncols=True)
    with bar:
        for file, count in run(make_worker, (preprocess, folder), jobs, workers):
            usable[file.partition("-")[0]] = folder / file
            fresh.append(folder / file)
            bar.update(count)
    return [usable[key] for key in keys], fresh


def _print_speed(target: Path, fresh: list[Path], preprocess: PreprocessConfig, seconds: float) -> None:
    frames = [read_batch(path).column("frames").to_numpy() for path in fresh]
    audio = sum(int(part.sum()) for part in frames) * preprocess.hop_size / preprocess.sample_rate
    reused = "" if audio else " (everything was reused)"
    print(f"{sum(map(len, frames))} utterances worked on in {seconds:.1f} s: {audio / seconds:.0f} x real time{reused}")
    print(f"features: {shown(target)}")
    if (target / SKIPPED).stat().st_size:
        print(f"skipped utterances, with reasons: {shown(target / SKIPPED)}")


def write_corpus(
    target: Path, name: str, rows: list[SourceRow], source: str, shards: list[Path], preprocess: PreprocessConfig
) -> str:
    """Make a corpus in `target` of `shards`, which hold the good `rows` in order; the report's text, or UserError.

    The same utterances and config give the same bytes, however many processes and interruptions there were.
    """
    table = _table([row for row in rows if not row.kind], shards)
    problems = zip(*(table.column(key).to_pylist() for key in ("id", "kind", "reason")))
    skipped = [(row.id, row.kind, row.reason) for row in rows if row.kind] + [row for row in problems if row[1]]
    table = table.filter(pa.compute.equal(table.column("kind"), ""))
    sizes = (preprocess.valid_size, preprocess.test_size, preprocess.max_held_out_fraction, preprocess.split_seed)
    speakers = table.column("speaker").to_pylist()
    splits = assign_splits(table.column("normalised").to_pylist(), *sizes, speakers=speakers)
    if "train" not in splits:
        raise UserError(_nothing_left(name, skipped))
    table = table.append_column("split", pa.array(splits).dictionary_encode())
    manifest = _manifest(table, name)
    remarkable = table.filter(pa.compute.greater(pa.compute.list_value_length(table.column("notes")), 0))
    pairs = zip(remarkable.column("id").to_pylist(), remarkable.column("notes").to_pylist())
    noted = [
        (key, kind, details) for key, notes in pairs for kind, _, details in (note.partition(": ") for note in notes)
    ]
    tables = {(read_batch(path).schema.metadata or {})[b"tokens"] for path in shards}
    if len(tables) > 1:
        advice = f"delete {target}, and run stage 1 again"
        raise UserError(f"features made earlier have other tokens than this version of the program: {advice}")
    train = np.flatnonzero(np.array(splits) == "train")
    phones = pa.compute.list_flatten(manifest.column("phones").take(train)).to_numpy()
    statistics = frame_statistics({key: manifest.column(key).to_numpy() for key in SUMS}, train)
    tokens = parse_json(tables.pop())
    figures = CorpusFigures(name, preprocess, manifest, tokens, shards, skipped, noted, statistics)
    text = report_text(figures)
    write_text(target / REPORT, text + "\n")
    for file, listed in ((SKIPPED, skipped), (NOTED, noted)):
        write_json_lines(target / file, [dict(zip(("id", "kind", "reason"), row)) for row in listed])
    write_plots(target / "plots", figures)
    meta = {
        "fingerprint": fingerprint(preprocess),
        "source": source,
        "dataset": name,
        "sample_rate": preprocess.sample_rate,
        "hop_size": preprocess.hop_size,
        "manifest": write_batch(target, "utterances", manifest).name,
        "tokens": tokens,
        "statistics": statistics,
        "token_counts": np.bincount(phones, minlength=len(tokens)).tolist(),
        "utterances": {split: splits.count(split) for split in SPLITS},
        "preprocess": feature_values(preprocess, UTTERANCE_KEYS + SPLIT_KEYS),
    }
    if release := _espeak(preprocess, {row.language for row in rows if not row.kind}):
        meta["espeak"] = release
    for folder in (target / SHARDS, target):
        fsync_directory(folder)
    write_meta(target, meta)
    fsync_directory(target)
    return text


def _table(rows: list[SourceRow], shards: list[Path]) -> pa.Table:
    """A row for each of `rows`: what the shards say of it and where it lies there, and what the corpus says of it."""
    parts = [FEATURES.append(pa.field("first_frame", pa.int32())).empty_table()]
    for path in shards:
        batch = feature_batch(path)
        frames = batch.column("frames").to_numpy()
        part = pa.Table.from_batches([batch])
        parts.append(part.append_column("first_frame", pa.array(np.cumsum(frames) - frames, pa.int32())))
    table = pa.concat_tables(parts).combine_chunks()
    names = pa.array([path.name for path in shards], pa.string())
    which = np.repeat(np.arange(len(shards), dtype=np.int32), [len(part) for part in parts[1:]])
    table = table.append_column("shard", pa.DictionaryArray.from_arrays(pa.array(which, pa.int32()), names))
    table = table.append_column("text", pa.array([row.text for row in rows], pa.string()))
    for name in ("speaker", "language"):
        values = pa.array([getattr(row, name) for row in rows], pa.string())
        table = table.append_column(name, values.dictionary_encode())
    return table


def _manifest(table: pa.Table, name: str) -> pa.RecordBatch:
    """Its columns of the manifest; UserError where they are too large, since Arrow counts a text's bytes in 31 bits."""
    manifest, *rest = table.select(MANIFEST.names).combine_chunks().to_batches()
    if rest:
        advice = "divide it into several, each with a name in dataset"
        raise UserError(f"corpus {name!r} is too large for one folder: {advice}")
    return manifest


def _espeak(preprocess: PreprocessConfig, languages: set[str]) -> str:
    """Release of espeak-ng that read some of a corpus' languages, if any."""
    from processors.text.frontend import espeak_release  # slow: dictionaries

    return max((espeak_release(preprocess.for_language(language)) for language in languages if language), default="")


def _nothing_left(name: str, skipped: list[tuple[str, str, str]]) -> str:
    counts = Counter(kind for _, kind, _ in skipped)
    if not counts:
        advice = f"fill its folder, or correct corpora.{name}.dataset_format"
        return f"corpus {name!r} has no utterances to train on: {advice}"
    kinds = ", ".join(f"{kind} {count}" for kind, count in counts.most_common())
    first, _, reason = skipped[0]
    return f"corpus {name!r} has no usable utterance (skipped: {kinds}; for instance {first}: {reason})"
