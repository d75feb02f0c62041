"""The training run that any model shares: start or resume, loop, log, validate, save, stop.

A model's trainer says what its networks, batches and losses are (`build`) and how it validates (`validate`); this
class owns everything stateful, so that a resumed run forgets nothing.
"""

from __future__ import annotations

import math
import socket
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from config.schema import ExperimentConfig
from models.base import checkpoints
from models.base.checkpoints import Checkpoint
from models.base.device import (
    device_name,
    out_of_memory_advice,
    preserved_random_state,
    random_state,
    resolve_precision,
    seed_everything,
    set_determinism,
    set_random_state,
)
from models.base.engine import LOSS_SCALE, NORM, SKIPPED, BadSteps, Engine, Meter, Parts
from models.base.experiment import Experiment, beside, check_source, counts_with
from models.base.processes import GracefulStop, Processes
from models.base.run_log import Pace, RunLog, StepProfiler, Window
from utils.errors import UserError, disk_message
from utils.files import project_path

# Processes ask each other about signals at least this often, in steps; alone, a process looks after each step.
ASK_INTERVAL = 50


class BaseTrainer(ABC):
    """Subclasses define `build`, and usually `validate`, and the class attributes."""

    # Names of the networks, as `build` gives them and checkpoints store them; the first one speaks.
    NETWORKS: Sequence[str] = ("network",)
    # Validation value that ranks checkpoints (lower is better).
    METRIC = "generator/total"
    # Progress bar: label and loss.
    SHOWN: Mapping[str, str] = {"loss": "generator/total"}
    # Settings to lower when memory runs out.
    MEMORY_SETTINGS: Sequence[str] = ("train.batch_size", "train.max_batch_frames")
    CPU_ADVICE = ""  # what to do when a CPU would take days
    # Fine-tuning begins with the averaged weights, for a run that leaves some of them as they are.
    FROM_AVERAGE = False
    # Entries of the first network that describe the corpus and not what was learnt: not taken in fine-tuning.
    CORPUS_ENTRIES: Sequence[str] = ()

    def __init__(
        self, config: ExperimentConfig, experiment: Experiment, resume: bool = False, finetune_from: Path | None = None
    ) -> None:
        self.config, self.experiment, self.expt_dir = config, experiment, experiment.directory
        self.resume, self.finetune_from = resume, finetune_from
        self.step = self.first_step = 0  # now, and where this run began
        self.metrics: dict[str, float] = {}
        self.stopped = False  # whether a request to stop ended the run
        self._saved_step: int | None = None
        self._measured_step: int | None = None

    @abstractmethod
    def build(self) -> Parts:
        """Make networks (on `self.processes.device`), step and batches; torch's generator is seeded."""

    def validate(self) -> dict[str, float]:
        """Losses of the averaged weights on the validation split, the same on every process; it shows pictures."""
        return {}

    def adapted(self, state: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
        """What the first network, whose entries are `own`, takes of the `state` that it is fine-tuned from."""
        return {**state, **{entry: own[entry] for entry in self.CORPUS_ENTRIES}}

    def loaded(self) -> None:  # noqa: B027 (a hook, which few models need)
        """Called once the networks hold the weights that training starts from."""

    @property
    def total_steps(self) -> int:
        """Optimiser steps of the whole run."""
        return self.config.train.max_epoch * self.config.train.steps_per_epoch

    def run(self) -> None:
        """Train until the end, a signal or an error; raises UserError for what the user can mend."""
        lock = self.experiment.lock()
        self.processes = Processes()
        try:
            self.processes.main_only(lock.acquire)
            self._run_locked()
        except OSError as error:
            raise UserError(disk_message(error, self.expt_dir) or f"training stopped: {error}") from error
        finally:
            if lock.held:
                self.experiment.remove_if_empty()
                lock.release()
        self.processes.close()

    def _run_locked(self) -> None:
        notes = self.processes.main_only(lambda: self.experiment.open(self.resume))
        self._set_up()
        notes += self._start_weights()
        self.first_step = self.step
        self._dry_step()
        self.processes.main_only(lambda: self.experiment.write(self.parts.tokens, self.parts.counts, self.parts.cast))
        self.log = RunLog(self.expt_dir, self.processes.is_main, self.step, self.total_steps)
        try:
            for note in [*notes, *self._opening_notes()]:
                self.log.info(note)
            with (
                GracefulStop() as stop,
                Pace(self.processes.device, self.total_steps - self.step, self.CPU_ADVICE, stop, self.log.info) as pace,
                out_of_memory_advice("during training", self.processes.device, self.MEMORY_SETTINGS),
            ):
                self._loop(stop, pace)
        finally:
            self.parts.batches.close()
            self.log.close()

    def _set_up(self) -> None:
        train, device = self.config.train, self.processes.device
        set_determinism(train.deterministic)
        self.precision = resolve_precision(train.precision, device)
        seed_everything(train.random_seed)
        with out_of_memory_advice("while the networks and the corpus were loaded", device, self.MEMORY_SETTINGS):
            self.parts = self.processes.all_or_none(self.build)
            self.engine = Engine(self.parts.networks, train, self.precision, self.processes)
        self.engine.broadcast()
        # From here on every process draws its own dropout masks and segments.
        seed_everything(train.random_seed + 1 + self.processes.rank)
        self.meter = Meter(device)
        self.bad_steps = BadSteps(train.max_bad_steps, lambda text: self.log.warning(text), self._checkpoint_note)
        self.retention = checkpoints.Retention(self.expt_dir, train.keep_last, train.keep_best, self.METRIC)

    def _start_weights(self) -> list[str]:
        notes = []
        if self.processes.is_main:
            checkpoints.clean_leftovers(self.expt_dir)
        if self.resume:
            self.experiment.check_tokens(self.parts.tokens, self.parts.cast)
            name = self.processes.main_only(self._load_newest)
            if name is not None:
                if not self.processes.is_main:
                    folder = self.expt_dir / checkpoints.FOLDER / name
                    if not folder.is_dir():
                        shared = "log_dir must lie on a disk that all machines of the run share"
                        raise UserError(f"{folder} is not there on {socket.gethostname()}: {shared}")
                    self._load(checkpoints.read_checkpoint(folder))
                self.parts.counts = counts_with(self.expt_dir, self.parts.counts)
                notes.append(f"going on from {name}")
        elif self.finetune_from is not None:
            notes += self._load_source(self.finetune_from)
        self.loaded()
        return notes

    def _load_newest(self) -> str | None:
        """Load the newest checkpoint that can be read, and put broken ones out of the way."""
        broken: list[Path] = []
        for path in reversed(checkpoints.checkpoint_folders(self.expt_dir)):
            try:
                self._load(checkpoints.read_checkpoint(path))
            except checkpoints.BrokenCheckpoint as error:
                checkpoints.log.warning("%s; the one before is used", error)
                broken.append(path)
                continue
            for other in broken:
                checkpoints.set_aside(other)
            self.retention.apply()  # fewer may be wanted by now, and space be needed
            return path.name
        if broken:
            raise UserError(f"none of the checkpoints in {self.expt_dir} can be read: restore one from a backup")
        return None

    def _load(self, checkpoint: Checkpoint) -> None:
        """Take everything from a checkpoint; raises BrokenCheckpoint before anything has changed."""
        training = checkpoints.load_training(checkpoint.path)
        if not training:
            advice = f"start a new --name with --finetune_from {self.expt_dir}"
            raise UserError(f"{checkpoint.path} holds weights alone, so that training cannot go on from it: {advice}")
        checkpoints.check_networks(checkpoint.path, self.engine.networks)
        weights = {name: checkpoints.load_weights(checkpoint.path, False, name) for name in self.engine.networks}
        has_average = self.engine.ema is not None and (checkpoint.path / "ema.safetensors").is_file()
        average = checkpoints.load_weights(checkpoint.path, True) if has_average else None
        for name, state in weights.items():
            checkpoints.load_strictly(self.engine.networks[name], state, f"checkpoint {checkpoint.path}")
        try:
            self.engine.load_average(average)
            self.engine.load_state_dict(training["engine"])
            self.parts.batches.load_state_dict(training["batches"])
            self.bad_steps.in_a_row = training["bad_in_a_row"]
            own = training["processes"][min(self.processes.rank, len(training["processes"]) - 1)]
            self.meter.load_state_dict(own["meter"])
            if self.processes.rank < len(training["processes"]):
                set_random_state(own["random"], self.processes.device)
        except (KeyError, ValueError) as error:
            raise UserError(f"{checkpoint.path} does not fit this model ({error}): use another --name") from error
        self.step = self._saved_step = self.bad_steps.step = checkpoint.step
        self.metrics = checkpoint.metrics

    def _load_source(self, source: Path) -> list[str]:
        source = project_path(source) if not source.exists() else source
        checkpoint = check_source(source, self.parts.tokens, self.config, self.NETWORKS)
        notes = [f"starting from the weights of {checkpoint.path}"]
        for index, (name, network) in enumerate(self.engine.networks.items()):
            if index > 0 and not checkpoints.has_weights(checkpoint.path, name):
                notes.append(f"{source} has no weights of the {name}, which starts from random ones")
                continue
            state = checkpoints.load_weights(checkpoint.path, self.FROM_AVERAGE and index == 0, name)
            if index == 0:
                state = self.adapted(state, {name: value.clone() for name, value in network.state_dict().items()})
            checkpoints.load_strictly(network, state, f"--finetune_from {checkpoint.path}")
        self.engine.load_average(None)
        self.parts.counts = counts_with(source, self.parts.counts)
        return notes

    def _dry_step(self) -> None:
        """The largest batch once, without an update, so that memory runs out now or never."""
        if self.processes.device.type != "cuda":
            return
        with (
            preserved_random_state(self.processes.device),
            out_of_memory_advice("in a trial of the largest batch", self.processes.device, self.MEMORY_SETTINGS),
        ):
            self.engine.accumulate(self.parts.compute, self.parts.batches.largest)
            torch.cuda.synchronize(self.processes.device)

    def _opening_notes(self) -> list[str]:
        world, train, batches = self.processes.world_size, self.config.train, self.parts.batches
        where = f"{world} x " * (world > 1) + device_name(self.processes.device)
        sizes = ", ".join(f"{name} {o.flat.count() / 1e6:.1f} M" for name, o in self.engine.optimizers.items())
        steps = f"padding {100 * batches.padding_waste():.1f} %; steps {self.step} to {self.total_steps}"
        return [
            f"training {self.expt_dir} in {self.precision} on {where}; {sizes} weights",
            batches.describe(),
            f"batches of {train.batch_size} x {train.gradient_accumulation_step * world}; {steps}",
        ]

    def _loop(self, stop: GracefulStop, pace: Pace) -> None:
        train, device = self.config.train, self.processes.device
        profiler = StepProfiler(train.profile and self.processes.is_main, self.expt_dir, device, self.log.info)
        self.window = Window(self.step, self.parts.batches.wait_seconds(), device)
        validate = save = False
        while self.step < self.total_steps and not self.stopped:
            self.engine.step(self.parts.compute, self.parts.batches.next, self.meter, self.step + 1)
            self.step += 1
            profiler.step(self.step)
            pace.step()
            ends, window_ends = self.step == self.total_steps, self.step % train.log_interval == 0
            if device.type == "cpu" or window_ends:
                self.bad_steps.check(self.meter.peek())
            if window_ends:
                self._report()
            validate |= ends or self.step % train.valid_interval == 0
            save |= ends or self.step % train.save_checkpoints_steps == 0
            ask = self.processes.world_size == 1 or self.step % min(train.log_interval, ASK_INTERVAL) == 0
            asked = ask and self.processes.any(stop.requested)
            # What a run that diverges would leave behind is worse than what is there: it waits for a good step.
            if not (validate or save or asked) or self._is_bad():
                continue
            if validate:
                self._validate()
            if save or asked or (validate and self._is_best()):
                self._save()
            validate = save = False
            self.stopped = asked and not ends
        if self.stopped:
            self.log.info(f"stopped after step {self.step} ({stop.signal_name or 'signal'}); go on with --resume")
        elif self._saved_step == self.step:
            self.log.info(f"training is complete: {self.step} steps, in {self.expt_dir}")
        else:
            self.log.warning(f"the last steps were not finite and are not saved; {self._checkpoint_note()}")
        profiler.close()

    def _is_bad(self) -> bool:
        """Whether the latest step had a loss or gradient that is not finite, on any process."""
        self.bad_steps.check(self.meter.peek())
        return self.processes.any(self.bad_steps.latest)

    def _report(self) -> None:
        """Read the window's steps from the device, log their means and begin a new window."""
        records = self.meter.peek()
        means = self.processes.means(records.means())
        del means[SKIPPED]  # as a mean; the count is told below
        scalars = {k if k.startswith((NORM, LOSS_SCALE)) else f"train/{k}": value for k, value in means.items()}
        rates = {name: optimizer.learning_rate for name, optimizer in self.engine.optimizers.items()}
        scalars |= {f"learning_rate/{name}": rate for name, rate in rates.items()}
        scalars |= self.window.speeds(self.step, self.parts.batches.wait_seconds())
        scalars["speed/padding_waste"] = self.parts.batches.padding_waste()
        scalars["skipped_steps"] = float(records.column(SKIPPED).sum())
        self.log.scalars(scalars, self.step)
        shown = {label: f"{means[name]:.3f}" for label, name in self.SHOWN.items() if name in means}
        speed = f"{scalars['speed/steps_per_second']:.2f} steps/s, learning rate {next(iter(rates.values())):.3g}"
        self.log.progress(self.step, shown, speed)
        self.meter.clear()
        self.window = Window(self.step, self.parts.batches.wait_seconds(), self.processes.device)

    def _validate(self) -> None:
        device = self.processes.device
        with self.window.paused(), self.engine.averaged(), preserved_random_state(device), torch.no_grad():
            values = self.validate()
        self.metrics = {name: value for name, value in values.items() if math.isfinite(value)}
        self._measured_step = self.step
        self.log.scalars({f"valid/{name}": value for name, value in values.items()}, self.step)
        if self.METRIC in values:
            self.log.info(f"step {self.step}: validation {self.METRIC} {values[self.METRIC]:.4f}")

    def _is_best(self) -> bool:
        """Whether this step's validation makes it worth a checkpoint."""
        value = self.metrics.get(self.METRIC)
        return value is not None and self.processes.main_only(lambda: self.retention.is_better(value))

    def _save(self) -> None:
        """Write a checkpoint of this step, unless there is one."""
        if self._saved_step == self.step:
            return
        self.engine.check()
        own = {"random": random_state(self.processes.device), "meter": self.meter.state_dict()}
        processes = self.processes.gather({**own, "weights": self.engine.checksums()})
        if any(state["weights"] != processes[0]["weights"] for state in processes):
            self.log.warning(f"step {self.step}: the processes' weights have drifted apart; the first one's are saved")
        training = {
            "format_version": checkpoints.FORMAT_VERSION,
            "processes": processes,
            "batches": self.parts.batches.state_dict(),
            "bad_in_a_row": self.bad_steps.in_a_row,
        }
        with self.window.paused():
            self.processes.main_only(lambda: self._write(training))
        self._saved_step = self.step

    def _write(self, training: dict[str, Any]) -> None:
        self.log.flush()  # the curves up to this step are on disk before a checkpoint says that they are
        training["engine"] = self.engine.state_dict()
        metrics = self.metrics if self._measured_step == self.step else {}
        tensors, bound = self.engine.tensors(), beside(self.expt_dir, self.parts.tokens)
        checkpoint = checkpoints.save_checkpoint(self.expt_dir, self.step, tensors, training, metrics, bound)
        self.retention.apply()
        self.log.quiet(f"saved {checkpoint.name}")

    def _checkpoint_note(self) -> str:
        newest = checkpoints.latest_checkpoint(self.expt_dir)
        return f"the last good checkpoint is {newest.name}" if newest else "there is no checkpoint yet"
