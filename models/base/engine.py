"""One optimiser step of several networks that share a loss computation, and what the steps measured.

The host waits for the device only where somebody looks at the values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from config.schema import TrainConfig
from models.base.optimization import ExponentialMovingAverage, LossScale, NetworkOptimizer
from models.base.processes import Processes
from processors.cast import Cast
from utils.errors import UserError

# Values that every step has beside its losses.
SKIPPED, NORM, LOSS_SCALE = "skipped", "gradient_norm/", "loss_scale"
# Of one window, this many skipped steps are described; the rest is counted.
DESCRIBED = 3
_OVERFLOW = "an fp16 overflow"


class StepFunction(Protocol):
    """Adds one batch's gradients, times a scale, to every network; returns detached scalar losses on the device."""

    def __call__(self, batch: Any, loss_scale: Tensor) -> dict[str, Tensor]: ...


class Batches(Protocol):
    """An endless stream of batches with `ids`, which can say and restore where it is."""

    def next(self) -> Any: ...
    def largest(self) -> Any: ...
    def close(self) -> None: ...
    def padding_waste(self) -> float: ...
    def wait_seconds(self) -> float: ...
    def describe(self) -> str: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, saved: dict[str, Any]) -> None: ...


@dataclass
class Parts:
    """What a model's trainer brings. The first network is the one that speaks: it is averaged, and fine-tuned."""

    networks: Mapping[str, nn.Module]
    compute: StepFunction
    batches: Batches
    tokens: list[str]
    counts: Mapping[str, int] | None = None  # how often each occurs in the training split
    cast: Cast | None = None  # whose voices they are


class Engine:
    """Networks, on their device and in their final layout, with all that trains them; the first one is averaged."""

    def __init__(
        self, networks: Mapping[str, nn.Module], config: TrainConfig, precision: str, processes: Processes
    ) -> None:
        self.networks, self.processes = dict(networks), processes
        self.accumulation = config.gradient_accumulation_step
        self.optimizers = {name: NetworkOptimizer(module, config) for name, module in self.networks.items()}
        self.loss_scale = LossScale(precision == "fp16", processes.device)
        flat = next(iter(self.optimizers.values())).flat
        self.ema = ExponentialMovingAverage(flat, config.ema_decay) if config.ema_decay > 0 else None
        self._share = torch.full((), 1.0 / self.accumulation, device=processes.device)
        self._checked = False

    def broadcast(self) -> None:
        """All processes start from the main one's weights."""
        self.processes.broadcast_([optimizer.flat.data for optimizer in self.optimizers.values()])

    def step(self, compute: StepFunction, next_batch: Callable[[], Any], meter: Meter, number: int) -> None:
        """Optimiser step `number` (from 1): of all networks, or of none where anything, anywhere, is not finite."""
        self.accumulate(compute, next_batch, meter)
        gradients = [optimizer.flat.grad for optimizer in self.optimizers.values()]
        self.processes.average_(gradients)
        norms = {name: optimizer.norm() for name, optimizer in self.optimizers.items()}
        found_inf = 1.0 - torch.isfinite(torch.stack(list(norms.values()))).all().float()
        for name, optimizer in self.optimizers.items():
            optimizer.step(found_inf, norms[name], self.loss_scale.value)
        if self.ema is not None:
            self.ema.update(number)
        scale = self.loss_scale.value
        extras = {f"{NORM}{name}": norm if scale is None else norm / scale for name, norm in norms.items()}
        if scale is not None:
            extras[LOSS_SCALE] = scale
        meter.end_step(number, {**extras, SKIPPED: found_inf})
        self.loss_scale.update(found_inf)

    def accumulate(self, compute: StepFunction, next_batch: Callable[[], Any], meter: Meter | None = None) -> None:
        """Fresh gradients of one optimiser step, the mean over its micro-batches."""
        for optimizer in self.optimizers.values():
            optimizer.zero_grad()
        scale = self._share if self.loss_scale.value is None else self._share * self.loss_scale.value
        marker = next(iter(self.optimizers.values())).flat.grad[-1]
        for _ in range(self.accumulation):
            batch = next_batch()
            losses = compute(batch, scale)
            if not self._checked:
                self.check()
            if meter is not None:
                row = meter.add(losses, 1.0 / self.accumulation, batch.ids)
                # 0 or nan: the norm of the gradient tells about the losses, too, and the average about all processes.
                marker.add_(row.sum() * 0.0)

    def check(self) -> None:
        """Raise RuntimeError when weights or gradients no longer lie in their flat buffers."""
        for optimizer in self.optimizers.values():
            optimizer.flat.check()
        self._checked = True

    def checksums(self) -> list[float]:
        """One number for each network's weights, the same on every process as long as they agree."""
        return [float(optimizer.flat.data.double().sum()) for optimizer in self.optimizers.values()]

    def averaged(self) -> AbstractContextManager[None]:
        """Inside the block the first network holds its averaged weights, if there are any."""
        return nullcontext() if self.ema is None else self.ema.applied()

    def tensors(self) -> dict[str, Mapping[str, Tensor]]:
        """State dicts by checkpoint file: every network, and "ema"."""
        states: dict[str, Mapping[str, Tensor]] = {name: net.state_dict() for name, net in self.networks.items()}
        if self.ema is not None:
            first = next(iter(self.networks))
            states["ema"] = {**states[first], **self.ema.export()}
        return states

    def state_dict(self) -> dict[str, Any]:
        """Everything but the weights."""
        return {
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
            "loss_scale": self.loss_scale.state_dict(),
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Continue from `state_dict`."""
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(saved["optimizers"][name])
        self.loss_scale.load_state_dict(saved["loss_scale"])

    def load_average(self, weights: Mapping[str, Tensor] | None) -> None:
        """Continue averaging from a checkpoint's averaged weights, or from the present weights without them."""
        if self.ema is None:
            return
        if weights is None:
            self.ema.average.copy_(self.ema.flat.data)
        else:
            self.ema.restore(dict(weights))


@dataclass
class StepRecords:
    """What a window of steps measured: values (steps, names) on the host, and who was in each step's batch."""

    first_step: int
    names: list[str]
    values: Tensor
    ids: list[tuple[str, ...]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.values)

    def column(self, name: str) -> Tensor:
        """One value of every step."""
        return self.values[:, self.names.index(name)]

    def means(self) -> dict[str, float]:
        """Mean of each value over the steps where it was finite; nan when it never was."""
        finite = torch.isfinite(self.values)
        total = torch.where(finite, self.values, 0.0).double().sum(0)
        means = total / finite.sum(0)
        return dict(zip(self.names, means.tolist()))


class Meter:
    """Values of the steps since the last `clear`, on the device until `peek` reads them with a single transfer."""

    def __init__(self, device: torch.device) -> None:
        self.device, self._first_step = device, 0
        self._losses: list[str] = []
        self._names: list[str] = []
        self._rows: list[Tensor] = []
        self._ids: list[tuple[str, ...]] = []
        self._pending: Tensor | None = None
        self._pending_ids: tuple[str, ...] = ()

    @torch.no_grad()
    def add(self, values: Mapping[str, Tensor], share: float, ids: Sequence[str]) -> Tensor:
        """Add `share` times one micro-batch's scalars to the step under way; returns them stacked (names,)."""
        if not self._losses:
            self._losses = list(values)
        row = torch.stack([_scalar(values[name]) for name in self._losses])
        part = row if share == 1.0 else row * share
        self._pending = part if self._pending is None else self._pending + part
        self._pending_ids = (*self._pending_ids, *ids)
        return row

    def end_step(self, step: int, extras: Mapping[str, Tensor]) -> None:
        """Close the step numbered `step` with values that exist once per step."""
        assert self._pending is not None, "end_step without add"
        names = [*self._losses, *extras]
        if len(names) != len(self._names):  # a window that another version of the program began
            self.clear()
        if not self._rows:
            self._first_step, self._names = step, names
        self._rows.append(torch.cat([self._pending, torch.stack([_scalar(value) for value in extras.values()])]))
        self._ids.append(self._pending_ids)
        self._pending, self._pending_ids = None, ()

    def peek(self) -> StepRecords:
        """Everything since the last `clear`; waits for the device."""
        values = torch.stack(self._rows).cpu() if self._rows else torch.zeros(0, 0)
        return StepRecords(self._first_step, list(self._names), values, list(self._ids))

    def clear(self) -> None:
        """Begin a new window."""
        self._rows, self._ids = [], []

    def state_dict(self) -> dict[str, Any]:
        """The window under way, so that a resumed run logs the same means."""
        return {**vars(self.peek()), "ids": [list(ids) for ids in self._ids]}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Continue the window of `state_dict`."""
        self._first_step, self._names = saved["first_step"], list(saved["names"])
        self._rows = list(saved["values"].to(self.device))
        self._ids = [tuple(ids) for ids in saved["ids"]]


def _scalar(value: Tensor) -> Tensor:
    """A float32 scalar (); conversions only where they are needed, since each costs the host some microseconds."""
    return value if value.dtype == torch.float32 and value.dim() == 0 else value.float().reshape(())


class BadSteps:
    """Reports skipped steps, and stops the run when they do not end."""

    def __init__(self, limit: int, warn: Callable[[str], None], checkpoint_note: Callable[[], str]) -> None:
        self.limit, self.warn, self.checkpoint_note = limit, warn, checkpoint_note
        self.in_a_row = self.step = 0  # skipped steps; the latest step that was looked at
        self.latest = False  # whether the latest step was bad: not finite, and no mere overflow of fp16

    def check(self, records: StepRecords) -> None:
        """Look at what is new in the records; UserError after `limit` skipped steps in a row."""
        seen = max(0, self.step + 1 - records.first_step)
        if len(records) <= seen:
            return
        self.step = records.first_step + len(records) - 1
        skipped = records.column(SKIPPED).tolist()
        described = 0
        for row in range(seen, len(records)):
            if not skipped[row]:
                self.in_a_row, self.latest = 0, False
                continue
            self.in_a_row += 1
            step = records.first_step + row
            cause = _cause(records, row)
            self.latest = not cause.startswith(_OVERFLOW)
            if self.in_a_row >= self.limit:
                stopped = f"training stopped at step {step}: {self.in_a_row} steps in a row had {cause}"
                advice = "look at those utterances, lower train.learning_rate or set train.grad_clip"
                raise UserError(f"{stopped}; {self.checkpoint_note()}; {advice}")
            described += 1
            if described <= DESCRIBED:
                self.warn(f"step {step} skipped: {cause}")
        if described > DESCRIBED:
            self.warn(f"{described - DESCRIBED} more steps skipped up to step {self.step}")


def _cause(records: StepRecords, row: int) -> str:
    """What was not finite in a skipped step, and who was in its batch."""
    odd = [name for name, value in zip(records.names, records.values[row]) if not torch.isfinite(value)]
    networks = [name.removeprefix(NORM) for name in odd if name.startswith(NORM)]
    losses = [name for name in odd if not name.startswith(NORM)]
    # Totals and weighted terms follow from the term that went wrong.
    terms = [name for name in losses if not name.endswith(("/total", "/weighted"))] or losses
    ids = records.ids[row]
    who = f"(utterances {', '.join(ids[:16])}{' ...' if len(ids) > 16 else ''})"
    if terms:
        return f"a loss that is not finite: {', '.join(terms)} {who}"
    if LOSS_SCALE in records.names:
        return f"{_OVERFLOW} at loss scale {float(records.column(LOSS_SCALE)[row]):g}"
    return f"a gradient that is not finite: {', '.join(networks) or 'of another process'} {who}"
