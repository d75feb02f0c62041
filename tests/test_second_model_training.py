"""A second model of a few lines: it registers, trains and goes on through the parts that models share."""

from __future__ import annotations

import math
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from config.schema import ExperimentConfig, PositiveInt, Section
from models import registry
from models.base.base_trainer import BaseTrainer
from models.base.checkpoints import list_checkpoints, load_weights
from models.base.engine import Parts
from models.base.experiment import Experiment
from processors.text.tokens import lexicon_tokens
from utils.errors import UserError


class ToyModelConfig(Section):
    """The one setting of the model."""

    width: PositiveInt


class ToyConfig(ExperimentConfig):
    """An experiment with it."""

    model: ToyModelConfig


class ToyBatches:
    """An endless stream of batches whose `ids` say which they are."""

    def __init__(self, width: int) -> None:
        self.width, self.position = width, 0

    def next(self) -> Any:
        self.position += 1
        return self.largest()

    def largest(self) -> Any:
        noise = torch.Generator().manual_seed(self.position)
        return SimpleNamespace(ids=(f"utterance-{self.position}",), x=torch.randn(4, self.width, generator=noise))

    def close(self) -> None:
        pass

    def padding_waste(self) -> float:
        return 0.0

    def wait_seconds(self) -> float:
        return 0.0

    def describe(self) -> str:
        return "noise"

    def state_dict(self) -> dict[str, Any]:
        return {"position": self.position}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        self.position = saved["position"]


class Trainer(BaseTrainer):
    """Learns to give back what it is given."""

    METRIC = "loss"
    SHOWN = {"loss": "loss"}
    config: ToyConfig
    hook: Callable[[int], float] = staticmethod(lambda step: 1.0)  # what the loss of a step is multiplied by

    def build(self) -> Parts:
        width = self.config.model.width
        self.network = nn.Sequential(nn.Linear(width, width), nn.Dropout(0.5))
        return Parts({"network": self.network}, self.compute, ToyBatches(width), lexicon_tokens())

    def compute(self, batch: Any, loss_scale: Tensor) -> dict[str, Tensor]:
        loss = (self.network(batch.x) - batch.x).square().mean() * self.hook(self.step + 1)
        (loss * loss_scale).backward()
        return {"loss": loss.detach()}

    def validate(self) -> dict[str, float]:
        return {"loss": float((self.network(torch.ones(1, self.config.model.width)) - 1).square().mean())}


Run = Callable[..., Trainer]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Trains experiment `name` for 8 steps, as stage 2 would."""
    for name, content in (("config", {"ToyConfig": ToyConfig}), ("trainer", {"Trainer": Trainer})):
        module = ModuleType(f"toy.{name}")
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, f"toy.{name}", module)
    monkeypatch.setitem(sys.modules, "toy", ModuleType("toy"))
    monkeypatch.setitem(registry.MODEL_PACKAGES, "Toy", "toy")
    path = tmp_path / "toy.json"
    path.write_text(
        f'{{base_config: "config/tts.json", model_type: "Toy", model: {{width: 3}}, log_dir: "{tmp_path}", train: '
        "{steps_per_epoch: 4, max_epoch: 2, valid_interval: 2, save_checkpoints_steps: 4, log_interval: 1, "
        "keep_last: 9, keep_best: 0}}"
    )

    def train(name: str, *overrides: str, resume: bool = False, hook: Any = None) -> Trainer:
        config = registry.load_config(path, overrides)
        trainer = registry.model_module("Toy", "trainer").Trainer(config, Experiment.named(name, config), resume)
        trainer.hook = hook or trainer.hook
        trainer.run()
        return trainer

    return train


def steps(trainer: Trainer) -> list[int]:
    return [checkpoint.step for checkpoint in list_checkpoints(trainer.expt_dir)]


def last_weights(trainer: Trainer) -> dict[str, Tensor]:
    return load_weights(list_checkpoints(trainer.expt_dir)[-1].path)


def stop_with(number: signal.Signals, at: int) -> Callable[[int], float]:
    def hook(step: int) -> float:
        if step == at:
            os.kill(os.getpid(), number)
        return 1.0

    return hook


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_asked_to_stop_saves_and_goes_on_exactly(run: Run, number: signal.Signals) -> None:
    before = signal.signal(number, signal.default_int_handler)  # a test run under nohup ignores SIGHUP
    try:
        whole = run("whole", "train.ema_decay=0.9")
        stopped = run("stopped", "train.ema_decay=0.9", hook=stop_with(number, 3))
    finally:
        signal.signal(number, before)
    assert (steps(whole), whole.stopped) == ([4, 8], False)
    assert (steps(stopped), stopped.stopped) == ([3], True)
    assert f"stopped after step 3 ({number.name})" in (stopped.expt_dir / "train.log").read_text()
    resumed = run("stopped", "train.ema_decay=0.9", resume=True)
    one, other = last_weights(whole), last_weights(resumed)
    assert steps(resumed) == [3, 4, 8] and all(torch.equal(one[name], other[name]) for name in one)


def nan_at(*bad: int) -> Callable[[int], float]:
    return lambda step: math.nan if step in bad else 1.0


def test_nothing_is_saved_or_validated_while_the_latest_step_was_bad(run: Run, monkeypatch) -> None:
    validated: list[int] = []
    real = Trainer.validate
    monkeypatch.setattr(Trainer, "validate", lambda self: validated.append(self.step) or real(self))
    late = run("late", hook=nan_at(4, 5))
    assert (validated, steps(late)) == ([2, 6, 8], [6, 8])
    lost = run("lost", hook=nan_at(7, 8))
    assert (validated[3:], steps(lost)) == ([2, 4, 6], [4])
    told = (lost.expt_dir / "train.log").read_text()
    assert "the last steps were not finite and are not saved; the last good checkpoint is step_00000004" in told
    assert steps(run("lost", resume=True)) == [4, 8]


def test_its_config_is_strict_and_typed(run: Run) -> None:
    with pytest.raises(UserError, match="did you mean model.width?"):
        run("voice", "model.widht=4")
