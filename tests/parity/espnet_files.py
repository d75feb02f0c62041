"""Files as ESPnet's training leaves them, made with ESPnet's own classes and random weights."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import nn

from tests.parity.recipe import N_MEL, TOKENS


def write_statistics(folder: Path, config: dict[str, Any], seed: int = 0) -> None:
    """The sums of features that ESPnet collects before training, and their places in `config`."""
    rng = np.random.default_rng(seed)
    for name, mean, std in (
        ("normalize", rng.normal(-1.7, 0.5, N_MEL), rng.uniform(0.5, 0.9, N_MEL)),
        ("pitch_normalize", np.array([5.37]), np.array([0.21])),
        ("energy_normalize", np.array([31.5]), np.array([27.4])),
    ):
        path = folder / f"{name}_stats.npz"
        count = 1234.0
        sums = (count * mean).astype(np.float32), (count * (std**2 + mean**2)).astype(np.float32)
        np.savez(path, count=np.array(count), sum=sums[0], sum_square=sums[1])
        config[f"{name}_conf"] = {"stats_file": str(path)}


def build_model(config: dict[str, Any], jets: nn.Module) -> nn.Module:
    """ESPnet's whole model around `jets`: feature extraction, normalisation, networks."""
    from espnet2.gan_tts.espnet_model import ESPnetGANTTSModel
    from espnet2.layers.global_mvn import GlobalMVN
    from espnet2.tts.feats_extract.energy import Energy
    from espnet2.tts.feats_extract.log_mel_fbank import LogMelFbank

    return ESPnetGANTTSModel(
        feats_extract=LogMelFbank(**config["feats_extract_conf"]),
        normalize=GlobalMVN(**config["normalize_conf"]),
        pitch_extract=None,  # no tensors, and its package (pyworld) has to be compiled
        pitch_normalize=GlobalMVN(**config["pitch_normalize_conf"]),
        energy_extract=Energy(**config["energy_extract_conf"]),
        energy_normalize=GlobalMVN(**config["energy_normalize_conf"]),
        tts=jets,
    )


def save_espnet(folder: Path, config: dict[str, Any], model: nn.Module) -> tuple[Path, Path]:
    """Model and config files as ESPnet's trainer writes them: a plain state dict, and all arguments as YAML."""
    from espnet2.utils.yaml_no_alias_safe_dump import yaml_no_alias_safe_dump

    folder.mkdir(parents=True, exist_ok=True)
    pth, yml = folder / "train.total_count.ave_5best.pth", folder / "config.yaml"
    torch.save(model.state_dict(), pth)
    arguments = {**copy.deepcopy(config), "token_list": TOKENS, "use_preprocessor": True, "bpemodel": None,
                 "non_linguistic_symbols": None, "model_conf": {}}  # fmt: skip
    yml.write_text(yaml_no_alias_safe_dump(arguments, indent=4, sort_keys=False), encoding="utf-8")
    assert yaml.safe_load(yml.read_text())["tts"] == "jets"
    return pth, yml
