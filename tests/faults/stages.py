"""The work of each stage on tiny data: done in children, checked after each of their deaths, compared at the end."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from config.schema import save_config
from models.base.checkpoints import best_names, checkpoint_folders, list_checkpoints, load_training, load_weights
from models.registry import load_experiment_config
from processors.corpus import ProcessedCorpus
from tests.faults.children import Children, Moment, Outcome
from tests.faults.fuzz import TALLY
from tests.preprocessors.conftest import folder_bytes, make_corpus, write_config
from utils.errors import UserError

# A voice and the corpus that it was trained on.
FIXTURE = max((Path(__file__).resolve().parents[1] / "fixtures").glob("v*"))
SENTENCES = ["The first one is short.", "A second, longer one follows it.", "The third!", "And a last one, the fourth."]


def leftovers(folder: Path) -> list[Path]:
    """Files and folders below `folder` that a killed process did not finish."""
    ends = (".new", ".old", ".work", ".tmp")
    return [path for path in folder.rglob("*") if path.name.startswith((".writing-", ".deleting-"))
            or path.name.startswith(".") and path.name.endswith(ends) or path.name.endswith(".tmp")]  # fmt: skip


class Stage(ABC):
    """Work that writes the folder `path(name)`."""

    SCRIPT = ""
    KINDS: tuple[str, ...] = ("operation", "bytes", "seconds")  # of moments, in turn
    SIZES: tuple[tuple[int, int], ...] = ()  # ranges of bytes; files that grow that far are cut off there
    DISKS: tuple[int, ...] = ()  # kilobytes of disks that are too small, or nearly

    def __init__(self, children: Children, folder: Path) -> None:
        self.children, self.folder = children, folder

    def path(self, name: str) -> Path:
        """Where a run of that name puts its results."""
        return self.folder / name

    @abstractmethod
    def flags(self, name: str) -> Sequence[str]:
        """Of its script."""

    @abstractmethod
    def check(self, name: str) -> None:
        """What holds however a run ended."""

    @abstractmethod
    def contents(self, name: str) -> Any:
        """All that a finished run leaves, except for times."""

    def run(self, name: str, moment: Moment = Moment()) -> Outcome:  # noqa: B008  (frozen)
        """Work until the end or the moment; then whatever is there is whole."""
        outcome = self.children.run(self.SCRIPT, *self.flags(name), moment=moment)
        if outcome.killed:
            TALLY[f"kills of {self.SCRIPT}.py, {moment.kind}"] += 1
        self.check(name)
        return outcome

    @cached_property
    def whole(self) -> Outcome:
        """The run "whole", which nothing disturbs."""
        outcome = self.run("whole")
        assert outcome.status == 0, outcome.output
        return outcome

    def random_moment(self, kind: str, rng: random.Random) -> Moment:
        """One in the first half of a run: several of them fit into one piece of work."""
        if kind == "bytes":
            return Moment(kind, rng.randint(*rng.choice(self.SIZES)))
        if kind == "seconds":
            return Moment(kind, round(rng.uniform(0, self.whole.seconds / 2), 4))
        return Moment(kind, rng.randint(1, max(1, self.whole.counts[kind] // 2)))

    def finish(self, name: str) -> None:
        """Run once more: it ends like the one that nothing disturbed, and nothing half-written is left."""
        assert self.whole
        for path in leftovers(self.path(name)):
            os.utime(path, (0, 0))  # a minute after a kill nobody can still be writing
        last = self.run(name)
        assert last.status == 0, last.output
        assert self.contents(name) == self.contents("whole")
        assert leftovers(self.path(name)) == []


class Features(Stage):
    """Stage 1, ten utterances in groups of three."""

    SCRIPT = "preprocess"
    KINDS = ("operation", "seconds", "operation", "bytes")
    SIZES = ((1, 4000), (4000, 60_000), (60_000, 150_000))
    DISKS = (4, 150, 450, 700)

    def flags(self, name: str) -> Sequence[str]:
        recordings, config = self.folder / "voice", self.folder / f"{name}.json"
        if not recordings.exists():
            make_corpus(recordings, 10, seconds=0.6)
        return "--config", str(write_config(config, recordings, self.path(name)))

    def check(self, name: str) -> None:
        try:
            ProcessedCorpus.open(self.path(name) / "voice").check()
        except UserError as error:
            assert "no finished features" in str(error), "a half-written corpus has taken its place"

    def contents(self, name: str) -> Any:
        return folder_bytes(self.path(name))


class Training(Stage):
    """Stage 2, twelve steps with the corpus in memory."""

    SCRIPT = "train"
    KINDS = ("operation", "update", "bytes", "seconds")
    # Few kills in the small files at the start, more in the networks (to 40 kB) and the optimisers (to 210 kB).
    SIZES = ((1, 6000), (6000, 40_000), (40_000, 205_000))
    DISKS = (4, 300, 700, 1100, 1500)
    OVERRIDES = (
        "train.steps_per_epoch=4", "train.max_epoch=3", "train.lr_warmup_steps=3", "train.valid_interval=3",
        "train.save_checkpoints_steps=2", "train.keep_last=2", "evaluate.during_training=false",
        "train.corpus_on_device=always",
    )  # fmt: skip

    def __init__(self, children: Children, folder: Path) -> None:
        super().__init__(children, folder)
        self.newest: dict[str, int] = {}
        self.data = shutil.copytree(FIXTURE / "data", folder / "data")

    def flags(self, name: str) -> Sequence[str]:
        places = (f"preprocess.processed_dir={self.data}", f"log_dir={self.folder}")
        overrides = [f"--set={one}" for one in (*places, *self.OVERRIDES)]
        save_config(load_experiment_config(FIXTURE / "voice"), self.folder / "exp.json")
        return "--config", str(self.folder / "exp.json"), "--name", name, "--resume", *overrides

    def check(self, name: str) -> None:
        """The newest checkpoint loads, and is no older than before."""
        found = list_checkpoints(self.path(name))
        assert len(found) == len(checkpoint_folders(self.path(name))), "a folder only looks like a checkpoint"
        for checkpoint in found[-1:]:
            for network in ("network", "discriminator", "ema"):
                load_weights(checkpoint.path, False, network)
            load_training(checkpoint.path)
        step = found[-1].step if found else 0
        assert step >= self.newest.get(name, 0), "the newest checkpoint is gone"
        self.newest[name] = step

    def contents(self, name: str) -> Any:
        """Curves but those of speed, as TensorBoard shows them; weights, optimisers, random states, ranking."""
        folder = self.path(name)
        events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0})
        events.Reload()
        tags = [tag for tag in events.Tags()["scalars"] if not tag.startswith("speed/")]
        found = {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in tags}
        found["best"], found["config"] = best_names(folder), (folder / "config.json").read_bytes()
        for checkpoint in list_checkpoints(folder):
            state = comparable(load_training(checkpoint.path))
            weights = {path.name: path.read_bytes() for path in checkpoint.path.glob("*.safetensors")}
            found[checkpoint.name] = (weights, state, checkpoint.metrics)
        return found


class ReadingTraining(Training):
    """With the corpus read ahead from disk by a thread, and a logged mean over several steps of two batches."""

    OVERRIDES = (
        *Training.OVERRIDES[:-1], "train.corpus_on_device=never", "train.gradient_accumulation_step=2",
        "train.log_interval=3",
    )  # fmt: skip


def comparable(tree: Any) -> Any:
    """A tree of plain values and tensors with a digest for each tensor."""
    if isinstance(tree, dict):
        return {key: comparable(value) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [comparable(value) for value in tree]
    if isinstance(tree, torch.Tensor):
        return tree.dtype, tree.shape, hashlib.sha256(tree.numpy().tobytes()).hexdigest()
    return tree


class Speaking(Stage):
    """Stage 3, a wav for each line of id|text."""

    SCRIPT = "inference"
    SIZES = ((1, 200), (200, 5000), (5000, 30_000))
    DISKS = (4, 16, 32)
    TEXT = "".join(f"line{n}|{text}\n" for n, text in enumerate(SENTENCES))

    def flags(self, name: str) -> Sequence[str]:
        (self.folder / "text").write_text(self.TEXT)
        voice = ("--expt_dir", str(FIXTURE / "voice"), "--device", "cpu", "--output_dir", str(self.path(name)))
        return *voice, "--text_file", str(self.folder / "text")

    def check(self, name: str) -> None:
        if name != "whole":
            assert self.whole
            assert self.contents(name).items() <= self.contents("whole").items()

    def contents(self, name: str) -> Any:
        """Wavs, and manifest lines without the times."""
        found: dict[str, Any] = {path.name: path.read_bytes() for path in self.path(name).glob("*.wav")}
        file = self.path(name) / "manifest.jsonl"
        for row in map(json.loads, file.read_text().splitlines() if file.exists() else ()):
            found[f"line of {row['id']}"] = str({key: value for key, value in row.items() if key != "rtf"})
        return found


class SpeakingLongText(Speaking):
    """One wav of several sentences."""

    TEXT = " ".join(SENTENCES)


class SpeakingSplit(Speaking):
    """The training split, which has six utterances."""

    def flags(self, name: str) -> Sequence[str]:
        split = ("--mode", "batch", "--testing_set", "train")
        return *super().flags(name)[:-2], *split, "--set", f"preprocess.processed_dir={FIXTURE / 'data'}"
