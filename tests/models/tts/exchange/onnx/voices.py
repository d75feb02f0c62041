"""Tiny random voices with either kind of phonemes and any generator."""

from __future__ import annotations

import math
from pathlib import Path

from models.tts.jets.network import JetsNetwork
from tests.tiny_voice import make_experiment

GENERATORS = ("hifigan", "hifigan_light", "istft")
SMALL_LIGHT = (
    "model.generators.hifigan_light.resblock_kernel_sizes=[3, 7]",
    "model.generators.hifigan_light.resblock_dilations=[[1, 2], [1]]",
)


def make_voice(folder: Path, generator: str = "hifigan", extractor: str = "lexicon") -> Path:
    """An experiment with a random voice whose tokens last four to five frames."""

    def change(network: JetsNetwork) -> None:
        network.duration_predictor.out.weight.mul_(0.1)
        network.duration_predictor.out.bias.fill_(math.log(5.5))
        if generator == "hifigan":
            for name, parameter in network.generator.named_parameters():
                if name.endswith("bias"):
                    parameter.mul_(0.1)  # a random voice is next to silent beside its biases: they hid any noise
        if generator == "istft":
            network.generator.head.bias[: network.generator.n_fft // 2 + 1] += 2.5  # audible

    overrides = (*SMALL_LIGHT, f"model.generator={generator}", f"preprocess.phone_extractor={extractor}")
    return make_experiment(folder, overrides, (3,), change)
