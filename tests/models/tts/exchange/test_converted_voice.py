"""What becomes of a voice that came from ESPnet: training from it, speaking, export, and the way back.

The files are made by our own converter, whose names and shapes `tests/parity` holds against the package itself, so that
this runs without it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from models.base.checkpoints import find_checkpoint, load_weights, save_checkpoint
from models.base.experiment import Experiment
from models.registry import load_config
from models.tts.exchange.espnet_voice import CONFIG_FILE, MODEL_FILE, import_voice
from models.tts.exchange.espnet_voice import export_voice as to_espnet
from models.tts.jets.config import JetsConfig
from models.tts.jets.network import JetsNetwork
from models.tts.jets.synthesizer import Synthesizer
from models.tts.jets.trainer import Trainer
from models.vocoders.discriminators import Discriminators
from tests.parity.recipe import TOKENS

CONFIG = Path(__file__).resolve().parents[4] / "config/jets.json"
TEXTS = ("Hello there, old friend.", "No mark at the end", "Two paragraphs.\n\nAnd 21 words?")


@pytest.fixture
def converted(tiny_overrides: list[str], tmp_path: Path) -> Path:
    """A tiny random voice that has been through ESPnet's files."""
    own = ["preprocess.phone_extractor=espnet", f"preprocess.tokens_path={tmp_path / 'source/tokens.json'}"]
    config = load_config(CONFIG, [*tiny_overrides, *own])
    torch.manual_seed(4)
    statistics = {"log_f0_mean": 5.0, "log_f0_std": 0.2, "energy_mean": 20.0, "energy_std": 10.0}
    network = JetsNetwork(config.model, len(TOKENS), config.preprocess.n_mel, statistics)
    with torch.no_grad():
        network.duration_predictor.out.bias.fill_(1.7)
        network.mel_mean.normal_()
    discriminator = Discriminators(**config.model.discriminator.model_dump())
    Experiment(tmp_path / "source", config).write(TOKENS)
    networks = {"network": network.state_dict(), "discriminator": discriminator.state_dict()}
    save_checkpoint(tmp_path / "source", 12, networks, {}, {})
    to_espnet(tmp_path / "source", tmp_path / "espnet")
    assert import_voice(tmp_path / "espnet" / MODEL_FILE, tmp_path / "espnet" / CONFIG_FILE, tmp_path / "voice") == []
    return tmp_path / "voice"


@pytest.fixture
def tuned(converted: Path, corpus_writer: Callable[..., Path], tmp_path: Path) -> Path:
    """Fine-tuned as EXCHANGE.md says, on a corpus whose features have the voice's tokens; it learns next to nothing."""
    mine = {
        "base_config": str(converted / "config.json"),
        "dataset": ["mine"],
        "dataset_path": {"mine": str(tmp_path / "recordings")},
        "preprocess": {"processed_dir": str(tmp_path / "data")},
        "log_dir": str(tmp_path / "runs"),
        "train": {"batch_size": 2, "steps_per_epoch": 2, "max_epoch": 1, "learning_rate": 1e-12, "valid_samples": 0},
        "evaluate": {"during_training": False},
    }
    (tmp_path / "my_config.json").write_text(json.dumps(mine))
    config = load_config(tmp_path / "my_config.json")
    assert isinstance(config, JetsConfig) and config.preprocess.phone_extractor == "espnet"
    splits = ["train"] * 3 + ["valid"]
    corpus_writer(tmp_path / "data/mine", config.preprocess, [25, 30, 40, 33], splits, tokens=TOKENS)
    Trainer(config, Experiment.named("tuned", config), finetune_from=converted).run()
    return tmp_path / "runs/tuned"


def test_finetuning_starts_from_its_weights(converted: Path, tuned: Path) -> None:
    for name in ("network", "discriminator"):
        before, after = (load_weights(find_checkpoint(folder).path, name=name) for folder in (converted, tuned))
        assert before.keys() == after.keys()
        for entry, value in after.items():
            if entry.startswith(("log_f0_", "energy_")) and entry.endswith(("_mean", "_std")):
                assert not torch.equal(value, before[entry]), "pitch and energy are the new corpus'"
            else:
                torch.testing.assert_close(value, before[entry], atol=1e-6, rtol=1e-6)
    assert f"starting from the weights of {find_checkpoint(converted).path}" in (tuned / "train.log").read_text()


def test_the_tuned_voice_says_the_same_as_an_onnx_file(tuned: Path, tmp_path: Path) -> None:
    for package in ("onnx", "onnxruntime"):
        pytest.importorskip(package)
    from models.tts.exchange.onnx_export import export_voice
    from processors.onnx_voice import OnnxVoice

    export_voice(tuned, tmp_path / "onnx", check=1)
    voice, exported = Synthesizer.from_experiment(tuned, "cpu"), OnnxVoice(tmp_path / "onnx")
    for text in TEXTS:
        expected, wave = voice.tts(text)[0], exported.tts(text)[0]
        assert wave.shape == expected.shape and float(np.abs(wave - expected).max()) < 1e-3
