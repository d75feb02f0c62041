"""Tiny random voices with either kind of phonemes and any generator."""

from __future__ import annotations

import math
from pathlib import Path

import torch

from config.schema import save_config
from models.base.checkpoints import save_checkpoint
from models.registry import load_config
from models.tts.jets.network import JetsNetwork
from processors.text.tokens import ipa_tokens, lexicon_tokens, save_tokens
from tests.tiny_voice import ROOT, STATISTICS, TINY

GENERATORS = ("hifigan", "hifigan_light", "istft")
SMALL_LIGHT = [
    "model.generators.hifigan_light.resblock_kernel_sizes=[3, 7]",
    "model.generators.hifigan_light.resblock_dilations=[[1, 2], [1]]",
]


def make_voice(folder: Path, generator: str = "hifigan", extractor: str = "lexicon") -> Path:
    """An experiment with a random voice whose tokens last four to five frames."""
    folder.mkdir(parents=True)
    overrides = [*TINY, *SMALL_LIGHT, f"model.generator={generator}", f"preprocess.phone_extractor={extractor}"]
    config = load_config(ROOT / "config/jets.json", overrides)
    tokens = lexicon_tokens() if extractor == "lexicon" else ipa_tokens()
    save_config(config, folder / "config.json")
    save_tokens(folder / "tokens.json", tokens, extractor, "en-us")
    torch.manual_seed(3)
    network = JetsNetwork(config.model, len(tokens), config.preprocess.n_mel, STATISTICS)
    with torch.no_grad():
        network.duration_predictor.out.weight.mul_(0.1)
        network.duration_predictor.out.bias.fill_(math.log(5.5))
        if generator == "hifigan":
            for name, parameter in network.generator.named_parameters():
                if name.endswith("bias"):
                    parameter.mul_(0.1)  # a random voice is next to silent beside its biases: they hid any noise
        if generator == "istft":
            network.generator.head.bias[: network.generator.n_fft // 2 + 1] += 2.5  # audible
    save_checkpoint(folder, 1, {"network": network.state_dict()}, {}, {})
    return folder
