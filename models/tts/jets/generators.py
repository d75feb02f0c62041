"""Which waveform generator a config asks for."""

from __future__ import annotations

from torch import nn

from models.tts.jets.config import HifiganConfig
from models.vocoders.hifigan import HifiganGenerator


def build_generator(in_channels: int, config: HifiganConfig) -> nn.Module:
    """Generator of waveforms (B, T * hop_size) from frames (B, T, in_channels)."""
    return HifiganGenerator(in_channels, **config.model_dump(exclude={"type"}))
