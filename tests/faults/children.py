"""The scripts of bins/ in forked children that die at a chosen moment: a fork takes milliseconds, a start seconds."""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import forkserver
from pathlib import Path
from typing import Any
from unittest.mock import patch

# Audit events of the interpreter for calls that change a folder's contents.
_CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.symlink")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# Without threads, whose locks a fork would copy.
_SURROUNDINGS = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    "JE_ARROW_MALLOC_CONF": "background_thread:false", "CUDA_VISIBLE_DEVICES": "",
}  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """How a child ended: its exit status, negative for a signal that killed it, what it said, what it did how often."""

    status: int
    output: str
    counts: dict[str, int]

    @property
    def sentence(self) -> str:
        """What a run that could not go on said at its end: one line, and no traceback."""
        assert self.status == 2 and "Traceback" not in self.output, self.output
        return next(line for line in reversed(self.output.splitlines()) if line.startswith("error: "))


class Children:
    """Starts children, one after the other."""

    def __init__(self, folder: Path) -> None:
        self.output, self.counts = folder / "output", folder / "counts"
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["tests.faults.warm"])
        with patch.dict(os.environ, _SURROUNDINGS):
            forkserver.ensure_running()

    def run(self, script: str, *flags: str, kind: str = "never", at: int = 0) -> Outcome:
        """Run bins/`script`.py in a child.

        It dies before the `at`-th "operation" on files (open for writing, fsync, rename, remove, mkdir ...) or "update"
        of an optimiser (two in a step, so that an even one lies between them), or in the write that lets a file grow
        beyond `at` "bytes".
        """
        self.counts.unlink(missing_ok=True)
        child = self._context.Process(target=_live, args=(script, flags, kind, at, self.output, self.counts))
        child.start()
        child.join(120)
        child.kill()
        child.join()
        counts = json.loads(self.counts.read_text()) if self.counts.exists() else {}
        return Outcome(child.exitcode, self.output.read_text(errors="replace"), counts)


def run_script(name: str, *flags: str) -> int:
    """bins/`name`.py in this process; its exit status."""
    sys.argv = [name, *flags]
    return importlib.import_module(f"bins.{name}").main()


def _live(script: str, flags: tuple[str, ...], kind: str, at: int, output: Path, counts: Path) -> None:
    """Life of a child; one that lives to its end tells what it did how often."""
    handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    done = _arm(kind, at)
    status = run_script(script, *flags)
    if kind == "never":
        counts.write_text(json.dumps(done))
    sys.exit(status)


def _arm(kind: str, at: int) -> dict[str, int]:
    """From here on the process counts what it does, and dies at its moment."""
    from models.base.optimization import NetworkOptimizer
    from preprocessors import features, pipeline
    from tests.preprocessors.conftest import run_here

    done = {"operation": 0, "update": 0}

    def count(what: str) -> None:
        done[what] += 1
        if (what, done[what]) == (kind, at):
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(what: str, function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arguments, **named: (count(what), function(*arguments, **named))[1]

    def audit(event: str, arguments: tuple) -> None:
        if event in _CHANGES or event == "open" and len(arguments) > 2 and (arguments[2] or 0) & _WRITING:
            count("operation")

    if kind == "bytes":
        # Python ignores this signal; by default the kernel ends the process in the middle of the write.
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (at, resource.RLIM_INFINITY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.addaudithook(audit)
    os.fsync = counted("operation", os.fsync)
    NetworkOptimizer.step = counted("update", NetworkOptimizer.step)
    # Stage 1 in this process alone, and without its pictures, which take most of the time.
    pipeline.run_jobs, features.LARGEST_GROUP = run_here, 3
    pipeline.write_plots = lambda folder, figures: folder.mkdir(exist_ok=True)
    return done
