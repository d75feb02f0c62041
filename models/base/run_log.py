"""What a run tells: progress bar, train.log and TensorBoard, from the main process only; and how fast it was."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from utils.atomic import disk_errors

LOG_FILE, TENSORBOARD = "train.log", "tensorboard"
# Seconds between two progress lines where no terminal overwrites them.
QUIET_INTERVAL = 60.0
# Seconds that a run waits at most for its clock to pass that of the run before, perhaps on another machine.
CLOCK_PATIENCE = 5.0

_logger = logging.getLogger("train")


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
        for name in ("models", "utils", "processors"):
            logging.getLogger(name).handlers[:] = [self._file, self._console]
        terminal = sys.stderr.isatty()
        self.bar = tqdm(
            total=total_steps, initial=first_step, desc="training", unit="step", dynamic_ncols=terminal,
            mininterval=0.5 if terminal else QUIET_INTERVAL, miniters=1, file=sys.stderr,
        )  # fmt: skip

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

    def progress(self, step: int, shown: Mapping[str, str] | None = None) -> None:
        """Move the bar to `step`, and show these beside it."""
        if self.is_main:
            if shown is not None:
                self.bar.set_postfix(shown, refresh=False)
            self.bar.update(step - self.bar.n)

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
        for name in (_logger.name, "models", "utils", "processors"):
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
