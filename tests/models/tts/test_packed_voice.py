"""What the other stages make of a packed voice: training from it, measuring it, export."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from models.base.checkpoints import find_checkpoint, has_weights, load_weights
from models.base.experiment import Experiment
from models.evaluation.stage import Request, run_evaluation
from models.registry import load_config, load_experiment_config
from models.tts.exchange import packed_voice as packing
from models.tts.exchange.espnet_voice import export_voice as to_espnet
from models.tts.exchange.packed_voice import VoiceFacts, pack_voice
from models.tts.jets.synthesizer import Synthesizer
from models.tts.jets.trainer import Trainer
from utils.errors import UserError

CONFIG = Path(__file__).resolve().parents[3] / "config/jets.json"
Train = Callable[..., Path]


@pytest.fixture
def train(tiny_corpus: Path, tiny_overrides: list[str]) -> Train:
    """Runs a training of one epoch, with averaged weights; returns its folder."""

    def run(name: str, *overrides: str, **options) -> Path:
        settings = [*tiny_overrides, "train.max_epoch=1", "train.ema_decay=0.9", *overrides]
        config = load_config(CONFIG, settings)
        trainer = Trainer(config, Experiment.named(name, config), **options)
        trainer.run()
        return trainer.expt_dir

    return run


@pytest.fixture
def voice(train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A trained voice, packed; its experiment is gone."""
    monkeypatch.setattr(packing, "compared", lambda *_: "")
    source = train("source")
    pack_voice(source, tmp_path / "packed", VoiceFacts("Tiny", "-", "-", "-", "-"), say=lambda _: None)
    average, raw = (load_weights(find_checkpoint(source).path, prefer_ema)["embedding.weight"] for prefer_ema in (1, 0))
    assert not torch.equal(average, raw)
    assert torch.equal(load_weights(find_checkpoint(tmp_path / "packed").path)["embedding.weight"], average)
    shutil.rmtree(source)
    return tmp_path / "packed"


def test_finetuning_starts_from_its_weights_and_says_what_it_lacks(train: Train, voice: Path) -> None:
    # Its discriminators are gone, so that others may judge; and what learns next to nothing stays what it was.
    other = ("model.discriminator.periods=[3]", "train.learning_rate=1e-12")
    tuned = train("tuned", *other, finetune_from=voice)
    newest = find_checkpoint(tuned)
    before, after = load_weights(find_checkpoint(voice).path), load_weights(newest.path, prefer_ema=False)
    assert before.keys() == after.keys()
    for name, value in after.items():
        torch.testing.assert_close(value, before[name], atol=1e-6, rtol=1e-6)
    assert has_weights(newest.path, "discriminator")
    log = (tuned / "train.log").read_text()
    assert f"starting from the weights of {voice / 'checkpoints' / find_checkpoint(voice).name}" in log
    assert f"{voice} has no weights of the discriminator, which starts from random ones" in log


def test_packed_again_it_still_says_that_its_weights_are_averaged(voice: Path, tmp_path: Path) -> None:
    pack_voice(voice, tmp_path / "again", VoiceFacts("Tiny", "-", "-", "-", "-"), say=lambda _: None)
    for folder in (voice, tmp_path / "again"):
        assert "| steps | 4, averaged weights |" in (folder / "CARD.md").read_text()


def test_its_config_trains_as_it_is(tiny_corpus: Path, voice: Path, tmp_path: Path) -> None:
    places = [f"preprocess.processed_dir={tiny_corpus.parent}", f"log_dir={tmp_path / 'runs'}"]
    config = load_config(voice / "config.json", places)
    Trainer(config, Experiment.named("tuned", config), finetune_from=voice).run()
    assert find_checkpoint(tmp_path / "runs/tuned").step == 4


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.hidden_channels=16", "does not fit this config: model.hidden_channels is 8 there, 16 here"),
        ("model.generator=istft", "does not fit this config: model.generator is 'hifigan' there, 'istft' here"),
    ],
)
def test_another_model_is_refused_with_the_way_out(train: Train, voice: Path, override: str, message: str) -> None:
    with pytest.raises(UserError) as refused:
        train("tuned", override, finetune_from=voice)
    text = str(refused.value)
    assert message in text and text.endswith(f"; train with its own settings: --config {voice / 'config.json'}")
    assert not (voice.parent / "runs/tuned").exists()


def test_another_vocabulary_is_refused_with_the_way_out(train: Train, voice: Path) -> None:
    table = json.loads((voice / "tokens.json").read_text())
    table["tokens"][-1] = "XX"
    (voice / "tokens.json").write_text(json.dumps(table))
    with pytest.raises(UserError, match=r"has other tokens than this corpus \(only there: XX; only here: .*--config"):
        train("tuned", finetune_from=voice)


def test_it_cannot_be_resumed_or_trained_over(train: Train, voice: Path) -> None:
    shutil.copytree(voice, voice.parent / "runs/tuned")
    message = r"holds weights alone, so that training cannot go on from it: .*--finetune_from .*runs/tuned"
    with pytest.raises(UserError, match=message):
        train("tuned", resume=True)
    with pytest.raises(UserError, match="holds an experiment already"):
        train("tuned")
    assert sorted(path.name for path in (voice.parent / "runs/tuned").iterdir() if path.name != ".lock") == sorted(
        path.name for path in voice.iterdir()
    )


def test_stage_4_measures_it(tiny_corpus: Path, voice: Path, tmp_path: Path) -> None:
    quick = ["evaluate.dnsmos=false", "evaluate.bootstrap_samples=200", "evaluate.report_audio=none"]
    config = load_experiment_config(voice, [f"preprocess.processed_dir={tiny_corpus.parent}", *quick])
    told = run_evaluation(config, Request(tmp_path / "out", "test", voice))
    assert "packed" in told and (tmp_path / "out/report.json").is_file()


@pytest.mark.parametrize("lost", ["tokens.json", "config.json", "weights", "checkpoints"])
def test_one_with_files_missing_is_to_be_got_again(voice: Path, lost: str) -> None:
    if lost == "weights":
        os.truncate(find_checkpoint(voice).path / "network.safetensors", 100)
    elif lost == "checkpoints":
        shutil.rmtree(voice / lost)
    else:
        (voice / lost).unlink()
    with pytest.raises(UserError) as refused:
        Synthesizer.from_experiment(voice, "cpu")
    text = str(refused.value)
    assert "the folder of this packed voice is incomplete; get it again, by git checkout or from another copy" in text
    assert "stage" not in text and "\n" not in text


def test_espnet_wants_discriminators_too(voice: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no weights of the discriminator: it was packed to speak"):
        to_espnet(voice, tmp_path / "theirs")
    assert not (tmp_path / "theirs").exists()
