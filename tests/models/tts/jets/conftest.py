"""A small JETS and small batches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from models.registry import load_config
from models.tts.jets.config import JetsConfig
from models.tts.jets.network import Batch, JetsNetwork
from models.tts.jets.step import TrainStep
from models.vocoders.discriminators import Discriminators

ROOT = Path(__file__).resolve().parents[4]
N_TOKENS = 20
SMALL = [
    "model.hidden_channels=16", *(f"model.{part}.layers=2" for part in ("encoder", "decoder", "pitch_predictor")),
    *(f"model.{part}.ffn_channels=24" for part in ("encoder", "decoder")),
    *(f"model.{part}_predictor.channels=16" for part in ("duration", "pitch", "energy")),
    "model.generators.hifigan.channels=32", "model.generators.hifigan.resblock_kernel_sizes=[3, 5]",
    "model.generators.hifigan.resblock_dilations=[[1, 3], [1, 3]]", "model.discriminator.periods=[2, 3]",
    "model.discriminator.period_channels=4", "model.discriminator.period_max_channels=16",
    "model.discriminator.scale_channels=16", "model.discriminator.scale_max_channels=32", "preprocess.n_mel=20",
    "train.segment_size=8", "train.precision=fp32",
]  # fmt: skip
NO_DROPOUT = [
    *(f"model.{part}.{kind}=0" for part in ("encoder", "decoder")
      for kind in ("dropout", "attention_dropout", "positional_dropout")),
    *(f"model.{part}_predictor.dropout=0" for part in ("duration", "pitch", "energy")),
]  # fmt: skip


@pytest.fixture(scope="session")
def small_config() -> JetsConfig:
    """JETS of a few thousand weights, without dropout."""
    return load_config(ROOT / "config/jets.json", SMALL + NO_DROPOUT)


@pytest.fixture
def make_network(small_config: JetsConfig) -> Callable[[], JetsNetwork]:
    """Builds the same random network at every call."""

    def make() -> JetsNetwork:
        torch.manual_seed(1)
        return JetsNetwork(small_config.model, N_TOKENS, small_config.preprocess.n_mel)

    return make


@pytest.fixture
def make_step(small_config: JetsConfig, make_network: Callable[[], JetsNetwork]) -> Callable[..., TrainStep]:
    """Builds the same training step, with networks, at every call; plain, on the CPU, unless told otherwise."""

    def make(kind: type[TrainStep] = TrainStep, device: str = "cpu", **loss: object) -> TrainStep:
        network = make_network().to(device)
        judges = Discriminators(**small_config.model.discriminator.model_dump()).to(device)
        weights = small_config.train.loss.model_copy(update=loss)
        config = small_config.model_copy(update={"train": small_config.train.model_copy(update={"loss": weights})})
        return kind(network, judges, config, "fp32")

    return make


@pytest.fixture
def make_batch(small_config: JetsConfig) -> Callable[..., Batch]:
    """Builds a random batch of given (text, frame) lengths, optionally padded further."""

    def make(lengths: list[tuple[int, int]], extra: int = 0, seed: int = 0) -> Batch:
        n_mel, hop = small_config.preprocess.n_mel, small_config.preprocess.hop_size
        text_size = max(n for n, _ in lengths) + extra
        frame_size = max(t for _, t in lengths) + extra
        batch = Batch(
            text=torch.zeros(len(lengths), text_size, dtype=torch.long),
            text_lengths=torch.tensor([n for n, _ in lengths]),
            mel=torch.zeros(len(lengths), frame_size, n_mel),
            frame_lengths=torch.tensor([t for _, t in lengths]),
            log_f0=torch.zeros(len(lengths), frame_size),
            energy=torch.zeros(len(lengths), frame_size),
            audio=torch.zeros(len(lengths), frame_size * hop),
            host_text_lengths=tuple(n for n, _ in lengths),
            host_frame_lengths=tuple(t for _, t in lengths),
            ids=tuple(f"utterance{i}" for i in range(len(lengths))),
        )
        for i, (n, t) in enumerate(lengths):
            # Each utterance has its own seed, so that it is the same in every batch.
            random = torch.Generator().manual_seed(seed + 1000 * n + t)
            batch.text[i, :n] = torch.randint(1, N_TOKENS, (n,), generator=random)
            batch.mel[i, :t] = torch.randn(t, n_mel, generator=random)
            batch.log_f0[i, :t] = torch.randn(t, generator=random)
            batch.energy[i, :t] = torch.randn(t, generator=random)
            batch.audio[i, : t * hop] = 0.1 * torch.randn(t * hop, generator=random)
        return batch

    return make
