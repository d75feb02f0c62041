"""Which waveform generator a config asks for."""

from __future__ import annotations

from torch import nn

from models.tts.jets.config import HifiganConfig, IstftConfig
from models.vocoders.hifigan import HifiganGenerator
from models.vocoders.istft import IstftGenerator


def build_generator(in_channels: int, config: HifiganConfig | IstftConfig) -> nn.Module:
    """Generator of waveforms (B, T * hop_size) from frames (B, T, in_channels)."""
    kind = IstftGenerator if isinstance(config, IstftConfig) else HifiganGenerator
    return kind(in_channels, **config.model_dump())
