"""All three stages through run.sh, on a corpus of hums, with a network of a few thousand weights."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from models.registry import load_experiment_config
from processors.corpus import ProcessedCorpus
from tests.models.conftest import TINY
from tests.preprocessors.conftest import make_corpus

ROOT = Path(__file__).resolve().parents[1]
RATE = 22050


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Hums, with a space in their path."""
    return make_corpus(tmp_path / "my corpus", 14, seconds=0.8)


def run_sh(cwd: Path, *arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """run.sh from another folder, with this interpreter; it has to succeed."""
    done = subprocess.run(
        ["sh", str(ROOT / "egs/tts/Jets/run.sh"), "--gpu", "cpu", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHON": sys.executable, "OMP_NUM_THREADS": "1"},
        input=text,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def audible(path: Path) -> bool:
    """Whether a wav holds a sound at the right rate, of a frame or more."""
    wave, rate = soundfile.read(path)
    return rate == RATE and len(wave) >= 256 and bool(np.isfinite(wave).all()) and float(np.abs(wave).max()) > 0


def test_corpus_to_speech(corpus: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "somewhere else"
    elsewhere.mkdir()
    settings = {
        "base_config": "config/jets.json",
        "dataset": ["hums"],
        "dataset_path": {"hums": str(corpus)},
        "log_dir": str(tmp_path / "runs"),
        "preprocess": {"processed_dir": str(tmp_path / "data"), "num_workers": 2, "valid_size": 2, "test_size": 2,
                       "max_held_out_fraction": 0.2},
    }  # fmt: skip
    (elsewhere / "my config.json").write_text(json.dumps(settings))
    tiny = [part for override in TINY for part in ("--set", override)]
    run_sh(elsewhere, "--stage=1-3", "--name=hums 1", "-c", "my config.json", "--infer_mode=batch", *tiny)

    expt_dir = tmp_path / "runs" / "hums 1"
    splits = {row.id: row.split for row in ProcessedCorpus.open(tmp_path / "data/hums").utterances}
    assert len(splits) == 14
    tests = {name for name, split in splits.items() if split == "test"}
    assert len(tests) == 2
    assert {path.stem for path in (expt_dir / "result").glob("*.wav")} == tests
    assert all(audible(path) for path in (expt_dir / "result").glob("*.wav"))

    config = load_experiment_config(expt_dir)
    steps = config.train.steps_per_epoch * config.train.max_epoch
    assert (expt_dir / "checkpoints" / f"step_{steps:08d}" / "network.safetensors").is_file()
    assert list((expt_dir / "tensorboard").rglob("events.*"))

    # Sentences from standard input.
    lines = "Hello there.\nIt's 5 o'clock, \"isn't\" it?\n"
    flags = ["--infer_expt_dir", str(expt_dir), "--infer_output_dir", "out put", "--infer_mode", "single"]
    run_sh(elsewhere, "--stage", "3", *flags, "--infer_text", "-", text=lines)
    assert len(list((elsewhere / "out put").glob("*.wav"))) == 2
    assert all(audible(path) for path in (elsewhere / "out put").glob("*.wav"))
