"""Moments at which a process dies: set up inside a forked child, before its work begins."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

# Audit events of the interpreter for calls that change a folder's contents.
_CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.symlink")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


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

    def to_json(self) -> dict[str, Any]:
        """For the way to the server."""
        return asdict(self)


class Counter:
    """Counts what a child does, and kills it at its moment."""

    def __init__(self, moment: Moment) -> None:
        self.moment = moment
        self.counts = {"operation": 0, "update": 0}

    def arm(self) -> None:
        """From here on the process counts, and dies at its moment."""
        if self.moment.kind == "bytes":
            # Python ignores this signal; by default the kernel ends the process in the middle of the write.
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(self.moment.at), resource.RLIM_INFINITY))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        sys.addaudithook(self._audit)
        fsync = os.fsync

        def counted(handle: int) -> None:
            self._count("operation")
            fsync(handle)

        os.fsync = counted
        self._count_updates()

    def write(self, path: Path) -> None:
        """Leave the counts of a child that lived."""
        path.write_text(json.dumps(self.counts))

    def _audit(self, event: str, arguments: tuple) -> None:
        if event in _CHANGES or event == "open" and len(arguments) > 2 and (arguments[2] or 0) & _WRITING:
            self._count("operation")

    def _count(self, kind: str) -> None:
        self.counts[kind] += 1
        if self.moment.kind == kind and self.counts[kind] == self.moment.at:
            os.kill(os.getpid(), signal.SIGKILL)

    def _count_updates(self) -> None:
        from models.base.optimization import NetworkOptimizer

        step = NetworkOptimizer.step

        def counted(*arguments: Any, **named: Any) -> None:
            self._count("update")
            step(*arguments, **named)

        NetworkOptimizer.step = counted


def moment_from(row: Mapping[str, Any]) -> Moment:
    """The inverse of `Moment.to_json`."""
    return Moment(str(row["kind"]), float(row["at"]))
