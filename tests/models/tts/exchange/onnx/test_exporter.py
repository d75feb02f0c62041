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

import numpy as np
import pytest

from models.tts.exchange import onnx_export
from models.tts.exchange.onnx_export import export_voice
from models.tts.exchange.onnx_graph import compare, open_session, run_graph
from models.tts.exchange.packed_voice import VoiceFacts, pack_voice
from models.tts.jets.synthesizer import Synthesizer
from processors.text.tokens import load_tokens
from tests.models.tts.exchange.onnx.test_graph import random_rows
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


def test_export_again_replaces_and_the_users_lexicon_travels(tmp_path: Path) -> None:
    experiment = make_voice(tmp_path / "experiment")
    (experiment / "lexicon.txt").write_text("gnu G N UW1\n")
    pack_voice(experiment, tmp_path / "packed", VoiceFacts("Tiny", "-", "-", "-", "-"), say=quiet)
    (tmp_path / "voice").mkdir()
    (tmp_path / "voice" / "voice.onnx").write_text("old")
    (tmp_path / "voice" / "notes.txt").write_text("mine")
    told: list[str] = []
    export_voice(tmp_path / "packed", tmp_path / "voice", check=1, say=told.append)
    assert all("against PyTorch" in line for line in told[:2])
    assert (tmp_path / "voice" / "voice.onnx").stat().st_size > 10_000
    assert (tmp_path / "voice" / "notes.txt").read_text() == "mine"
    assert (tmp_path / "voice" / "own_lexicon.txt").read_text() == "gnu G N UW1\n"


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


def test_what_is_refused_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = make_voice(tmp_path / "experiment")
    with pytest.raises(UserError, match='phone_extractor "lexicon".*"espeak"'):
        export_voice(experiment, tmp_path / "voice", piper=True, say=quiet)
    monkeypatch.setattr(onnx_export, "TOLERANCE", 0.0)
    with pytest.raises(UserError, match="differs from PyTorch"):
        export_voice(experiment, tmp_path / "voice", check=2, say=quiet)
    assert [path.name for path in tmp_path.iterdir()] == ["experiment"]
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


def test_what_is_quantised(exported: Exported) -> None:
    import onnx

    _, folder = exported("istft", "lexicon", "int8")
    model = onnx.load(str(folder / "voice.onnx"))
    exact = {node.name for node in model.graph.node if node.op_type == "MatMul"}
    integer = {node.name.removesuffix("_quant") for node in model.graph.node if node.op_type == "MatMulInteger"}
    assert {"/generator/head/MatMul", "/generator/MatMul", "/encoder/blocks.0/ffn/conv1/MatMul"} <= exact
    assert {"/decoder/blocks.0/ffn/conv1/MatMul", "/generator/blocks.0/expand/MatMul"} <= integer
    assert not any("/encoder/" in name or "predictor" in name for name in integer)


def test_an_utterance_alone_and_in_a_batch_is_nearly_the_same(exported: Exported) -> None:
    """One scale serves a whole batch, so that in 8 bits neighbours can be heard, faintly."""
    _, folder = exported("istft", "lexicon", "int8")
    session = open_session(folder / "voice.onnx", 1)
    rows = random_rows([50, 9])
    (together, durations), (alone, _) = run_graph(session, rows), run_graph(session, rows[1:])
    assert durations[1].sum() * 256 == alone.shape[1]
    difference = together[1, : alone.shape[1]] - alone[0]
    assert np.square(difference).mean() < 10**-2.5 * np.square(alone).mean()
