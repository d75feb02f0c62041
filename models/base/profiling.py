"""Where a training step's time goes: a trace for Perfetto or TensorBoard, and a line for the console; and how much."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import torch

from models.base.processes import GracefulStop
from utils.atomic import disk_errors

WAIT, ACTIVE = 10, 20
# On a GPU the first steps of each shape capture graphs; by then most shapes have come.
WAIT_ON_GPU = 200
# Kernels or operators that the line names.
NAMED = 8
# Seconds after which the pace on a CPU is told, whether or not there was a step.
PATIENCE = 45.0
_UNITS = ((86_400, "days"), (3600, "hours"), (60, "minutes"), (1, "seconds"))


class StepProfiler:
    """Traces ACTIVE steps after WAIT others (more on a GPU); call `step` after each optimiser step."""

    def __init__(self, enabled: bool, expt_dir: Path, device: torch.device, tell: Callable[[str], None]) -> None:
        self.enabled, self.folder, self.device, self.tell = enabled, expt_dir / "profile", device, tell
        self._wait = WAIT_ON_GPU if device.type == "cuda" else WAIT
        self._count, self._begin = 0, 0.0
        self._profile: torch.profiler.profile | None = None

    def step(self, number: int) -> None:
        """Start, or end and report, when it is time; `number` is the step that has just ended."""
        if not self.enabled:
            return
        self._count += 1
        if self._count == self._wait:
            self._wait_for_device()
            self._profile = torch.profiler.profile()  # of whatever devices there are
            self._profile.start()
            self._begin = time.perf_counter()
        elif self._profile is not None and self._count == self._wait + ACTIVE:
            self._wait_for_device()
            seconds = (time.perf_counter() - self._begin) / ACTIVE
            self._profile.stop()
            self.folder.mkdir(parents=True, exist_ok=True)
            path = self.folder / f"trace_{number - ACTIVE + 1}_{number}.json"
            with disk_errors(self.folder):
                self._profile.export_chrome_trace(str(path))
            self.tell(f"profile: {busiest(self._profile.key_averages(), seconds, self.device.type)}; trace: {path}")
            self._profile, self.enabled = None, False

    def close(self) -> None:
        """Drop an unfinished trace, and say so when the run was too short for one."""
        if self.enabled:
            needed = self._wait + ACTIVE
            self.tell(f"profile: no trace, since the run ended after {self._count} steps: it takes {needed}")
        if self._profile is not None:
            self._profile.stop()
        self._profile, self.enabled = None, False

    def _wait_for_device(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def busiest(averages: Any, seconds: float, device_type: str) -> str:
    """One line: time of a step, how much of it the device worked, and on what most."""
    on_gpu = device_type == "cuda"
    events = [event for event in averages if (event.device_type == torch.autograd.DeviceType.CUDA) == on_gpu]
    spent = {event.key: event.self_device_time_total if on_gpu else event.self_cpu_time_total for event in events}
    total = max(sum(spent.values()), 1e-9)
    most = sorted(spent, key=lambda key: -spent[key])[:NAMED]
    named = ", ".join(f"{key[:40]} {100 * spent[key] / total:.0f} %" for key in most)
    share = min(100.0, 100 * total / 1e6 / ACTIVE / seconds)
    return f"{1000 * seconds:.1f} ms a step, {device_type} busy {share:.0f} % of it: {named}"


class Pace:
    """Says within the first minute how long a run on a CPU will take; call `step` after each optimiser step.

    Until the first step is done, when PATIENCE is over, a request to stop need not wait for it.
    """

    def __init__(
        self, device: torch.device, steps: int, advice: str, stop: GracefulStop, tell: Callable[[str], None]
    ) -> None:
        self.steps, self.advice, self.stop, self.tell = steps, advice, stop, tell
        self._enabled = device.type == "cpu"
        self._done, self._begin = 0, time.perf_counter()
        self._timer = threading.Timer(PATIENCE, self._first_step_lasts)
        self._timer.daemon = True

    def __enter__(self) -> Pace:
        if self._enabled:
            self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()

    def step(self) -> None:
        """The first step, with all that it loads and compiles, is not typical: the second one is told."""
        self._timer.cancel()
        self.stop.in_vain = False
        self._done += 1
        if self._enabled and self._done == 2:
            self._tell("about", time.perf_counter() - self._begin)
        self._begin = time.perf_counter()

    def _first_step_lasts(self) -> None:
        self.stop.in_vain = True
        self._tell("more than", PATIENCE)
        if self.stop.requested:  # before this was known
            os.kill(os.getpid(), signal.SIGINT)

    def _tell(self, word: str, seconds: float) -> None:
        run = seconds * self.steps
        size, unit = next((pair for pair in _UNITS if run >= 2 * pair[0]), _UNITS[-1])
        advice = f"; {self.advice}" if run > _UNITS[0][0] and self.advice else ""
        self.tell(f"{word} {seconds:.2g} s a step, {run / size:.0f} {unit} for the run{advice}")
