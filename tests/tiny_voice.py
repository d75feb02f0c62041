"""An experiment folder as stage 2 leaves it, with a random voice of a few thousand weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from config.schema import ExperimentConfig, save_config
from models.base.checkpoints import save_checkpoint
from models.registry import load_config
from models.tts.jets.network import JetsNetwork
from processors.text.tokens import ipa_tokens, lexicon_tokens, save_tokens
from tests.stored_corpus import store_corpus

ROOT = Path(__file__).resolve().parents[1]
TINY = [
    "model.hidden_channels=16", *(f"model.{part}.layers=1" for part in ("encoder", "decoder")),
    *(f"model.{part}.ffn_channels=16" for part in ("encoder", "decoder")),
    *(f"model.{part}_predictor.channels=16" for part in ("duration", "pitch", "energy")),
    "model.generators.hifigan.channels=16", "model.generators.hifigan.resblock_kernel_sizes=[3, 5]",
    "model.generators.hifigan.resblock_dilations=[[1, 3], [1, 3]]", "model.generators.hifigan_light.channels=16",
    "model.generators.istft.channels=16", "model.generators.istft.ffn_channels=16", "model.generators.istft.layers=2",
]  # fmt: skip
STATISTICS = {"log_f0_mean": 5.3, "log_f0_std": 0.25, "energy_mean": 20.0, "energy_std": 10.0}


def tokens_of(config: ExperimentConfig) -> list[str]:
    """Token table of a config's text front-end."""
    return lexicon_tokens() if config.preprocess.phone_extractor == "lexicon" else ipa_tokens()


def make_network(config: ExperimentConfig, seed: int = 0) -> JetsNetwork:
    """Random weights that give tokens of about 5 frames, of different lengths, and an audible waveform."""
    torch.manual_seed(seed)
    network = JetsNetwork(config.model, len(tokens_of(config)), config.preprocess.n_mel, STATISTICS)
    with torch.no_grad():
        network.duration_predictor.out.bias.fill_(1.7)
    return network.eval()


def make_experiment(
    folder: Path, overrides: tuple[str, ...] = (), steps: tuple[int, ...] = (1, 2),
    change: Callable[[JetsNetwork], None] = lambda network: None,
) -> Path:  # fmt: skip
    """Config, token table and a checkpoint for each of `steps`, each with other weights, which `change` may change."""
    folder.mkdir(parents=True, exist_ok=True)
    config = load_config(ROOT / "config/jets.json", [*TINY, *overrides])
    save_config(config, folder / "config.json")
    save_tokens(folder / "tokens.json", tokens_of(config), config.preprocess.phone_extractor, "en-us")
    for step in steps:
        network = make_network(config, seed=step)
        with torch.no_grad():
            change(network)
        save_checkpoint(folder, step, {"network": network.state_dict()}, {}, {})
    return folder


def make_corpus(folder: Path, rows: list[tuple[str, str, list[str]]], split: str = "test") -> Path:
    """A processed corpus of silent recordings: (id, text, phones) for each utterance, a second of audio each."""
    frames, hop = 86, 256
    silence = {"split": split, "audio": np.zeros(frames * hop, np.int16), "log_f0": np.zeros(frames, np.float32)}
    lines = [{"id": name, "text": text, "phones": phones, **silence} for name, text, phones in rows]
    tokens = ipa_tokens()
    tokens += sorted({phone for _, _, phones in rows for phone in phones}.difference(tokens))
    return store_corpus(folder, lines, tokens, statistics=STATISTICS, sample_rate=22050, hop_size=hop)
