"""What only a GPU shows: precisions, graphs, and a loop that never waits for the device."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from models.base.checkpoints import latest_checkpoint, load_weights
from models.base.device import set_determinism
from models.base.experiment import Experiment
from models.registry import load_config
from models.tts.jets.trainer import Trainer

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
CONFIG = Path(__file__).resolve().parents[4] / "config/jets.json"


class CheckedTrainer(Trainer):
    """Makes any wait for the device an error while a step is being prepared, after the first `free` steps."""

    free = 4

    def build(self):
        parts = super().build()
        compute, following = parts.compute, parts.batches.next

        def guarded(action):
            def call(*arguments):
                if self.step < self.free:
                    return action(*arguments)
                torch.cuda.set_sync_debug_mode("error")
                try:
                    return action(*arguments)
                finally:
                    torch.cuda.set_sync_debug_mode("default")

            return call

        parts.compute, parts.batches.next = guarded(compute), guarded(following)
        return parts


class ComparingTrainer(Trainer):
    """Makes each step twice, eagerly and as a graph, from the same random numbers; keeps how far they differ."""

    def build(self):
        parts = super().build()
        step, networks = parts.compute, parts.networks.values()
        self.differences: list[float] = []

        def gradients(function, batch, loss_scale):
            for network in networks:
                network.zero_grad(set_to_none=False)
            torch.manual_seed(self.step)
            losses = {name: value.clone() for name, value in function(batch, loss_scale).items()}
            return losses, [parameter.grad.clone() for net in networks for parameter in net.parameters()]

        def both(batch, loss_scale):
            step(batch, loss_scale)  # captures the graph, which takes random numbers
            eager, slow = gradients(step.compute, batch, loss_scale)
            replayed, fast = gradients(step, batch, loss_scale)
            torch.testing.assert_close(replayed, eager, rtol=1e-3, atol=1e-5)
            largest = max(gradient.norm() for gradient in slow)
            self.differences += [((a - b).norm() / (a.norm() + 1e-4 * largest)).item() for a, b in zip(slow, fast)]
            return replayed

        parts.compute = both
        return parts


@pytest.fixture
def train(tiny_corpus, tiny_overrides):
    def run(name: str, *overrides: str, kind: type[Trainer] = Trainer, **options) -> Path:
        config = load_config(CONFIG, [*tiny_overrides, *overrides])
        trainer = kind(config, Experiment.named(name, config), **options)
        trainer.run()
        run.trainer = trainer
        return trainer.expt_dir

    return run


@pytest.fixture(params=["one speaker", "several"])
def speakers(request, tiny_corpus, tiny_overrides, corpus_writer):
    """The corpus of one speaker, or another one of three in two languages."""
    if request.param == "several":
        shutil.rmtree(tiny_corpus)
        who = (("anna", "en-us", 220.0), ("ben", "de", 110.0), ("karl", "en-us", 90.0))
        config = load_config(CONFIG, tiny_overrides)
        splits = ["train"] * 15 + ["valid"] * 2
        corpus_writer(tiny_corpus, config.preprocess, [3, *range(20, 36)], splits, who=who)


def test_a_replayed_step_is_an_eager_step(train, monkeypatch, speakers) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    train("voice", "train.precision=fp32", "train.max_epoch=1", kind=ComparingTrainer)
    assert len(train.trainer.differences) > 0 and max(train.trainer.differences) < 1e-2


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("graphs", ["true", "false"])
def test_every_precision_trains_and_resumes(train, precision: str, graphs: str) -> None:
    options = [f"train.precision={precision}", f"train.cuda_graphs={graphs}", "train.ema_decay=0.9",
               "train.log_interval=4", "train.grad_clip=100"]  # fmt: skip
    train("voice", *options, "train.max_epoch=1")
    folder = train("voice", *options, resume=True)
    newest = latest_checkpoint(folder)
    assert newest.step == 8
    assert all(torch.isfinite(value).all() for value in load_weights(newest.path).values())
    assert "going on from step_00000004" in (folder / "train.log").read_text()


@pytest.mark.parametrize("place", ["always", "never"])
def test_a_step_never_waits_for_the_device(train, place: str, speakers) -> None:
    train("voice", f"train.corpus_on_device={place}", "train.log_interval=4", "train.max_epoch=4",
          "train.valid_interval=1000", kind=CheckedTrainer)  # fmt: skip


def test_deterministic_runs_repeat(train) -> None:
    try:
        runs = [train(name, "train.deterministic=true", "train.precision=fp32") for name in ("one", "two")]
    finally:
        set_determinism(False)  # whatever happened, the other tests' kernels are the fast ones
    one, two = (load_weights(latest_checkpoint(folder).path) for folder in runs)
    assert all(torch.equal(one[name], two[name]) for name in one)
