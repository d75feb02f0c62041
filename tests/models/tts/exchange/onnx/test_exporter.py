"""Folders that the exporter writes, and those that it refuses to write."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from models.tts.exchange import onnx_export
from models.tts.exchange.onnx_export import export_voice
from processors.text.tokens import load_tokens
from tests.models.tts.exchange.onnx.voices import make_voice
from tests.tiny_voice import ROOT
from utils.errors import UserError

Exported = Callable[..., tuple[Path, Path]]


def quiet(_: str) -> None:
    pass


def test_lexicon_voice_has_what_the_runner_needs(exported: Exported) -> None:
    experiment, folder = exported("hifigan")
    assert sorted(path.name for path in folder.iterdir()) == ["tokens.json", "voice.onnx", "voice.onnx.json"]
    config = json.loads((folder / "voice.onnx.json").read_text(encoding="utf-8"))
    tokens = load_tokens(experiment / "tokens.json")["tokens"]
    assert config["audio"]["sample_rate"] == 22050 and config["hop_length"] == 256
    assert config["num_symbols"] == len(tokens) and config["num_speakers"] == 1
    assert config["phoneme_id_map"]["_"] == [0] and config["phoneme_id_map"]["$"] == [2]
    assert sorted(ids[0] for ids in config["phoneme_id_map"].values()) == list(range(len(tokens)))


def test_user_lexicon_travels(tmp_path: Path) -> None:
    experiment = make_voice(tmp_path / "experiment")
    (experiment / "lexicon.txt").write_text("gnu G N UW1\n")
    export_voice(experiment, tmp_path / "voice", check=1, say=quiet)
    assert (tmp_path / "voice" / "lexicon.txt").read_text() == "gnu G N UW1\n"


def test_export_again_replaces(tmp_path: Path) -> None:
    experiment = make_voice(tmp_path / "experiment")
    (tmp_path / "voice").mkdir()
    (tmp_path / "voice" / "voice.onnx").write_text("old")
    (tmp_path / "voice" / "notes.txt").write_text("mine")
    export_voice(experiment, tmp_path / "voice", check=1, say=quiet)
    assert (tmp_path / "voice" / "voice.onnx").stat().st_size > 10_000
    assert (tmp_path / "voice" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--expt_dir=egs/tts/Jets/voice"], "give --out, the folder to write, for instance --out voice_onnx"),
        (["--out=x"], "give --expt_dir, the trained voice, for instance --expt_dir egs/tts/Jets/voice"),
    ],
)
def test_a_missing_flag_is_asked_for_in_one_sentence(flags: list[str], message: str) -> None:
    command = [sys.executable, str(ROOT / "bins/export.py"), *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"error: {message}\n")


def test_graph_that_differs_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = make_voice(tmp_path / "experiment")
    monkeypatch.setattr(onnx_export, "TOLERANCE", 0.0)
    with pytest.raises(UserError, match="differs from PyTorch"):
        export_voice(experiment, tmp_path / "voice", check=2, say=quiet)
    assert [path.name for path in tmp_path.iterdir()] == ["experiment"]


def test_piper_needs_espeak_phonemes(tmp_path: Path) -> None:
    experiment = make_voice(tmp_path / "experiment")
    with pytest.raises(UserError, match='phone_extractor "lexicon".*"espeak"'):
        export_voice(experiment, tmp_path / "voice", piper=True, say=quiet)
    assert [path.name for path in tmp_path.iterdir()] == ["experiment"]


def test_out_must_be_a_folder(tmp_path: Path) -> None:
    experiment = make_voice(tmp_path / "experiment")
    (tmp_path / "voice").write_text("mine")
    with pytest.raises(UserError, match="is a file"):
        export_voice(experiment, tmp_path / "voice", say=quiet)
    assert (tmp_path / "voice").read_text() == "mine"


def test_command_line(tmp_path: Path) -> None:
    experiment = make_voice(tmp_path / "experiment")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / "bins/export.py"), "--expt_dir", str(experiment), *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)

    good = run("--out", "voice", "--check", "1")
    assert good.returncode == 0 and "voice.onnx" in good.stdout
    assert good.stderr == ""
    assert (tmp_path / "voice" / "voice.onnx.json").is_file()
    bad = run("--out", "other", "--checkpoint", "step_00000007")
    assert bad.returncode == 2 and bad.stderr.startswith("error: ") and bad.stderr.count("\n") == 1
    assert "step_00000007" in bad.stderr and not (tmp_path / "other").exists()


def test_a_stopped_export_leaves_nothing(tmp_path: Path) -> None:
    experiment = make_voice(tmp_path / "experiment")
    command = [sys.executable, str(ROOT / "bins/export.py"), "--expt_dir", str(experiment), "--out", "voice"]
    # So many texts to compare that it is still at work when a busy machine comes round to stopping it.
    process = subprocess.Popen([*command, "--check", "64"], stdout=subprocess.DEVNULL, cwd=tmp_path)
    deadline = time.monotonic() + 240
    while not list(tmp_path.glob(".voice.*")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=120) == 143
    assert [path.name for path in tmp_path.iterdir()] == ["experiment"]


def test_a_stop_as_soon_as_the_folder_is_there_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment, real = make_voice(tmp_path / "experiment"), os.mkdir

    def mkdir(path: str | Path, *more: object, **named: object) -> None:
        real(path, *more, **named)
        if Path(path).name.startswith(".voice."):
            raise KeyboardInterrupt

    monkeypatch.setattr(os, "mkdir", mkdir)
    with pytest.raises(KeyboardInterrupt):
        export_voice(experiment, tmp_path / "voice", say=quiet)
    assert [path.name for path in tmp_path.iterdir()] == ["experiment"]
