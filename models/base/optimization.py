"""One network's parameters in one flat buffer, so that averaging, norms, updates and EMA are single kernels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from config.schema import TrainConfig

# Elements; every parameter starts at a multiple of this (256 bytes), as memory of its own would.
ALIGNMENT = 64


class FlatParameters:
    """Moves a module's parameters into one buffer, and gives them gradients in a second one.

    The parameters stay the same objects; only their storage moves. Build it after the module has reached its final
    device and memory layout: a later `module.to(...)` would take the parameters out of the buffer again, which
    `check` notices. The last element belongs to no parameter: whatever is written into its gradient takes part in
    averaging and norms (the trainer marks losses that are not finite there).
    """

    def __init__(self, module: nn.Module) -> None:
        self.parameters: dict[str, nn.Parameter] = dict(module.named_parameters())
        if not self.parameters:
            raise ValueError(f"{type(module).__name__} has no parameters")
        kinds = {(p.dtype, p.device) for p in self.parameters.values()}
        if len(kinds) > 1:
            raise ValueError(f"{type(module).__name__} mixes parameters of {sorted(map(str, kinds))}")
        dtype, device = kinds.pop()

        self._offsets: dict[str, int] = {}
        size = 0
        for name, parameter in self.parameters.items():
            self._offsets[name] = size
            size += -(-parameter.numel() // ALIGNMENT) * ALIGNMENT
        self.data = torch.zeros(size + ALIGNMENT, dtype=dtype, device=device)
        self.grad = torch.zeros_like(self.data)
        homes, gradients = self.views(self.data), self.views(self.grad)
        for name, parameter in self.parameters.items():
            parameter.data, parameter.grad = homes[name].copy_(parameter.data), gradients[name]
        self.flat = nn.Parameter(self.data)
        self.flat.grad = self.grad

    def views(self, buffer: Tensor) -> dict[str, Tensor]:
        """The part of `buffer` (same size as `data`) that belongs to each parameter, in its shape and layout."""
        offsets, parameters = self._offsets, self.parameters
        return {name: buffer.as_strided(p.size(), p.stride(), offsets[name]) for name, p in parameters.items()}

    def count(self) -> int:
        """Number of trained values."""
        return sum(p.numel() for p in self.parameters.values())

    def check(self) -> None:
        """Raise RuntimeError when something has replaced a parameter's or a gradient's storage."""
        element = self.data.element_size()
        for name, parameter in self.parameters.items():
            offset = self._offsets[name] * element
            if parameter.data_ptr() != self.data.data_ptr() + offset:
                raise RuntimeError(f"parameter {name} has left the flat buffer (was the module moved or converted?)")
            if parameter.grad is None or parameter.grad.data_ptr() != self.grad.data_ptr() + offset:
                raise RuntimeError(f"the gradient of {name} has left the flat buffer (was it set to None?)")

    def export(self, buffer: Tensor) -> dict[str, Tensor]:
        """Copies on the CPU of each parameter's part of `buffer`, independent of memory layout and order."""
        host = buffer.detach().cpu()
        return {name: view.clone(memory_format=torch.contiguous_format) for name, view in self.views(host).items()}

    def restore(self, buffer: Tensor, values: dict[str, Tensor]) -> None:
        """Undo `export`: raise ValueError when names or shapes do not fit."""
        views = self.views(buffer)
        if views.keys() != values.keys():
            odd = sorted(views.keys() ^ values.keys())
            raise ValueError(f"{len(odd)} parameters do not match, the first is {odd[0]}")
        for name, view in views.items():
            if view.shape != values[name].shape:
                raise ValueError(f"{name} has shape {tuple(values[name].shape)}, here {tuple(view.shape)}")
            view.copy_(values[name])


def learning_rate_factor(step: int, config: TrainConfig) -> float:
    """What the learning rate is multiplied by in step `step` (from 0).

    Linear warm-up, decay once per epoch, and a linear way down to 0 over the run's last steps. A run that is too short
    for both shortens them, the cool-down first and the warm-up to a third of the steps at least, so that it reaches the
    full rate.
    """
    total = config.max_epoch * config.steps_per_epoch
    factor = config.lr_decay ** (step // config.steps_per_epoch)
    warmup, cooldown = config.lr_warmup_steps, config.lr_cooldown_steps
    if warmup + cooldown > total:
        warmup = min(warmup, max(total // 3, total - cooldown))
        cooldown = min(cooldown, total - warmup)
    if warmup:
        factor *= min(1.0, (step + 1) / warmup)
    if cooldown:
        factor *= min(1.0, max(0, total - step) / cooldown)
    return factor


class NetworkOptimizer:
    """AdamW for one network: a skipped update, unscaling and clipping all happen inside the one update kernel."""

    def __init__(self, module: nn.Module, config: TrainConfig) -> None:
        self.flat = FlatParameters(module)
        self.grad_clip = config.grad_clip
        adam = config.AdamW
        settings = (config.learning_rate, adam.betas, adam.eps, adam.weight_decay)
        self.optimizer = torch.optim.AdamW([self.flat.flat], *settings, fused=True)
        factor = partial(learning_rate_factor, config=config)
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(self.optimizer, factor)
        self._no_scale = torch.ones((), device=self.flat.data.device)
        # A skipped update makes the running means exist now: memory runs out at the start or not at all, and a resumed
        # run has something to copy into.
        self._update(torch.ones((), device=self.flat.data.device), self._no_scale)

    @property
    def learning_rate(self) -> float:
        """The rate of the next update."""
        return float(self.scheduler.get_last_lr()[0])

    def zero_grad(self) -> None:
        """Set every gradient to 0 in place: their addresses never change, which CUDA graphs rely on."""
        self.flat.grad.zero_()

    def norm(self) -> Tensor:
        """Euclidean norm () of the gradient as it is, loss scale included; not finite when any element is not."""
        return torch.linalg.vector_norm(self.flat.grad)

    def step(self, found_inf: Tensor, norm: Tensor, loss_scale: Tensor | None = None) -> None:
        """Update the weights unless `found_inf` () is 1, and advance the schedule; `norm` () is the gradients'."""
        divisor = self._no_scale if loss_scale is None else loss_scale
        if self.grad_clip is not None:
            divisor = divisor * (norm / divisor / self.grad_clip).clamp_min(1.0)
        self._update(found_inf, divisor)
        self.scheduler.step()

    def state_dict(self) -> dict[str, Any]:
        """Running means by parameter name, and counters: loadable with weights_only, free of memory layout."""
        state = self.optimizer.state[self.flat.flat]
        return {
            "updates": state["step"].detach().cpu().clone(),
            "exp_avg": self.flat.export(state["exp_avg"]),
            "exp_avg_sq": self.flat.export(state["exp_avg_sq"]),
            "scheduler": {"last_epoch": self.scheduler.last_epoch},
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Continue from `state_dict`; rates, betas and decay come from the config of now."""
        state = self.optimizer.state[self.flat.flat]
        state["step"].copy_(saved["updates"])
        self.flat.restore(state["exp_avg"], saved["exp_avg"])
        self.flat.restore(state["exp_avg_sq"], saved["exp_avg_sq"])
        self.scheduler.last_epoch = saved["scheduler"]["last_epoch"]
        rate = self.scheduler.base_lrs[0] * self.scheduler.lr_lambdas[0](self.scheduler.last_epoch)
        self.scheduler._last_lr, self.optimizer.param_groups[0]["lr"] = [rate], rate

    def _update(self, found_inf: Tensor, divisor: Tensor) -> None:
        # The fused kernel looks for these two, as torch.amp.GradScaler sets them.
        vars(self.optimizer).update(found_inf=found_inf, grad_scale=divisor)
        self.optimizer.step()


class LossScale:
    """Dynamic loss scale for fp16, on the device: halved after an overflow, doubled after 2,000 good steps."""

    def __init__(self, enabled: bool, device: torch.device, initial: float = 2.0**16) -> None:
        self.enabled = enabled
        self.growth_interval = 2000
        self._scale = torch.full((), initial if enabled else 1.0, device=device)
        self._growth = torch.zeros((), dtype=torch.int32, device=device)

    @property
    def value(self) -> Tensor | None:
        """The scale (), or None when there is nothing to scale."""
        return self._scale if self.enabled else None

    def update(self, found_inf: Tensor) -> None:
        """Adjust after a step; `found_inf` () is 1 after an overflow. No host sync."""
        if self.enabled:
            torch._amp_update_scale_(self._scale, self._growth, found_inf, 2.0, 0.5, self.growth_interval)

    def state_dict(self) -> dict[str, Any]:
        """Scale and good steps in a row."""
        return {"scale": self._scale.cpu().clone(), "growth": self._growth.cpu().clone()}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Continue from `state_dict`; a run that no longer scales ignores it."""
        if self.enabled and float(saved["scale"]) > 1.0:
            self._scale.copy_(saved["scale"])
            self._growth.copy_(saved["growth"])


class ExponentialMovingAverage:
    """The weights averaged with a decay that starts low, (1 + n) / (10 + n) after n steps; one kernel a step."""

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
