"""Whole training runs of a tiny JETS, through the faults that long runs meet."""

from __future__ import annotations

import math
import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from models.base import checkpoints, run_log
from models.base.checkpoints import latest_checkpoint, list_checkpoints, load_training, load_weights
from models.base.experiment import Experiment
from models.registry import load_config
from models.tts.jets.trainer import Trainer
from processors.text.tokens import load_tokens
from tests.trained import curves, events, state
from utils.errors import UserError

CONFIG = Path(__file__).resolve().parents[4] / "config/jets.json"
Hook = Callable[[int, dict[str, torch.Tensor]], None]


class HookedTrainer(Trainer):
    """Calls `hook(step, losses)` after each batch; it may change the losses, raise, or send a signal."""

    hook: Hook | None = None
    # Steps whose gradients are absurd.
    spikes: tuple[int, ...] = ()

    def build(self):
        parts = super().build()
        compute = parts.compute

        def hooked(batch, loss_scale):
            losses = compute(batch, loss_scale)
            if self.hook is not None:
                self.hook(self.step + 1, losses)
            if self.step + 1 in self.spikes:
                for optimizer in self.engine.optimizers.values():
                    optimizer.flat.grad.mul_(1e8)
            return losses

        parts.compute = hooked
        return parts


@pytest.fixture
def train(tiny_corpus: Path, tiny_overrides: list[str]) -> Callable[..., Path]:
    """Runs a training; returns its folder."""

    def run(name: str, *overrides: str, hook: Hook | None = None, **options) -> Path:
        config = load_config(CONFIG, [*tiny_overrides, *overrides])
        trainer = HookedTrainer(config, Experiment.named(name, config), **options)
        trainer.hook = hook
        trainer.run()
        return trainer.expt_dir

    return run


def stop_at(step: int) -> Hook:
    def hook(number: int, _: dict) -> None:
        if number == step:
            os.kill(os.getpid(), signal.SIGTERM)

    return hook


def nan_at(*steps: int) -> Hook:
    def hook(number: int, losses: dict) -> None:
        if number in steps:
            losses["generator/mel"] = losses["generator/mel"] * math.nan

    return hook


EXACT = ["train.ema_decay=0.9", "train.log_interval=1", "train.gradient_accumulation_step=2", "train.lr_warmup_steps=3"]


def test_a_stopped_run_continues_exactly(train, capfd) -> None:
    """tests/faults has killed ones."""
    whole = train("whole", *EXACT)
    expected = curves(whole)
    assert [step for step, _ in expected["train/generator/mel"]] == list(range(1, 9))
    assert [step for step, _ in expected["valid/generator/mel"]] == [4, 8]
    stopped = train("stopped", *EXACT, hook=stop_at(5))
    assert latest_checkpoint(stopped).step == 5
    assert "stopped after step 5 (SIGTERM); go on with --resume" in capfd.readouterr().err
    train("stopped", *EXACT, resume=True)
    assert curves(stopped) == expected
    assert state(latest_checkpoint(stopped)) == state(latest_checkpoint(whole))
    assert (stopped / "tokens.json").read_bytes() == (whole / "tokens.json").read_bytes()


def test_logs_pictures_and_sounds(train) -> None:
    folder = train("voice", "train.log_interval=2", "train.valid_samples=2", "train.valid_interval=8")
    found = events(folder)
    tags = found.Tags()
    scalars = set(tags["scalars"])
    for loss in ("generator/mel", "generator/mel/weighted", "generator/forward_sum", "discriminator/real"):
        assert {f"train/{loss}", f"valid/{loss}"} <= scalars
    for network in ("network", "discriminator"):
        assert {f"gradient_norm/{network}", f"learning_rate/{network}"} <= scalars
    assert {"speed/steps_per_second", "speed/data_wait", "speed/padding_waste", "skipped_steps"} <= scalars
    assert {name.split("/")[1] for name in tags["images"]} == {"mel", "alignment", "durations", "pitch", "energy"}
    assert {name.split("/")[1] for name in tags["audio"]} == {"recording", "speech", "copy"}
    recordings = [tag for tag in tags["audio"] if tag.endswith("/recording")]
    assert sorted(found.Audio(tag)[0].length_frames for tag in recordings) == [22 * 256, 28 * 256]
    rates = [event.value for event in found.Scalars("learning_rate/network")]
    assert rates[0] == pytest.approx(2e-4) and rates[-1] == pytest.approx(2e-4 * 0.999875**2)
    log = (folder / "train.log").read_text()
    assert "step 8/8 mel" in log and "training is complete" in log


def test_steps_that_are_not_finite_are_skipped(train) -> None:
    folder = train("voice", hook=nan_at(2, 3))
    found = curves(folder)
    assert [value for _, value in found["skipped_steps"]] == [0, 1, 1, 0, 0, 0, 0, 0]
    weights = load_weights(latest_checkpoint(folder).path)
    assert all(torch.isfinite(value).all() for value in weights.values())
    assert load_training(latest_checkpoint(folder).path)["engine"]["optimizers"]["network"]["updates"] == 6
    log = (folder / "train.log").read_text()
    assert "step 2 skipped: a loss that is not finite: generator/mel (utterances utt0-" in log


def test_an_absurd_spike_moves_no_weight_far_and_harms_no_checkpoint(train, monkeypatch) -> None:
    """Adam divides by the gradient's own size: whatever it is, a weight moves by a few learning rates at most."""
    calm = train("calm", "train.ema_decay=0.9")
    monkeypatch.setattr(HookedTrainer, "spikes", (6,))
    spiked = train("spiked", "train.ema_decay=0.9")
    assert max(value for _, value in curves(spiked)["gradient_norm/network"]) > 1e7
    for averaged in (False, True):
        one, other = (load_weights(latest_checkpoint(folder).path, averaged) for folder in (calm, spiked))
        assert max(float((one[key] - other[key]).abs().max()) for key in one) < 20 * 2e-4
    best = checkpoints.find_checkpoint(spiked, "best")
    assert math.isfinite(best.metrics[Trainer.METRIC])
    # What was saved before the spike is untouched.
    before = [load_weights(folder / "checkpoints/step_00000004") for folder in (calm, spiked)]
    assert all(torch.equal(before[0][key], before[1][key]) for key in before[0])


def test_a_broken_newest_checkpoint_falls_back_to_the_one_before(train, caplog) -> None:
    folder = train("voice")
    newest = latest_checkpoint(folder).path / "training.pt"
    data = bytearray(newest.read_bytes())
    data[:4096] = bytes(4096)
    newest.write_bytes(data)
    train("voice", "train.keep_last=1", "train.save_checkpoints_steps=3", resume=True)
    assert "step_00000008 is broken" in caplog.text
    assert "going on from step_00000004" in (folder / "train.log").read_text()
    assert latest_checkpoint(folder).step == 8
    load_training(latest_checkpoint(folder).path)
    assert (folder / "checkpoints/broken-step_00000008").is_dir()
    for checkpoint in list_checkpoints(folder):
        (checkpoint.path / "state.json").unlink()
    with pytest.raises(UserError, match="none of the checkpoints"):
        train("voice", resume=True)


def test_finetuning_takes_weights_and_keeps_the_new_corpus_statistics(train, corpus_writer, tiny_corpus) -> None:
    source = train("source")
    config = load_config(CONFIG, [f"preprocess.processed_dir={tiny_corpus.parent}", "preprocess.n_mel=10"])
    corpus_writer(tiny_corpus.parent / "other", config.preprocess, [25, 30, 40, 50], ["train"] * 4, seed=9)
    seen: list[dict[str, torch.Tensor]] = []
    other = ['dataset=["other"]', 'dataset_path.other="x"', "train.learning_rate=1e-12"]
    tuned = train("tuned", *other, finetune_from=source)
    before, after = (load_weights(latest_checkpoint(folder).path) for folder in (source, tuned))
    for name, value in after.items():
        if name.endswith(("_mean", "_std")) and not name.startswith("mel_"):
            assert not torch.equal(value, before[name])
        else:
            torch.testing.assert_close(value, before[name], atol=1e-6, rtol=1e-6)
    assert not seen and "starting from the weights of" in (tuned / "train.log").read_text()
    counts = [
        Counter(load_tokens(folder / "tokens.json")["counts"]) for folder in (source, train("alone", *other), tuned)
    ]
    assert counts[0] != counts[1] and counts[2] == counts[0] | counts[1]


def test_weights_alone_cannot_be_resumed(train) -> None:
    folder = train("voice", "train.max_epoch=1")
    newest = latest_checkpoint(folder)
    networks = {name: load_weights(newest.path, name=name) for name in ("network", "discriminator")}
    checkpoints.save_checkpoint(folder, 6, networks, {}, {})
    with pytest.raises(UserError, match="weights alone.*--finetune_from"):
        train("voice", resume=True)
    assert latest_checkpoint(train("tuned", finetune_from=folder)).step == 8


def test_running_out_of_memory_says_what_to_lower(train) -> None:
    def hook(number: int, _: dict) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    with pytest.raises(UserError, match="train.batch_size, train.max_batch_frames or train.segment_size"):
        train("voice", hook=hook)


def test_profile_leaves_a_trace_and_one_line(train, monkeypatch) -> None:
    monkeypatch.setattr(run_log, "WAIT", 2)
    monkeypatch.setattr(run_log, "ACTIVE", 2)
    folder = train("voice", "train.profile=true", "train.valid_interval=100")
    assert len(list((folder / "profile").glob("trace_*.json"))) == 1
    lines = [line for line in (folder / "train.log").read_text().splitlines() if "profile:" in line]
    assert len(lines) == 1 and "ms a step" in lines[0] and "conv" in lines[0]
