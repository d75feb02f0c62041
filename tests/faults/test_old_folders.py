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
from models.tts.jets.synthesizer import Synthesizer
from models.tts.jets.trainer import Trainer
from processors import corpus
from processors.corpus import ProcessedCorpus
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
    """Or one sentence says that stage 1 makes it again."""
    if not is_current(folders):
        with pytest.raises(UserError, match=r"format version 1, this program reads \d: run stage 1 again"):
            ProcessedCorpus.open(folders / "data/tiny")
        return
    opened = ProcessedCorpus.open(folders / "data/tiny")
    opened.check()
    assert [len(opened.split(name)) for name in corpus.SPLITS] == [6, 1, 1]
    last = opened.utterances[-1]
    audio, log_f0, _ = opened.arrays(last.row)
    assert len(audio) == 64 * len(log_f0) == last.length
    assert last.text == "Nine small stones." and last.phones[0] == "^"


def is_current(folders: Path) -> bool:
    """Whether a version's corpora are those of today."""
    meta = json.loads((folders / "data/tiny/meta.json").read_text())
    known = (corpus.FORMAT_VERSION, corpus.FEATURES_VERSION)
    return (meta["format_version"], meta["features_version"]) == known


def test_an_old_training_goes_on(folders: Path) -> None:
    """Where the corpus is no longer that of today, one sentence asks for stage 1, and then it goes on."""

    def trainer(data: Path) -> Trainer:
        places = [f"log_dir={folders}", f"preprocess.processed_dir={data}", "train.max_epoch=2"]
        config = load_experiment_config(folders / "voice", places)
        return Trainer(config, Experiment.named("voice", config), resume=True)

    if not is_current(folders):
        with pytest.raises(UserError, match="run stage 1 again"):
            trainer(folders / "data").run()
        # What stage 1 makes of the same recordings.
        shutil.copytree(FIXTURES / VERSIONS[-1] / "data", folders / "data", dirs_exist_ok=True)
    trainer(folders / "data").run()
    newest = latest_checkpoint(folders / "voice")
    assert newest is not None and newest.step == 8
    assert float(load_training(newest.path)["engine"]["optimizers"]["network"]["updates"]) == 8


@pytest.mark.parametrize("name", ["data/tiny/meta.json", "voice/tokens.json", "voice/checkpoints/*/state.json"])
def test_a_newer_format_is_refused_with_a_sentence(folders: Path, name: str) -> None:
    (path,) = folders.glob(name)
    tree = json.loads(path.read_text())
    path.write_text(json.dumps({**tree, "format_version": 99}))
    with pytest.raises(UserError, match=r"format version 99.*this program reads"):
        if name.startswith("data"):
            ProcessedCorpus.open(folders / "data/tiny")
        else:
            Synthesizer.from_experiment(folders / "voice", device="cpu")
