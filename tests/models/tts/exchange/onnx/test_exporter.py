"""Folders that the exporter writes, and those that it refuses to write."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from models.tts.exchange import onnx_export
from models.tts.exchange.onnx_export import export_voice
from models.tts.exchange.onnx_graph import compare, open_session
from models.tts.exchange.packed_voice import VoiceFacts, pack_voice
from models.tts.jets.synthesizer import Synthesizer
from processors.text.tokens import load_tokens
from tests.models.tts.exchange.onnx.test_graph import random_rows
from tests.models.tts.exchange.onnx.voices import make_voice
from utils.errors import UserError

Exported = Callable[..., tuple[Path, Path]]


def test_lexicon_voice_has_what_the_runner_needs(exported: Exported) -> None:
    experiment, folder = exported("hifigan")
    assert sorted(path.name for path in folder.iterdir()) == ["tokens.json", "voice.onnx", "voice.onnx.json"]
    config = json.loads((folder / "voice.onnx.json").read_text(encoding="utf-8"))
    tokens = load_tokens(experiment / "tokens.json")["tokens"]
    assert config["audio"]["sample_rate"] == 22050 and config["hop_length"] == 256
    assert config["num_symbols"] == len(tokens) and config["num_speakers"] == 1
    assert config["phoneme_id_map"]["_"] == [0] and config["phoneme_id_map"]["$"] == [2]
    assert sorted(ids[0] for ids in config["phoneme_id_map"].values()) == list(range(len(tokens)))


def test_export_again_replaces_and_the_users_lexicon_travels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment = make_voice(tmp_path / "experiment")
    (experiment / "lexicon.txt").write_text("gnu G N UW1\n")
    pack_voice(experiment, tmp_path / "packed", VoiceFacts("Tiny", "-", "-", "-", "-"))
    (tmp_path / "voice").mkdir()
    (tmp_path / "voice" / "voice.onnx").write_text("old")
    (tmp_path / "voice" / "notes.txt").write_text("mine")
    capsys.readouterr()
    export_voice(tmp_path / "packed", tmp_path / "voice", check=1)
    assert all("against PyTorch" in line for line in capsys.readouterr().out.splitlines()[:2])
    assert (tmp_path / "voice" / "voice.onnx").stat().st_size > 10_000
    assert (tmp_path / "voice" / "notes.txt").read_text() == "mine"
    assert (tmp_path / "voice" / "own_lexicon.txt").read_text() == "gnu G N UW1\n"


def test_what_is_refused_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = make_voice(tmp_path / "experiment")
    with pytest.raises(UserError, match='phone_extractor "lexicon".*"espeak"'):
        export_voice(experiment, tmp_path / "voice", piper=True)
    monkeypatch.setattr(onnx_export, "TOLERANCE", 0.0)
    with pytest.raises(UserError, match="differs from PyTorch"):
        export_voice(experiment, tmp_path / "voice", check=2)
    assert [path.name for path in tmp_path.iterdir()] == ["experiment"]
    (tmp_path / "voice").write_text("mine")
    with pytest.raises(UserError, match="is a file"):
        export_voice(experiment, tmp_path / "voice")
    assert (tmp_path / "voice").read_text() == "mine"


def test_a_stop_as_soon_as_the_folder_is_there_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment, real = make_voice(tmp_path / "experiment"), os.mkdir

    def mkdir(path: str | Path, *more: object, **named: object) -> None:
        real(path, *more, **named)
        if Path(path).name.startswith(".voice."):
            raise KeyboardInterrupt

    monkeypatch.setattr(os, "mkdir", mkdir)
    with pytest.raises(KeyboardInterrupt):
        export_voice(experiment, tmp_path / "voice")
    assert [path.name for path in tmp_path.iterdir()] == ["experiment"]


@pytest.mark.parametrize("generator", ["hifigan", "istft"])
def test_same_timing_and_little_noise(exported: Exported, generator: str) -> None:
    experiment, folder = exported(generator, "lexicon", "int8")
    network = Synthesizer.from_experiment(experiment, "cpu").network
    session = open_session(folder / "voice.onnx", 1)
    agreement = compare(session, network, random_rows([30, 12, 50, 7, 41]))
    # Durations come from the encoder, which is not quantised: equal to the last frame, always.
    assert agreement.other_durations == 0
    # A random voice has little more than noise to say, which hides less of it than speech does.
    assert 20 < agreement.snr_db < 90
