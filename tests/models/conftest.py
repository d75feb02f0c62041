"""A processed corpus of a few synthetic utterances, and a config that trains on it in seconds."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from config.schema import PreprocessConfig
from models.registry import load_config
from processors.audio.mel import MelSpectrogram
from processors.corpus import fingerprint
from processors.text.tokens import ipa_tokens
from tests.stored_corpus import store_corpus

ROOT = Path(__file__).resolve().parents[2]
TINY = [
    "model.hidden_channels=8", *(f"model.{part}.layers=1" for part in ("encoder", "decoder")),
    *(f"model.{part}.ffn_channels=8" for part in ("encoder", "decoder")),
    *(f"model.{part}_predictor.channels=8" for part in ("duration", "pitch", "energy")),
    "model.pitch_predictor.layers=1", "model.generators.hifigan.channels=16",
    "model.generators.hifigan.resblock_kernel_sizes=[3]", "model.generators.hifigan.resblock_dilations=[[1]]",
    "model.discriminator.periods=[2]", "model.discriminator.period_channels=2",
    "model.discriminator.period_max_channels=4", "model.discriminator.scale_channels=16",
    "model.discriminator.scale_max_channels=16", "preprocess.n_mel=10", "train.segment_size=4", "train.batch_size=4",
    "train.steps_per_epoch=4", "train.max_epoch=2", "train.log_interval=1", "train.valid_interval=4",
    "train.save_checkpoints_steps=4", "train.valid_samples=0", "evaluate.during_training=false",
]  # fmt: skip


def write_corpus(
    directory: Path,
    preprocess: PreprocessConfig,
    frames: Sequence[int],
    splits: Sequence[str],
    seed: int = 0,
    tokens: list[str] | None = None,
    who: Sequence[tuple[str, str, float]] = (("a", "en-us", 150.0),),
) -> Path:
    """A complete processed corpus of noisy tones, `frames` long each; speakers, languages and pitches take turns."""
    rng = np.random.default_rng(seed)
    hop, rate = preprocess.hop_size, preprocess.sample_rate
    tokens = tokens or ipa_tokens()
    rows, audio, log_f0 = [], [], []
    for number, (count, split) in enumerate(zip(frames, splits)):
        speaker, language, pitch = who[number % len(who)]
        f0 = pitch * np.exp(0.2 * np.sin(np.arange(count) / 7 + number))
        phase = np.cumsum(np.repeat(f0, hop)) * 2 * math.pi / rate
        sound = 0.3 * np.sin(phase) * np.repeat(0.5 + 0.5 * np.cos(np.arange(count) / 3), hop)
        sound += 0.01 * rng.standard_normal(count * hop)
        phones = [tokens[1], *rng.choice(tokens[11:], max(1, count // 8)).tolist(), tokens[2]]
        audio.append((sound * 32767).astype("<i2"))
        log_f0.append(np.log(f0).astype("<f4"))
        row = {"id": f"utt{seed}-{number:03d}", "text": f"text {number}", "phones": phones, "split": split}
        row |= {"speaker": speaker, "language": language}
        rows.append({**row, "audio": audio[-1], "log_f0": log_f0[-1]})
    train = [i for i, split in enumerate(splits) if split == "train"]
    spectra = MelSpectrogram(rate, preprocess.n_fft, preprocess.win_size, hop, preprocess.n_mel, preprocess.fmin)
    energies = [spectra(torch.from_numpy(samples / np.float32(32768))[None])[1][0].double() for samples in audio]
    for row, loudness in zip(rows, energies):
        for name, values in (("log_f0", row["log_f0"].astype(np.float64)), ("energy", loudness.numpy())):
            row |= {f"{name}_sum": float(values.sum()), f"{name}_square_sum": float(np.square(values).sum())}
    energy = torch.cat([energies[i] for i in train]).float()
    train_f0 = np.concatenate([log_f0[i] for i in train])
    statistics = {
        "log_f0_mean": float(train_f0.mean()), "log_f0_std": float(train_f0.std()),
        "energy_mean": float(energy.mean()), "energy_std": float(energy.std()),
    }  # fmt: skip
    return store_corpus(
        directory, rows, tokens, fingerprint=fingerprint(preprocess), sample_rate=rate, hop_size=hop,
        statistics=statistics,
    )  # fmt: skip


@pytest.fixture
def corpus_writer() -> Callable[..., Path]:
    """`write_corpus`."""
    return write_corpus


@pytest.fixture
def tiny_overrides(tmp_path: Path) -> list[str]:
    """Overrides of config/jets.json for the corpus in `tiny_corpus`, with dropout as shipped."""
    return [
        *TINY,
        'dataset=["tiny"]',
        f'dataset_path={{"tiny": "{tmp_path}"}}',
        f"preprocess.processed_dir={tmp_path / 'data'}",
        f"log_dir={tmp_path / 'runs'}",
    ]


@pytest.fixture
def tiny_corpus(tmp_path: Path, tiny_overrides: list[str]) -> Path:
    """A corpus of 14 utterances for training (one of them shorter than a segment), 2 for validation, 1 for testing."""
    config = load_config(ROOT / "config/jets.json", tiny_overrides)
    frames = [3, 20, 21, 25, 30, 30, 31, 33, 34, 35, 36, 38, 40, 45, 22, 28, 30]
    splits = ["train"] * 14 + ["valid"] * 2 + ["test"]
    return write_corpus(tmp_path / "data" / "tiny", config.preprocess, frames, splits)
