"""The recipe that both sides are built from: ESPnet's train_jets.yaml, and a small variant of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from models.tts.exchange.espnet_names import put

N_MEL, HOP = 80, 256
G, S, P = (
    f"tts_conf.{section}."
    for section in (
        "generator_params",
        "discriminator_params.scale_discriminator_params",
        "discriminator_params.period_discriminator_params",
    )
)

# The tokens of ESPnet's LJSpeech recipe: its own symbols around ARPAbet and punctuation.
TOKENS = [
    "<blank>", "<unk>", "AH0", "T", "N", "D", "S", "R", "L", "DH", "IH1", "K", "Z", "M", "EH1", "P", "W", "AE1", "AH1",
    "V", "IH0", "F", "AY1", "B", "IY1", "ER0", ",", "HH", "IY0", "AO1", ".", "EY1", "UW1", "AA1", "OW1", "G", "NG",
    "SH", "JH", "Y", "TH", "ER1", "CH", "UH1", "AW1", "AE2", "EH2", "IH2", "AY2", "EY2", "OW2", "AO2", "AA2", "UW2",
    "OW0", "AH2", "IY2", "UW0", "EH0", "ER2", "UH2", "AE0", "AO0", "AA0", "EY0", "AY0", "OY1", "AW2", "ZH", "OY2",
    "UH0", "AW0", "OY0", "'", "?", "!", "..", "<sos/eos>",
]  # fmt: skip

SMALL = {
    G + "adim": 64, G + "eunits": 96, G + "dunits": 80, G + "elayers": 2, G + "dlayers": 2,
    G + "duration_predictor_chans": 48, G + "pitch_predictor_chans": 40, G + "energy_predictor_chans": 56,
    G + "generator_channels": 64, S + "channels": 16, S + "max_downsample_channels": 64, P + "channels": 4,
    P + "max_downsample_channels": 32,
}  # fmt: skip


def espnet_config(full: bool = False, **changes: Any) -> dict[str, Any]:
    """ESPnet's training config, in the published size or a small one; `changes` by dotted key."""
    config = yaml.safe_load(Path(__file__).with_name("train_jets.yaml").read_text(encoding="utf-8"))
    for key, value in {**({} if full else SMALL), **changes}.items():
        put(config, key, value)
    return config
