"""Folders that earlier versions wrote: tests/fixtures/v1 and so on must load for ever; newer ones are refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from models.base import checkpoints
from models.base.checkpoints import latest_checkpoint, load_training
from models.base.experiment import Experiment
from models.registry import load_experiment_config
from models.tts.jets.inference import Synthesizer
from models.tts.jets.trainer import Trainer
from processors import corpus
from processors.corpus import ProcessedCorpus, StaleFeatures, read_meta
from processors.text import tokens
from utils.errors import UserError

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
VERSIONS = sorted(path.name for path in FIXTURES.glob("v*"))


@pytest.fixture(params=VERSIONS)
def folders(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of one version's folders: voice/ and data/tiny/."""
    shutil.copytree(FIXTURES / request.param, tmp_path / "old")
    return tmp_path / "old"


def test_there_are_folders_of_todays_format_and_they_are_small() -> None:
    newest = max(checkpoints.FORMAT_VERSION, corpus.FORMAT_VERSION, tokens.FORMAT_VERSION)
    assert VERSIONS == [f"v{number}" for number in range(1, newest + 1)], "run tests/fixtures/make.py and commit it"
    size = sum(path.stat().st_size for path in FIXTURES.rglob("*") if path.is_file())
    assert size < 1_000_000
    for path in FIXTURES.rglob("*.json"):
        if path.name in ("meta.json", "tokens.json", "state.json", "best.json"):
            assert json.loads(path.read_text())["format_version"] in range(1, newest + 1), path


def test_an_old_voice_speaks(folders: Path) -> None:
    voice = Synthesizer.from_experiment(folders / "voice", device="cpu")
    wave, rate = voice.tts("A sentence for an old voice.")
    assert rate == 8000 and wave.dtype == np.float32 and len(wave) > 0 and np.isfinite(wave).all()


def test_an_old_corpus_opens(folders: Path) -> None:
    opened = ProcessedCorpus.open(folders / "data/tiny")
    assert [len(opened.split(name)) for name in corpus.SPLITS] == [6, 1, 1]
    last = opened.utterances[-1]
    assert last.frame_offset + last.frames == len(opened.log_f0) and len(opened.audio) == 64 * len(opened.log_f0)
    assert last.text == "Nine small stones." and last.phones[0] == "^"


def test_an_old_training_goes_on(folders: Path) -> None:
    """Where the features' meaning has changed since, they are refused with one sentence instead."""
    places = [f"log_dir={folders}", f"preprocess.processed_dir={folders / 'data'}", "train.max_epoch=2"]
    config = load_experiment_config(folders / "voice", places)
    trainer = Trainer(config, Experiment.named("voice", config), resume=True)
    if read_meta(folders / "data/tiny")["features_version"] != corpus.FEATURES_VERSION:
        with pytest.raises(StaleFeatures, match="run stage 1 again"):
            trainer.run()
        return
    trainer.run()
    newest = latest_checkpoint(folders / "voice")
    assert newest is not None and newest.step == 8
    assert float(load_training(newest.path)["engine"]["optimizers"]["network"]["updates"]) == 8


@pytest.mark.parametrize(
    "name", ["data/tiny/meta.json", "data/tiny/tokens.json", "voice/tokens.json", "voice/checkpoints/*/state.json"]
)
def test_a_newer_format_is_refused_with_a_sentence(folders: Path, name: str) -> None:
    (path,) = folders.glob(name)
    tree = json.loads(path.read_text())
    path.write_text(json.dumps({**tree, "format_version": 99}))
    with pytest.raises(UserError, match=r"format version 99.*this program reads"):
        if name.startswith("data"):
            ProcessedCorpus.open(folders / "data/tiny")
        else:
            Synthesizer.from_experiment(folders / "voice", device="cpu")
