"""Two processes that only know each other's address train as one does, and one goes on where two have stopped."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from config.schema import ExperimentConfig
from models import registry
from models.base.base_trainer import BaseTrainer
from models.base.checkpoints import find_checkpoint, load_weights
from models.base.engine import Parts
from models.base.experiment import Experiment
from models.base.sampler import LengthSampler
from models.tts.jets.dataset import BATCHES_AHEAD, BatchAssembler, JetsBatches, UtteranceTable, open_corpora
from processors.corpus import fingerprint
from tests.stored_corpus import store_corpus

ROOT = Path(__file__).resolve().parents[3]
TOKENS = ["<pad>", "^", "$", "a", "b"]
STATISTICS = {"log_f0_mean": 5.0, "log_f0_std": 0.2, "energy_mean": 10.0, "energy_std": 8.0}


class ToyConfig(ExperimentConfig):
    """An experiment with one linear layer."""

    model: dict[str, int]


class Trainer(BaseTrainer):
    """Predicts an utterance's pitch from its mean spectrum; its loss is a mean over utterances."""

    METRIC, SHOWN = "loss", {"loss": "loss"}
    config: ToyConfig

    def build(self) -> Parts:
        self.network = nn.Linear(self.config.preprocess.n_mel, 1)
        table = UtteranceTable(open_corpora(self.config), "train")
        read = table.arrays
        self.reads: list[int] = []
        table.arrays = lambda index: (self.reads.append(int(index)), read(index))[1]  # type: ignore[method-assign]
        self.seen: list[list[str]] = []
        rank, world = self.processes.rank, self.processes.world_size
        sampler = LengthSampler(
            table.frames, table.tokens, table.ids, self.config.train.batch_size, rank=rank, world_size=world
        )
        assembler = BatchAssembler(self.config.preprocess, STATISTICS, torch.device("cpu"))
        return Parts({"network": self.network}, self.compute, JetsBatches(table, sampler, assembler, False), TOKENS)

    def compute(self, batch: Any, loss_scale: Tensor) -> dict[str, Tensor]:
        self.seen.append(list(batch.ids))
        lengths = batch.frame_lengths.unsqueeze(1)
        wanted = batch.log_f0.sum(1, keepdim=True) / lengths
        loss = (self.network(batch.mel.sum(1) / lengths / 10) - wanted).square().mean()
        (loss * loss_scale).backward()
        return {"loss": loss.detach()}


def register() -> None:
    """Make the model known under its name."""
    for part, content in (("config", {"ToyConfig": ToyConfig}), ("trainer", {"Trainer": Trainer})):
        sys.modules[f"toy.{part}"] = ModuleType(f"toy.{part}")
        vars(sys.modules[f"toy.{part}"]).update(content)
    sys.modules["toy"] = ModuleType("toy")
    registry.MODEL_PACKAGES["Toy"] = "toy"


def train(config: str, name: str, *overrides: str, resume: bool = False) -> Trainer:
    """Train experiment `name`, as one of the processes of the environment."""
    loaded = registry.load_config(Path(config), overrides)
    trainer = Trainer(loaded, Experiment.named(name, loaded), resume)
    trainer.run()
    return trainer


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A config whose corpus is made."""
    monkeypatch.setattr(registry, "MODEL_PACKAGES", {**registry.MODEL_PACKAGES, "Toy": "toy"})
    for name in ("toy", "toy.config", "toy.trainer"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    register()
    path = tmp_path / "toy.json"
    train = {"steps_per_epoch": 4, "max_epoch": 2, "batch_size": 4, "log_interval": 1, "learning_rate": 0.01}
    content = {"base_config": "config/tts.json", "model_type": "Toy", "model": {}, "log_dir": str(tmp_path)}
    content |= {"dataset": ["tiny"], "dataset_path": {"tiny": "x"}, "train": train}
    path.write_text(json.dumps({**content, "preprocess": {"processed_dir": str(tmp_path / "data")}}))
    preprocess = registry.load_config(path).preprocess
    rng = np.random.default_rng(0)
    rows = [
        {
            "id": f"u{number}",
            "phones": ["a", "b"],
            "split": "train",
            "audio": rng.integers(-9999, 9999, 256 * frames, np.int16),
            "log_f0": rng.normal(5, 0.2, frames).astype(np.float32),
        }
        for number, frames in enumerate(rng.integers(8, 40, 32))
    ]
    meta = {"fingerprint": fingerprint(preprocess), "sample_rate": 22050, "hop_size": 256, "statistics": STATISTICS}
    store_corpus(tmp_path / "data/tiny", rows, TOKENS, **meta)
    return path


def test_two_machines_train_as_one_and_one_goes_on_as_two(config: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # What torchrun says to the one process of each of two machines.
    there = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "LOCAL_RANK": "0"}
    there |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, str(config), "two", "train.batch_size=2", "train.max_epoch=1"]
    nodes = [
        subprocess.Popen(command, env={**there, "RANK": str(rank)}, stdout=subprocess.PIPE, text=True)
        for rank in range(2)
    ]
    whole = train(str(config), "one")
    told = [json.loads(node.communicate(timeout=150)[0].splitlines()[-1]) for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0]
    for step, parts in enumerate(zip(*(seen for seen, _ in told))):
        assert sorted([*parts[0], *parts[1]]) == sorted(whole.seen[step])  # no utterance twice
    assert all(reads <= (4 + BATCHES_AHEAD) * 2 for _, reads in told)
    resumed = train(str(config), "two", resume=True)
    one, other = (load_weights(find_checkpoint(run.expt_dir).path) for run in (whole, resumed))
    assert resumed.first_step == 4 and torch.equal(one["weight"], whole.network.weight.detach())
    for name in one:
        torch.testing.assert_close(other[name], one[name], atol=1e-6, rtol=1e-5)
    lines = (whole.expt_dir / "train.log").read_text(), (resumed.expt_dir / "train.log").read_text()
    losses = [[line.split("loss ")[1].split()[0] for line in text.splitlines() if " loss " in line] for text in lines]
    assert losses[0] == losses[1] and len(set(losses[0])) == 8


if __name__ == "__main__":
    register()
    trained = train(*sys.argv[1:])
    print(json.dumps([trained.seen, len(trained.reads)]), flush=True)
    os._exit(0)
