"""What a run tells, from its main process: progress bar, train.log, TensorBoard, its pace, where a step's time goes."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from models.base.processes import GracefulStop
from utils.files import disk_errors

LOG_FILE, TENSORBOARD = "train.log", "tensorboard"
# Seconds between two lines about progress where there is no terminal, and so no bar.
QUIET_INTERVAL = 60.0
# Seconds that a run waits at most for its clock to pass that of the run before, perhaps on another machine.
CLOCK_PATIENCE = 5.0
# Steps before the profiler's trace and in it.
WAIT, ACTIVE = 10, 20
# On a GPU the first steps of each shape capture graphs; by then most shapes have come.
WAIT_ON_GPU = 200
# Kernels or operators that the line names.
NAMED = 8
# Seconds after which the pace on a CPU is told, whether or not there was a step.
PATIENCE = 30.0
_UNITS = ((86_400, "days"), (3600, "hours"), (60, "minutes"), (1, "seconds"))

_logger, _OTHERS = logging.getLogger("train"), ("models", "utils", "processors")


class _BarHandler(logging.Handler):
    """Console messages that do not tear the progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        tqdm.write(self.format(record), file=sys.stderr)


class _LogFile(logging.FileHandler):
    """train.log; an error in writing it stops the run instead of filling the console."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  logging's name
        raise


class RunLog:
    """Opened once per run; on processes other than the main one every method does nothing."""

    def __init__(self, expt_dir: Path, is_main: bool, first_step: int, total_steps: int) -> None:
        """`first_step` is the step the run continues from: what TensorBoard has beyond it is hidden."""
        self.is_main = is_main
        if not is_main:
            return
        from torch.utils.tensorboard import SummaryWriter  # takes seconds to load, and only here

        with disk_errors(expt_dir):
            expt_dir.mkdir(parents=True, exist_ok=True)
            self._file = _LogFile(expt_dir / LOG_FILE, encoding="utf-8")
            _wait_for_a_later_second(expt_dir / TENSORBOARD)
            # From step 0, too: a run that died before its first checkpoint has left curves.
            self.writer = SummaryWriter(str(expt_dir / TENSORBOARD), purge_step=first_step + 1, flush_secs=20)
        self._file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        self._console = _BarHandler(logging.INFO)
        self._console.setFormatter(logging.Formatter("%(message)s"))
        _logger.handlers[:] = [self._file, self._console]
        _logger.setLevel(logging.INFO)
        _logger.propagate = False
        # Warnings of other parts (checkpoints, config) go the same way.
        for name in _OTHERS:
            logging.getLogger(name).handlers[:] = [self._file, self._console]
        self.bar = tqdm(
            total=total_steps, initial=first_step, desc="training", unit="step", dynamic_ncols=True, mininterval=0.5,
            miniters=1, file=sys.stderr, disable=None,
        )  # fmt: skip
        self._told = 0.0

    def info(self, message: str) -> None:
        """One line on the console and in train.log."""
        if self.is_main:
            _logger.info(message)

    def warning(self, message: str) -> None:
        """The same, marked in train.log."""
        if self.is_main:
            _logger.warning(message)

    def quiet(self, message: str) -> None:
        """One line in train.log only."""
        if self.is_main:
            record = _logger.makeRecord(_logger.name, logging.INFO, "", 0, message, (), None)
            self._file.emit(record)

    def progress(self, step: int, shown: Mapping[str, str], speed: str) -> None:
        """Move the bar to `step` and show losses beside it; a line in train.log, now and then where there is no bar."""
        if not self.is_main:
            return
        self.bar.set_postfix(shown, refresh=False)
        self.bar.update(step - self.bar.n)
        line = f"step {step}/{self.bar.total} {' '.join(map(' '.join, shown.items()))} ({speed})"
        due = self.bar.disable and time.monotonic() - self._told >= QUIET_INTERVAL
        (self.info if due else self.quiet)(line)
        self._told = time.monotonic() if due else self._told

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Points of TensorBoard curves; values that are not finite are left out."""
        if self.is_main:
            for name, value in values.items():
                if np.isfinite(value):
                    self.writer.add_scalar(name, value, step)

    def image(self, name: str, pixels: np.ndarray, step: int) -> None:
        """A picture (height, width, 3) uint8."""
        if self.is_main:
            self.writer.add_image(name, pixels, step, dataformats="HWC")

    def audio(self, name: str, samples: np.ndarray, step: int, sample_rate: int) -> None:
        """A sound (N,) in [-1, 1]."""
        if self.is_main:
            self.writer.add_audio(name, samples[None].clip(-1.0, 1.0), step, sample_rate)

    def flush(self) -> None:
        """What was told so far is on disk afterwards."""
        if self.is_main:
            self.writer.flush()

    def close(self) -> None:
        """End bar and files; a disk error at this point has been reported already or concerns the log alone."""
        if not self.is_main:
            return
        self.bar.close()
        try:
            self.writer.close()
        except OSError as error:
            print(f"warning: the TensorBoard log could not be finished: {error}", file=sys.stderr)
        for name in (_logger.name, *_OTHERS):
            logging.getLogger(name).handlers[:] = []
        self._file.close()


class Window:
    """The steps between two reports: their speed and the memory they took, validations and checkpoints aside."""

    def __init__(self, step: int, waited: float, device: torch.device) -> None:
        """`waited` is how long training has waited for data so far, in seconds."""
        self.step, self.waited, self.device = step, waited, device
        self._begin = time.perf_counter()
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Time inside the block does not count."""
        begin = time.perf_counter()
        yield
        self._begin += time.perf_counter() - begin

    def speeds(self, step: int, waited: float) -> dict[str, float]:
        """Values for TensorBoard after `step` steps and `waited` seconds."""
        elapsed = max(time.perf_counter() - self._begin, 1e-9)
        values = {
            "speed/steps_per_second": (step - self.step) / elapsed,
            "speed/data_wait": (waited - self.waited) / elapsed,
        }
        if self.device.type == "cuda":
            values["memory/peak_reserved_gib"] = torch.cuda.max_memory_reserved(self.device) / 2**30
            values["memory/peak_allocated_gib"] = torch.cuda.max_memory_allocated(self.device) / 2**30
        return values


def _wait_for_a_later_second(folder: Path) -> None:
    """TensorBoard reads event files by the second in their names, and hides what a later file repeats: be the last."""
    seconds = [path.name.split(".")[3] for path in folder.glob("events.out.tfevents.*")]
    newest = max((int(second) for second in seconds if second.isdigit()), default=0)
    time.sleep(max(0.0, min(newest + 1 - time.time(), CLOCK_PATIENCE)))


class StepProfiler:
    """Traces ACTIVE steps after WAIT others (more on a GPU); call `step` after each optimiser step."""

    def __init__(self, enabled: bool, expt_dir: Path, device: torch.device, tell: Callable[[str], None]) -> None:
        self.enabled, self.folder, self.device, self.tell = enabled, expt_dir / "profile", device, tell
        self._wait = WAIT_ON_GPU if device.type == "cuda" else WAIT
        self._count, self._begin = 0, 0.0
        self._profile = torch.profiler.profile()  # of whatever devices there are

    def step(self, number: int) -> None:
        """Start, or end and report, when it is time; `number` is the step that has just ended."""
        self._count += 1
        if not self.enabled or self._count not in (self._wait, self._wait + ACTIVE):
            return
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        if self._count == self._wait:
            self._profile.start()
            self._begin = time.perf_counter()
            return
        seconds = (time.perf_counter() - self._begin) / ACTIVE
        self._profile.stop()
        self.enabled = False
        path = self.folder / f"trace_{number - ACTIVE + 1}_{number}.json"
        with disk_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._profile.export_chrome_trace(str(path))
        self.tell(f"profile: {busiest(self._profile.key_averages(), seconds, self.device.type)}; trace: {path}")

    def close(self) -> None:
        """Drop an unfinished trace, and say so when the run was too short for one."""
        if self.enabled:
            needed = self._wait + ACTIVE
            self.tell(f"profile: no trace, since the run ended after {self._count} steps: it takes {needed}")
            if self._count >= self._wait:
                self._profile.stop()


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
    """Says within a minute how long a run on a CPU takes; until a step is done, a request to stop need not wait."""

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

    def __exit__(self, *_: object) -> None:
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
