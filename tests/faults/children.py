"""The scripts of bins/ in forked children that die at a chosen moment.

Starting Python and importing torch takes seconds, a fork of a process that has done so takes milliseconds: that pays
for hundreds of kills.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import forkserver
from pathlib import Path
from typing import Any
from unittest.mock import patch

# Audit events of the interpreter for calls that change a folder's contents.
_CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.symlink")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_TIMEOUT = 120.0
# Without threads, whose locks a fork would copy.
_SURROUNDINGS = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    "JE_ARROW_MALLOC_CONF": "background_thread:false", "CUDA_VISIBLE_DEVICES": "",
}  # fmt: skip


@dataclass(frozen=True)
class Moment:
    """When a child dies.

    kind "operation": before the `at`-th file operation (open for writing, fsync, rename, remove, mkdir ...);
    "bytes": while a file grows beyond `at` bytes, so that its last write is cut short; "update": before the `at`-th
    optimiser update (there are two in a step, so an even one lies between them); "seconds": `at` seconds after its
    start, from outside; "never".
    """

    kind: str = "never"
    at: float = 0


@dataclass(frozen=True)
class Outcome:
    """How a child ended: its exit status, negative for a signal that killed it, what it said, what it did how often."""

    status: int
    output: str
    seconds: float
    counts: dict[str, int]

    @property
    def killed(self) -> bool:
        """Whether its moment came."""
        return self.status < 0

    @property
    def sentence(self) -> str:
        """What a run that could not go on said at its end: one line, and no traceback."""
        assert self.status == 2 and "Traceback" not in self.output, self.output
        return next(line for line in reversed(self.output.splitlines()) if line.startswith("error: "))


class Children:
    """Starts children, one after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["tests.faults.warm"])
        with patch.dict(os.environ, _SURROUNDINGS):
            forkserver.ensure_running()

    def run(self, script: str, *flags: str, moment: Moment = Moment()) -> Outcome:  # noqa: B008  (frozen)
        """Run bins/`script`.py in a child that dies at `moment`."""
        output, counts = self.folder / "output", self.folder / "counts"
        counts.unlink(missing_ok=True)
        child = self._context.Process(target=_live, args=(script, flags, moment, output, counts))
        child.start()
        began = time.monotonic()
        child.join(moment.at if moment.kind == "seconds" else _TIMEOUT)
        child.kill()
        child.join()
        seconds, done = time.monotonic() - began, json.loads(counts.read_text()) if counts.exists() else {}
        return Outcome(child.exitcode, output.read_text(errors="replace"), seconds, done)


def run_script(name: str, *flags: str) -> int:
    """bins/`name`.py in this process; its exit status."""
    sys.argv = [name, *flags]
    return importlib.import_module(f"bins.{name}").main()


def _live(script: str, flags: tuple[str, ...], moment: Moment, output: Path, counts: Path) -> None:
    """Life of a child; one that lives to its end tells what it did how often."""
    handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    done = _arm(moment)
    status = run_script(script, *flags)
    if moment.kind == "never":
        counts.write_text(json.dumps(done))
    sys.exit(status)


def _arm(moment: Moment) -> dict[str, int]:
    """From here on the process counts what it does, and dies at its moment."""
    from models.base.optimization import NetworkOptimizer
    from preprocessors import features, pipeline

    done = {"operation": 0, "update": 0}

    def count(kind: str) -> None:
        done[kind] += 1
        if (kind, done[kind]) == (moment.kind, moment.at):
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(kind: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*arguments: Any, **named: Any) -> Any:
            count(kind)
            return function(*arguments, **named)

        return wrapper

    def audit(event: str, arguments: tuple) -> None:
        if event in _CHANGES or event == "open" and len(arguments) > 2 and (arguments[2] or 0) & _WRITING:
            count("operation")

    def run_here(make: Callable[..., Any], arguments: tuple, jobs: list, workers: int) -> Iterator[Any]:
        work = make(*arguments) if jobs else None
        for job in jobs:
            yield work(job, {})

    if moment.kind == "bytes":
        # Python ignores this signal; by default the kernel ends the process in the middle of the write.
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(moment.at), resource.RLIM_INFINITY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.addaudithook(audit)
    os.fsync = counted("operation", os.fsync)
    NetworkOptimizer.step = counted("update", NetworkOptimizer.step)
    # Stage 1 in this process alone, and without its pictures, which take most of the time.
    pipeline.run_jobs, features.LARGEST_GROUP = run_here, 3
    pipeline.write_plots = lambda folder, figures: folder.mkdir(exist_ok=True)
    return done
