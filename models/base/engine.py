"""One optimiser step of several networks that share a loss computation, without the host waiting for the device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from config.schema import TrainConfig
from models.base.meter import LOSS_SCALE, NORM, SKIPPED, Meter
from models.base.optimization import ExponentialMovingAverage, LossScale, NetworkOptimizer
from models.base.processes import Processes


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


class Engine:
    """Networks with their optimisers, schedules, loss scale and averaged weights.

    The networks must be on their device, in their final memory layout. The first one is the one that is averaged.
    """

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
        """Optimiser step `number` (from 1): accumulate, average, check, update all networks or none.

        A loss or gradient that is not finite, on any process, makes every process skip the update; the meter's row
        says so (`skipped`).
        """
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
