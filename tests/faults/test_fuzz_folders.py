"""Damaged experiment and corpus folders: whatever is in their files, one sentence or a result comes out, and soon."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from models.base import checkpoints
from models.base.experiment import Experiment
from models.base.sampler import LengthSampler
from models.evaluation.stage import items_of, read_manifest
from models.registry import load_experiment_config
from models.tts.jets.dataset import StoredUtterances, UtteranceTable, merged_statistics
from models.tts.jets.synthesizer import Synthesizer
from processors.corpus import ProcessedCorpus
from processors.text.tokens import load_tokens
from tests.faults.fuzz import changed_json, changed_json_lines, damaged, fuzzed, only_user_errors
from utils.errors import UserError
from utils.files import FileLock

FIXTURE = Path(__file__).resolve().parents[1] / "fixtures/v2"
VOICE, CORPUS = FIXTURE / "voice", FIXTURE / "data/tiny"
CHECKPOINT = Path("checkpoints/step_00000004")


def tree_of(path: Path) -> Any:
    """Value of a JSON file, or the list of those of a JSON Lines file."""
    text = path.read_text()
    return [json.loads(line) for line in text.splitlines()] if path.suffix == ".jsonl" else json.loads(text)


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the fixture's voice."""
    return shutil.copytree(VOICE, tmp_path_factory.mktemp("fuzz") / "voice")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the fixture's corpus."""
    return shutil.copytree(CORPUS, tmp_path_factory.mktemp("fuzz") / "tiny")


@contextmanager
def changed(folder: Path, name: Path | str, content: bytes) -> Iterator[None]:
    """Inside the block one file of the copy `folder` has another content."""
    (folder / name).write_bytes(content)
    try:
        yield
    finally:
        shutil.copy((VOICE if folder.name == "voice" else CORPUS) / name, folder / name)


@fuzzed
def test_state_of_a_checkpoint(voice: Path, rng: random.Random) -> None:
    content = changed_json(tree_of(VOICE / CHECKPOINT / "state.json"), rng)
    with changed(voice, CHECKPOINT / "state.json", content):
        for which in ("last", "best", "step_00000004"):
            with only_user_errors():
                checkpoints.find_checkpoint(voice, which)
        with only_user_errors():
            retention = checkpoints.Retention(voice, 1, 1, "measures/score")
            retention.is_better(1.0)
            retention.apply()


@fuzzed
def test_record_of_the_best(voice: Path, rng: random.Random) -> None:
    content = changed_json(tree_of(VOICE / "checkpoints/best.json"), rng)
    with changed(voice, "checkpoints/best.json", content), only_user_errors():
        assert checkpoints.find_checkpoint(voice, "best").name == "step_00000004"


@fuzzed
def test_token_table(voice: Path, rng: random.Random) -> None:
    content = changed_json(tree_of(VOICE / "tokens.json"), rng)
    with changed(voice, "tokens.json", content), only_user_errors():
        table = load_tokens(voice / "tokens.json")
        assert table["tokens"][0] == "<pad>" or table["phone_extractor"] == "espnet"


@fuzzed
def test_config_of_an_experiment(voice: Path, rng: random.Random) -> None:
    content = changed_json(tree_of(VOICE / "config.json"), rng)
    whole = load_experiment_config(VOICE)
    with changed(voice, "config.json", content):
        with only_user_errors():
            load_experiment_config(voice)
        with only_user_errors():
            Experiment(voice, whole).open(resume=True)


def use(corpus: Path) -> None:
    """Everything that training reads of a corpus."""
    opened = ProcessedCorpus.open(corpus)
    opened.check()
    merged_statistics([opened])
    for split in ("train", "valid"):
        table = UtteranceTable([opened], split)
        if len(table):
            sampler = LengthSampler(table.frames, table.tokens, table.ids, 2)
            for plan in sampler.plan_pass(0):
                StoredUtterances.read(table, plan.indices, torch.device("cpu"))


@fuzzed
def test_meta_of_a_corpus(corpus: Path, rng: random.Random) -> None:
    content = changed_json(tree_of(CORPUS / "meta.json"), rng)
    with changed(corpus, "meta.json", content):
        with only_user_errors():
            use(corpus)
        with only_user_errors():
            ProcessedCorpus.open(corpus, load_experiment_config(VOICE).preprocess)


@fuzzed
def test_manifest_and_shards_of_a_corpus(corpus: Path, rng: random.Random) -> None:
    """Any change is noticed, and what is read without a look at the checksum is a sentence or a result."""
    path = rng.choice([*CORPUS.glob("*.arrow"), *CORPUS.glob("shards/*.arrow")])
    content = damaged(path.read_bytes(), rng)
    with changed(corpus, path.relative_to(CORPUS), content):
        if content != path.read_bytes():
            with pytest.raises(UserError, match="run stage 1 again"):
                use(corpus)
        with only_user_errors():
            opened = ProcessedCorpus.open(corpus)
            for row in range(len(opened)):
                opened.arrays(row)


@fuzzed
def test_weights(voice: Path, rng: random.Random) -> None:
    name = rng.choice(("network", "ema", "discriminator"))
    file = CHECKPOINT / f"{name}.safetensors"
    with changed(voice, file, damaged((VOICE / file).read_bytes(), rng, head=4000)):
        with only_user_errors():
            checkpoints.load_weights(voice / CHECKPOINT, False, name)
        with only_user_errors():
            Synthesizer.from_experiment(voice, device="cpu")


@fuzzed
def test_training_state(voice: Path, rng: random.Random) -> None:
    content = damaged((VOICE / CHECKPOINT / "training.pt").read_bytes(), rng, head=30_000)
    with changed(voice, CHECKPOINT / "training.pt", content):
        with only_user_errors():
            checkpoints.load_training(voice / CHECKPOINT)
        # Without the checksum in front of it, too.
        with contextlib.suppress(OSError, ValueError):
            checkpoints.load_plain(voice / CHECKPOINT / "training.pt")


@fuzzed
def test_manifest_of_wavs_to_judge(tmp_path: Path, rng: random.Random) -> None:
    content = changed_json_lines([{"id": "a", "text": "One.", "wav": "a.wav", "reference": "b.wav"}] * 2, rng)
    (tmp_path / "manifest.jsonl").write_bytes(content)
    with only_user_errors():
        items_of(read_manifest(tmp_path / "manifest.jsonl"), tmp_path, lambda key: None)


@fuzzed
def test_lock_file(tmp_path: Path, rng: random.Random) -> None:
    (tmp_path / ".lock").write_bytes(changed_json({"host": "here", "pid": 1, "since": "now"}, rng))
    with only_user_errors(), FileLock(tmp_path / ".lock", "the folder is in use"):
        pass
