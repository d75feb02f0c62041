"""Per-step values that stay on the device until somebody looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor


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
    """A table of the latest steps on the device: one row a step, read with a single transfer."""

    def __init__(self, capacity: int, device: torch.device) -> None:
        self.capacity, self.device = capacity, device
        self.names: list[str] = []
        self._table: Tensor | None = None
        self._rows = 0
        self._first_step = 0
        self._ids: list[tuple[str, ...]] = []
        self._pending: Tensor | None = None
        self._pending_ids: tuple[str, ...] = ()

    def __len__(self) -> int:
        return self._rows

    @torch.no_grad()
    def add(self, values: Mapping[str, Tensor], share: float, ids: Sequence[str]) -> Tensor:
        """Add `share` times one micro-batch's scalars to the step under way; returns them stacked (names,)."""
        if not self.names:
            self.names = list(values)
        row = torch.stack([_scalar(values[name]) for name in self.names])
        part = row if share == 1.0 else row * share
        self._pending = part if self._pending is None else self._pending + part
        self._pending_ids = (*self._pending_ids, *ids)
        return row

    def end_step(self, step: int, extras: Mapping[str, Tensor]) -> None:
        """Close the step numbered `step` with values that exist once per step."""
        assert self._pending is not None, "end_step without add"
        names = [*self.names, *extras]
        row = torch.cat([self._pending, torch.stack([_scalar(value) for value in extras.values()])])
        if self._table is None or self._table.shape[1] != len(names):
            self._table = torch.zeros((self.capacity, len(names)), device=self.device)
            self._rows = 0
        if self._rows == 0:
            self._first_step, self._ids = step, []
        self._columns = names
        self._table[self._rows].copy_(row)
        self._rows += 1
        self._ids.append(self._pending_ids)
        self._pending, self._pending_ids = None, ()

    def peek(self) -> StepRecords:
        """Everything since the last `clear`; waits for the device."""
        if self._table is None or self._rows == 0:
            return StepRecords(0, [], torch.zeros(0, 0))
        return StepRecords(self._first_step, self._columns, self._table[: self._rows].cpu(), list(self._ids))

    def clear(self) -> None:
        """Begin a new window."""
        self._rows = 0

    def state_dict(self) -> dict[str, Any]:
        """The window under way, so that a resumed run logs the same means."""
        records = self.peek()
        return {
            "capacity": self.capacity,
            "first_step": records.first_step,
            "names": list(records.names),
            "values": records.values.clone(),
            "ids": [list(ids) for ids in records.ids],
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Continue the window of `state_dict`; a window of another size is dropped."""
        values = saved["values"]
        self._rows = 0
        if len(values) and saved["capacity"] == self.capacity:
            self._columns = list(saved["names"])
            self._table = torch.zeros((self.capacity, values.shape[1]), device=self.device)
            self._table[: len(values)].copy_(values)
            self._rows, self._first_step = len(values), saved["first_step"]
            self._ids = [tuple(ids) for ids in saved["ids"]]


def _scalar(value: Tensor) -> Tensor:
    """A float32 scalar (); conversions only where they are needed, since each costs the host some microseconds."""
    return value if value.dtype == torch.float32 and value.dim() == 0 else value.float().reshape(())
