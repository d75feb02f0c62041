"""A small corpus that the tests make themselves, and the config for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from config.schema import ExperimentConfig
from models.registry import load_config
from preprocessors import features, pipeline

RATE = 22050
WORDS = "red green blue small large old new quick calm bright house river garden stone light paper".split()


def speech(seconds: float, seed: int, rate: int = RATE) -> np.ndarray:
    """Syllables of a gliding voice with noise between them (N,), float32."""
    generator = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate)) / rate
    contour = generator.uniform(120, 220) * 2 ** (0.3 * np.sin(2 * np.pi * generator.uniform(0.3, 1) * time))
    phase = 2 * np.pi * np.cumsum(contour) / rate
    voice = sum(np.sin(n * phase + n) / n for n in range(1, 15)) * np.clip(np.sin(2 * np.pi * 2.5 * time), 0, 1)
    return (0.08 * voice + generator.normal(0, 0.001, len(time))).astype(np.float32)


def make_corpus(folder: Path, count: int, seconds: float = 1.2) -> Path:
    """A corpus in LJSpeech's layout with `count` utterances; every fifth text is repeated."""
    (folder / "wavs").mkdir(parents=True)
    lines = []
    for index in range(count):
        name = f"u{index:03d}"
        text = " ".join(np.random.default_rng(index - index % 5 // 4).choice(WORDS, 4)) + "."
        soundfile.write(folder / "wavs" / f"{name}.wav", speech(seconds + index % 7 / 10, index), RATE)
        lines.append(f"{name}|{text}|{text}")
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def voice_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of 24 good utterances; read only."""
    return make_corpus(tmp_path_factory.mktemp("corpus") / "voice", 24)


def write_config(path: Path, corpus: Path, processed: Path, **preprocess: object) -> Path:
    """Config file for the corpus "voice"."""
    content = {
        "base_config": "config/jets.json",
        "dataset": ["voice"],
        "dataset_path": {"voice": str(corpus)},
        "preprocess": {"processed_dir": str(processed), "num_workers": 1, **preprocess},
    }
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def config_maker(tmp_path: Path) -> Callable[..., ExperimentConfig]:
    """Function from corpus folder and preprocess keys to a config whose processed_dir is tmp_path/data."""

    def make(corpus: Path, processed: str = "data", **preprocess: object) -> ExperimentConfig:
        return load_config(write_config(tmp_path / "config.json", corpus, tmp_path / processed, **preprocess))

    return make


def run_here(make: Callable, arguments: tuple, jobs: list, workers: int) -> object:
    """`run_jobs` without worker processes."""
    work = make(*arguments) if jobs else None
    for job in jobs:
        yield work(job, {})


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stage 1 without worker processes and pictures, and with small groups, for tests that are about something else."""
    monkeypatch.setattr(pipeline, "run_jobs", run_here)
    monkeypatch.setattr(pipeline, "write_plots", lambda folder, figures: folder.mkdir(exist_ok=True))
    monkeypatch.setattr(features, "LARGEST_GROUP", 6)


def folder_bytes(folder: Path) -> dict[str, bytes]:
    """Contents of every file below `folder`."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
