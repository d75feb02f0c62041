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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from config.schema import ExperimentConfig, PreprocessConfig
from preprocessors.features import DIED, make_worker
from preprocessors.ljspeech import read_ljspeech
from preprocessors.manifest import write_corpus
from preprocessors.pool import run_jobs
from preprocessors.source import SourceRow, group_key, grouped, with_keys
from processors.corpus import REPORT, SHARDS, SKIPPED, ProcessedCorpus, corpus_directory, digest
from processors.store import is_whole, read_batch
from utils.errors import UserError
from utils.files import FileLock, disk_errors, project_path, remove_leftovers, shown

LOCK = ".lock"
# What version 1 of the format left.
_OLD_FILES = ("audio.i16", "log_f0.f32", "voiced.u8", "manifest.jsonl", "sources.jsonl", "tokens.json")
_OLD_SIBLINGS = ("work", "new", "old")


def preprocess_dataset(config: ExperimentConfig, name: str) -> Path:
    """Make the processed corpus `name` of `config`, or find it up to date; the folder it is in.

    Raises UserError for a corpus that is missing, holds nothing usable, or is being worked on by another process, and
    for a full or forbidden disk.
    """
    started = time.monotonic()
    preprocess = config.preprocess
    folder = config.dataset_path.get(name)
    if folder is None:
        raise UserError(f"dataset {name!r} has no folder: add dataset_path.{name} to the config")
    target = corpus_directory(preprocess, name)
    if target.resolve() == project_path(folder).resolve():
        where = f"the features of {name} would lie among its recordings, in {shown(target)}"
        raise UserError(f"{where}: set preprocess.processed_dir to another folder")
    rows = [replace(row, language=preprocess.language) for row in read_ljspeech(project_path(folder), name)]
    rows = with_keys(rows, preprocess)
    source = digest([[row.id, row.key, row.kind, row.reason] for row in rows])
    up_to_date = f"{name}: nothing to do, {shown(target)} is up to date (see {shown(target / REPORT)})"
    if _is_current(target, preprocess, source) and not _useless(target):
        print(up_to_date)
        return target
    with _disk_trouble(target.parent):
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
    return target


@contextmanager
def _disk_trouble(folder: Path) -> Iterator[None]:
    """Raise UserError for a disk that is full or forbidden, and for files that someone removes during the run."""
    try:
        with disk_errors(folder):
            yield
    except FileNotFoundError as error:
        raise UserError(f"{error.filename} vanished during the run: run stage 1 again") from error


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
    return [path for path in found if path.exists() and path not in corpus.files]


def _all_shards(
    groups: list[list[SourceRow]], preprocess: PreprocessConfig, folder: Path, name: str
) -> tuple[list[Path], list[Path]]:
    """The shard of each group, whole, found or made; and those that were made."""
    keys = [group_key(group) for group in groups]
    remove_leftovers(folder, alone=True)
    done = {path.stem.partition("-")[0]: path for path in sorted(folder.glob("*-*.arrow"))}
    usable = {key: path for key, path in done.items() if key in set(keys) and is_whole(path) and _nobody_died(path)}
    jobs = [group for key, group in zip(keys, groups) if key not in usable]
    fresh = []
    total, waiting = sum(map(len, groups)), sum(map(len, jobs))
    workers = min(preprocess.num_workers or _cores(), len(jobs))
    interval = 0.2 if sys.stderr.isatty() else 10
    with tqdm(
        desc=name, total=total, initial=total - waiting, unit="utt", mininterval=interval, dynamic_ncols=True
    ) as bar:
        for file, count in run_jobs(make_worker, (preprocess, folder), jobs, workers):
            usable[file.partition("-")[0]] = folder / file
            fresh.append(folder / file)
            bar.update(count)
    return [usable[key] for key in keys], fresh


def _nobody_died(path: Path) -> bool:
    """Whether no row of a shard cost a worker its life: perhaps memory was short, so those get another chance."""
    return DIED not in read_batch(path).column("kind").to_pylist()


def _cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _print_speed(target: Path, fresh: list[Path], preprocess: PreprocessConfig, seconds: float) -> None:
    frames = [read_batch(path).column("frames").to_numpy() for path in fresh]
    audio = sum(int(part.sum()) for part in frames) * preprocess.hop_size / preprocess.sample_rate
    reused = "" if audio else " (everything was reused)"
    print(f"{sum(map(len, frames))} utterances worked on in {seconds:.1f} s: {audio / seconds:.0f} x real time{reused}")
    print(f"features: {shown(target)}")
    if (target / SKIPPED).stat().st_size:
        print(f"skipped utterances, with reasons: {shown(target / SKIPPED)}")
