"""The bundled voice: a tiny one in a copy of the recipe, as a stranger uses it; and the committed one, where it is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from models.base.checkpoints import find_checkpoint, read_state
from models.base.experiment import TOKENS
from models.tts.exchange.packed_voice import VoiceFacts, is_packed, pack_voice
from models.tts.jets.synthesizer import Synthesizer
from processors.audio.recording import active_level_db
from processors.onnx_voice import OnnxVoice
from processors.text.tokens import load_tokens
from tests.tiny_voice import ROOT, make_experiment

VOICE = ROOT / "egs/tts/Jets/voice"
COMMITTED = [VOICE] if VOICE.is_dir() else []


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a recipe of its own, and a tiny bundled voice in it; everything else is this one's."""
    root = tmp_path / "a project"
    (root / "egs/tts").mkdir(parents=True)
    ignore = shutil.ignore_patterns("voice")
    shutil.copytree(ROOT / "egs/tts/Jets", root / "egs/tts/Jets", ignore=ignore)
    for name in ("bins", "config", "models", "preprocessors", "processors", "utils"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    experiment = make_experiment(tmp_path / "source")
    pack_voice(experiment, root / "egs/tts/Jets/voice", VoiceFacts("Tiny", "-", "-", "-", "-"))
    return root


def contents(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*") if path.is_file()}


def test_one_command_speaks_and_says_where(project: Path, tmp_path: Path) -> None:
    before = contents(project / "egs/tts/Jets/voice")
    script = str(project / "egs/tts/Jets/run.sh")
    command = ["sh", script, "--stage", "3", "--infer_mode", "single", "--infer_text", "Any sentence."]
    environment = {**os.environ, "PYTHON": sys.executable, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(tmp_path / "not")}
    (tmp_path / "not").mkdir()
    for name in ("numba", "scipy", "tensorboard"):  # which take seconds to load, and which no sentence needs
        (tmp_path / f"not/{name}.py").write_text("raise ImportError('not for speaking')")
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = done.stdout.splitlines()
    wav = project / "ckpts/tts/voice/result/0001.wav"
    assert re.fullmatch(rf"{re.escape(str(wav))}  \d+\.\d+ s  RTF \d+\.\d+", line)
    wave, rate = soundfile.read(wav)
    assert rate == 22050 and np.abs(wave).max() > 0
    assert contents(project / "egs/tts/Jets/voice") == before


@pytest.mark.parametrize("folder", COMMITTED)
def test_the_committed_voice_is_small_and_speaks(folder: Path) -> None:
    assert is_packed(folder)
    files = [path for path in folder.rglob("*") if path.is_file() and "result" not in path.relative_to(folder).parts]
    assert sum(path.stat().st_size for path in files) <= 40e6
    assert {path.suffix for path in files} <= {".json", ".md", ".onnx", ".safetensors", ".txt"}
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert all(f"| {row} |" in card for row in ("corpus", "licence", "training", "date"))
    assert not re.search(r'"(/|~|\.\./)', (folder / "config.json").read_text(encoding="utf-8")), "a path of one machine"
    assert "crc32" in load_tokens(folder / TOKENS) and read_state(find_checkpoint(folder).path).beside
    wave, rate = Synthesizer.from_experiment(folder, "cpu").tts("The harbour was quiet, and nobody was there.")
    pytest.importorskip("onnxruntime")
    light, _ = OnnxVoice(folder).tts("The harbour was quiet, and nobody was there.")
    np.testing.assert_allclose(light, wave, atol=1e-3)  # else: bins/export.py --expt_dir and --out are this folder
    assert 1.5 < len(wave) / rate < 5 and np.isfinite(wave).all() and np.abs(wave).max() > 0.02


@pytest.fixture(scope="module")
def committed() -> Synthesizer:
    return Synthesizer.from_experiment(VOICE, "cpu")


@pytest.mark.skipif(not COMMITTED, reason="no voice is bundled")
@pytest.mark.parametrize("text", ["Why!", "I see...", "Note: this is new.", "It was late; we left.", "Wait... what?"])
def test_every_mark_of_the_committed_voice_is_a_pause(committed: Synthesizer, text: str) -> None:
    wave, rate = committed.tts(text)
    active, size = active_level_db(wave, rate), rate // 100
    assert 10 * np.log10(np.mean(wave[-5 * size :] ** 2)) < active - 20
    if len(text) > 9:  # a mark within
        power = np.square(wave[: len(wave) // size * size]).reshape(-1, size).mean(axis=1)
        assert np.diff(np.flatnonzero(10 * np.log10(power + 1e-12) > active - 25)).max() > 10
