"""Per-step values that stay on the device until somebody looks, and the steps among them that were skipped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from utils.errors import UserError

# Values that every step has beside its losses.
SKIPPED, NORM, LOSS_SCALE = "skipped", "gradient_norm/", "loss_scale"
# Of one window, this many skipped steps are described; the rest is counted.
DESCRIBED = 3
_OVERFLOW = "an fp16 overflow"


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
        self.device = device
        self._losses: list[str] = []
        self._pending: Tensor | None = None
        self._pending_ids: tuple[str, ...] = ()
        self._names: list[str] = []
        self._rows: list[Tensor] = []
        self._ids: list[tuple[str, ...]] = []
        self._first_step = 0

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
        self.in_a_row = 0
        self.step = 0  # the latest one that was looked at
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
                raise UserError(
                    f"training stopped at step {step}: {self.in_a_row} steps in a row had {cause}; "
                    f"{self.checkpoint_note()}; look at those utterances, lower train.learning_rate or set "
                    "train.grad_clip"
                )
            described += 1
            if described <= DESCRIBED:
                self.warn(f"step {step} skipped: {cause}")
        if described > DESCRIBED:
            self.warn(f"{described - DESCRIBED} more steps skipped up to step {self.step}")


def _cause(records: StepRecords, row: int) -> str:
    """What was not finite in a skipped step, and who was in its batch."""
    odd = [
        name for name, value in zip(records.names, records.values[row])
        if not torch.isfinite(value) and not name.startswith(NORM)
    ]  # fmt: skip
    # Totals and weighted terms follow from the term that went wrong.
    terms = [name for name in odd if not name.endswith(("/total", "/weighted"))] or odd
    ids = records.ids[row]
    who = f"(utterances {', '.join(ids[:16])}{' ...' if len(ids) > 16 else ''})"
    if terms:
        return f"a loss that is not finite: {', '.join(terms)} {who}"
    if LOSS_SCALE in records.names:
        return f"{_OVERFLOW} at loss scale {float(records.column(LOSS_SCALE)[row]):g}"
    networks = [name[len(NORM) :] for name, value in zip(records.names, records.values[row])
                if name.startswith(NORM) and not torch.isfinite(value)]  # fmt: skip
    return f"a gradient that is not finite: {', '.join(networks) or 'of another process'} {who}"
