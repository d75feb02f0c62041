"""Running average of a network's weights, the ones that synthesis uses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from models.base.flat import FlatParameters


class ExponentialMovingAverage:
    """average <- decay * average + (1 - decay) * weights after each step, one kernel for the whole network.

    The decay starts low, (1 + n) / (10 + n) after n steps, so that the random first weights are soon forgotten.
    """

    def __init__(self, flat: FlatParameters, decay: float) -> None:
        self.flat, self.decay = flat, decay
        self.average = flat.data.clone()

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after step `step` (from 1)."""
        decay = min(self.decay, (1 + step) / (10 + step))
        self.average.lerp_(self.flat.data, 1.0 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The network holds the averaged weights inside the block, at the same addresses."""
        weights = self.flat.data.clone()
        with torch.no_grad():
            self.flat.data.copy_(self.average)
        try:
            yield
        finally:
            with torch.no_grad():
                self.flat.data.copy_(weights)

    def export(self) -> dict[str, Tensor]:
        """Averaged weights by parameter name, on the CPU."""
        return self.flat.export(self.average)

    def restore(self, values: dict[str, Tensor]) -> None:
        """Continue from `export`'s result; further entries (buffers) are ignored."""
        self.flat.restore(self.average, {name: values[name] for name in self.flat.parameters if name in values})
