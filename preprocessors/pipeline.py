"""Stage 1: a corpus folder becomes a manifest and packed arrays.

Finished pieces wait in `<processed_dir>/.<name>.work` until all are there; then the new folder is built beside the old
one and takes its place. Whoever interrupts this, at any time, runs it again and loses at most the pieces in hand.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from config.schema import ExperimentConfig, PreprocessConfig
from preprocessors.packing import finish_swap, pack, sibling, swap
from preprocessors.pool import Died, run_jobs
from preprocessors.source import CorpusSource, read_source
from preprocessors.store import DIED, Record, Store, WorkItem
from preprocessors.worker import make_worker
from processors.corpus import SKIPPED, ProcessedCorpus, corpus_directory, read_meta
from utils.atomic import disk_errors
from utils.errors import UserError
from utils.lock import FileLock
from utils.paths import project_path, shown

# Few enough that little is lost by an interruption, many enough that they share the search for F0.
UTTERANCES_IN_A_JOB = 24


def preprocess_dataset(config: ExperimentConfig, name: str) -> Path:
    """Make the processed corpus `name` of `config`, or find it up to date; the folder it is in.

    Raises UserError for a corpus that is missing, holds nothing usable, or is being worked on by another process, and
    for a full or forbidden disk. Nothing of the earlier corpus is touched until the new one is complete.
    """
    started = time.monotonic()
    preprocess = config.preprocess
    if name not in config.dataset_path:
        raise UserError(f"dataset {name!r} has no folder: add dataset_path.{name} to the config")
    source = read_source(project_path(config.dataset_path[name]), name, preprocess)
    target = corpus_directory(preprocess, name)
    up_to_date = f"{name}: nothing to do, {shown(target)} is up to date (see {shown(target / 'report.txt')})"
    work = sibling(target, "work")
    if not work.exists() and _up_to_date(target, preprocess, source):
        print(up_to_date)
        return target

    with _disk_trouble(target.parent):
        work.mkdir(parents=True, exist_ok=True)
        with FileLock(work / "lock", f"the features of {name} are being made already"):
            finish_swap(target)
            # A kill may have struck when only the work folder was left to remove.
            if _up_to_date(target, preprocess, source):
                shutil.rmtree(work, ignore_errors=True)
                print(up_to_date)
                return target
            store = Store(work)
            wanted = {item.key for item in source.items}
            store.read_corpus(target, wanted)
            store.read_shards(wanted)
            pending = [item for item in source.items if item.key not in store]
            _process(pending, len(source.items), store, preprocess, work, name)
            report = pack(target, source, store, preprocess)
            swap(target)
            shutil.rmtree(work, ignore_errors=True)
    print(report, end="\n\n")
    _print_speed(target, pending, store, time.monotonic() - started)
    return target


@contextmanager
def _disk_trouble(folder: Path) -> Iterator[None]:
    """Raise UserError for a disk that is full or forbidden, and for files that someone removes during the run."""
    try:
        with disk_errors(folder):
            yield
    except FileNotFoundError as error:
        raise UserError(f"{error.filename} vanished during the run: run stage 1 again") from error


def _up_to_date(target: Path, preprocess: PreprocessConfig, source: CorpusSource) -> bool:
    try:
        ProcessedCorpus.open(target, preprocess)
        return read_meta(target).get("source") == source.digest
    except UserError:
        return False


def _process(
    pending: list[WorkItem], total: int, store: Store, preprocess: PreprocessConfig, work: Path, name: str
) -> None:
    """Work on what is not in the store yet, and put it there."""
    workers = min(preprocess.num_workers or _cores(), len(pending))
    size = max(1, min(UTTERANCES_IN_A_JOB, -(-len(pending) // (4 * max(workers, 1)))))
    jobs = [pending[start : start + size] for start in range(0, len(pending), size)]
    wanted = {item.key for item in pending}
    interval = 0.2 if sys.stderr.isatty() else 10
    with tqdm(
        desc=name, total=total, initial=total - len(pending), unit="utt", mininterval=interval, dynamic_ncols=True
    ) as bar:
        for result in run_jobs(make_worker, (preprocess, work), jobs, workers):
            if isinstance(result, Died):
                reason = f"a worker process died on it (exit code {result.exit_code})"
                store.add(Record(result.item.key, result.item.id, DIED, reason))
                bar.update(1)
            else:
                path, count = result
                store.read_shard(Path(path), wanted)
                bar.update(count)


def _cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _print_speed(target: Path, pending: list[WorkItem], store: Store, seconds: float) -> None:
    rate = read_meta(target)["sample_rate"]
    audio = sum(store[item.key].length for item in pending) / rate
    reused = "" if audio else " (everything was reused)"
    print(f"{len(pending)} utterances worked on in {seconds:.1f} s: {audio / seconds:.0f} x real time{reused}")
    print(f"features: {shown(target)}")
    if (target / SKIPPED).stat().st_size:
        print(f"skipped utterances, with reasons: {shown(target / SKIPPED)}")
