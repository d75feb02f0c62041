"""The work of each stage on tiny data: done in children, checked after each of their deaths, compared at the end."""

from __future__ import annotations

import json
import os
import random
import shutil
from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path
from typing import Any

from config.schema import save_config
from models.base.checkpoints import best_names, checkpoint_folders, list_checkpoints, load_training, load_weights
from models.registry import load_experiment_config
from processors.corpus import ProcessedCorpus
from tests.faults.children import Children, Outcome
from tests.faults.fuzz import TALLY
from tests.preprocessors.conftest import folder_bytes, make_corpus, write_config
from tests.trained import curves, state
from utils.errors import UserError

# A voice and the corpus that it was trained on.
FIXTURE = max((Path(__file__).resolve().parents[1] / "fixtures").glob("v*"))
SENTENCES = ["The first one is short.", "A second, longer one follows it.", "The third!", "And a last one, the fourth."]


def leftovers(folder: Path) -> list[Path]:
    """Files and folders below `folder` that a killed process did not finish."""
    hidden = [path for path in folder.rglob(".*") if path.suffix in (".new", ".old", ".work")]
    return [*hidden, *folder.rglob("*.tmp"), *folder.rglob(".writing-*"), *folder.rglob(".deleting-*")]


def sizes(folder: Path) -> list[int]:
    """Bytes of every file below `folder`."""
    return [path.stat().st_size for path in folder.rglob("*") if path.is_file()]


class Stage(ABC):
    """Work that writes the folder `path(name)`."""

    SCRIPT = ""
    KINDS: tuple[str, ...] = ("operation", "bytes")  # of deaths, in turn

    def __init__(self, children: Children, folder: Path) -> None:
        self.children, self.folder = children, folder

    def path(self, name: str) -> Path:
        """Where a run of that name puts its results."""
        return self.folder / name

    @abstractmethod
    def flags(self, name: str) -> list[str]:
        """Of its script."""

    @abstractmethod
    def check(self, name: str) -> None:
        """What holds however a run ended."""

    @abstractmethod
    def contents(self, name: str) -> Any:
        """All that a finished run leaves, except for times."""

    def run(self, name: str, kind: str = "never", at: int = 0) -> Outcome:
        """Work until the end or a death; then whatever is there is whole."""
        outcome = self.children.run(self.SCRIPT, *self.flags(name), kind=kind, at=at)
        if outcome.status < 0:
            TALLY[f"kills of {self.SCRIPT}.py, {kind}"] += 1
        self.check(name)
        return outcome

    @cached_property
    def whole(self) -> Outcome:
        """The run "whole", which nothing disturbs."""
        outcome = self.run("whole")
        assert outcome.status == 0, outcome.output
        return outcome

    def kill(self, name: str, kind: str, rng: random.Random) -> bool:
        """Run, and die in the first half, so that several deaths fit into one piece of work; whether it did."""
        last = max(sizes(self.path("whole"))) if self.whole and kind == "bytes" else self.whole.counts[kind] // 2
        outcome = self.run(name, kind, rng.randint(1, last))
        assert outcome.status <= 0, outcome.output
        return outcome.status < 0

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

    def flags(self, name: str) -> list[str]:
        recordings = self.folder / "voice"
        if not recordings.exists():
            make_corpus(recordings, 10, seconds=0.6)
        return ["--config", str(write_config(self.folder / f"{name}.json", recordings, self.path(name)))]

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
    KINDS = ("operation", "update", "bytes")
    OVERRIDES = (
        "train.steps_per_epoch=4", "train.max_epoch=3", "train.lr_warmup_steps=3", "train.valid_interval=3",
        "train.save_checkpoints_steps=2", "train.keep_last=2", "evaluate.during_training=false",
        "train.corpus_on_device=always",
    )  # fmt: skip

    def __init__(self, children: Children, folder: Path) -> None:
        super().__init__(children, folder)
        self.newest: dict[str, int] = {}
        self.data = shutil.copytree(FIXTURE / "data", folder / "data")

    def flags(self, name: str) -> list[str]:
        save_config(load_experiment_config(FIXTURE / "voice"), self.folder / "exp.json")
        places = (f"preprocess.processed_dir={self.data}", f"log_dir={self.folder}")
        overrides = [f"--set={one}" for one in (*places, *self.OVERRIDES)]
        return ["--config", str(self.folder / "exp.json"), "--name", name, "--resume", *overrides]

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
        folder = self.path(name)
        config = (folder / "config.json").read_bytes()
        return curves(folder), [state(one) for one in list_checkpoints(folder)], best_names(folder), config


class ReadingTraining(Training):
    """With the corpus read ahead from disk by a thread, and a logged mean over several steps of two batches."""

    OVERRIDES = (
        *Training.OVERRIDES[:-1], "train.corpus_on_device=never", "train.gradient_accumulation_step=2",
        "train.log_interval=3",
    )  # fmt: skip


class Speaking(Stage):
    """Stage 3, a wav for each line of id|text."""

    SCRIPT = "inference"
    TEXT = "".join(f"line{n}|{text}\n" for n, text in enumerate(SENTENCES))

    def flags(self, name: str) -> list[str]:
        (self.folder / "text").write_text(self.TEXT)
        return ["--expt_dir", str(FIXTURE / "voice"), "--device", "cpu", "--output_dir", str(self.path(name)),
                "--text_file", str(self.folder / "text")]  # fmt: skip

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

    def flags(self, name: str) -> list[str]:
        split = ["--mode", "batch", "--testing_set", "train"]
        return [*super().flags(name)[:-2], *split, "--set", f"preprocess.processed_dir={FIXTURE / 'data'}"]
