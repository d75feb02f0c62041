"""One network's AdamW and learning-rate schedule on its flat parameters, and fp16's loss scale."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from config.schema import TrainConfig
from models.base.flat import FlatParameters


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
        self.optimizer = torch.optim.AdamW(
            [self.flat.flat],
            lr=config.learning_rate,
            betas=config.AdamW.betas,
            eps=config.AdamW.eps,
            weight_decay=config.AdamW.weight_decay,
            fused=True,
        )
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: learning_rate_factor(step, config)
        )
        self._no_scale = torch.ones((), device=self.flat.data.device)
        self._allocate_state()

    @property
    def learning_rate(self) -> float:
        """The rate of the next update."""
        return self.scheduler.get_last_lr()[0]

    def zero_grad(self) -> None:
        """Set every gradient to 0 in place: their addresses never change, which CUDA graphs rely on."""
        self.flat.grad.zero_()

    def norm(self) -> Tensor:
        """Euclidean norm () of the gradient as it is, loss scale included; not finite when any element is not."""
        return torch.linalg.vector_norm(self.flat.grad)

    def step(self, found_inf: Tensor, norm: Tensor, loss_scale: Tensor | None = None) -> None:
        """Update the weights unless `found_inf` () is 1, and advance the schedule in any case.

        `norm` () is the scaled gradient's norm. Nothing here waits for the device.
        """
        divisor = self._no_scale if loss_scale is None else loss_scale
        if self.grad_clip is not None:
            divisor = divisor * (norm / divisor / self.grad_clip).clamp_min(1.0)
        self.optimizer.found_inf = found_inf
        self.optimizer.grad_scale = divisor
        self.optimizer.step()
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
        rates = [
            base * factor(self.scheduler.last_epoch)
            for base, factor in zip(self.scheduler.base_lrs, self.scheduler.lr_lambdas)
        ]
        self.scheduler._last_lr = rates
        for group, rate in zip(self.optimizer.param_groups, rates):
            group["lr"] = rate

    def _allocate_state(self) -> None:
        # A skipped update makes the running means exist now: memory runs out at the start or not at all, and
        # a resumed run has something to copy into.
        self.optimizer.found_inf = torch.ones((), device=self.flat.data.device)
        self.optimizer.grad_scale = self._no_scale
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
