"""Waveform generators that know where each utterance of a batch ends.

`models.vocoders.tails` makes the last samples of a shorter utterance once more, which takes a loop over the batch. A
graph has none: here every convolution reads zeros behind an utterance's end, as it does behind the end of a tensor, so
that each utterance gives the samples that it gives alone.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.vocoders.convolutions import WeightNormConv1d
from models.vocoders.istft import MAX_LOG_MAGNITUDE, IstftGenerator

_PROBE_FRAMES = 64


class MaskedHifigan(nn.Module):
    """A HiFi-GAN whose convolutions read zeros behind the end of an utterance."""

    def __init__(self, generator: nn.Module, in_channels: int) -> None:
        """Take over a generator with folded weights, for good."""
        super().__init__()
        self.hop_size, self.receptive_field = generator.hop_size, generator.receptive_field
        self.generator = generator
        # As an image of height one: onnxruntime's two-dimensional convolutions are the faster ones.
        generator.channels_last = True
        self._masks: dict[int, Tensor] = {}
        layers = [layer for layer in generator.modules() if isinstance(layer, WeightNormConv1d)]
        for layer, rate in _input_rates(generator, layers, in_channels).items():
            layer.register_forward_pre_hook(lambda _, inputs, rate=rate: (inputs[0] * self._masks[rate], *inputs[1:]))
            self._masks[rate] = torch.ones(1)

    def forward(self, frames: Tensor, frame_mask: Tensor) -> Tensor:
        """Waveform (B, T * hop_size) of frames (B, T, C) inside frame_mask (B, T); anything behind each end."""
        mask = frame_mask.to(frames.dtype)
        for rate in self._masks:
            self._masks[rate] = mask.unsqueeze(-1).expand(-1, -1, rate).flatten(1)[:, None, None]
        return self.generator(frames)


class MaskedIstft(nn.Module):
    """An inverse-STFT generator in which frames behind an utterance's end are silent and overlap nothing."""

    def __init__(self, generator: IstftGenerator) -> None:
        super().__init__()
        self.hop_size, self.receptive_field = generator.hop_size, generator.receptive_field
        self.generator = generator

    def forward(self, frames: Tensor, frame_mask: Tensor) -> Tensor:
        """Waveform (B, T * hop_size) of frames (B, T, C) inside frame_mask (B, T); anything behind each end."""
        generator, mask = self.generator, frame_mask.unsqueeze(-1).to(frames.dtype)
        x = generator.input_norm(_over_time(generator.input_conv, frames * mask))
        for block in generator.blocks:
            y = block.norm(_over_time(block.conv, x * mask))
            x = x + block.scale * block.reduce(F.gelu(block.expand(y)))
        log_magnitude, phase = generator.head(generator.output_norm(x)).chunk(2, dim=-1)
        magnitude = log_magnitude.clamp_max(MAX_LOG_MAGNITUDE).exp() * mask
        spectrum = torch.cat([magnitude * phase.cos(), magnitude * phase.sin()], dim=-1)
        waveform = self._overlap_add(spectrum @ generator.basis)
        # Behind the end nothing overlaps: there the sum of windows is zero, and so is the waveform.
        envelope = self._overlap_add(generator.window_square * mask)
        return waveform / envelope.clamp_min(torch.finfo(torch.float32).tiny)

    def _overlap_add(self, windows: Tensor) -> Tensor:
        """Sum (B, T * hop_size) of windows (B, T, n_fft) that start hop_size apart, cut to the frames' own hops."""
        overlap, hop = self.generator.overlap, self.hop_size
        total = F.pad(windows[..., :hop], (0, 0, 0, overlap - 1))
        for i in range(1, overlap):
            total = total + F.pad(windows[..., i * hop : (i + 1) * hop], (0, 0, i, overlap - 1 - i))
        cut = (self.generator.n_fft - hop) // 2
        return total.flatten(1)[:, cut:-cut]


def masked_generator(generator: nn.Module, in_channels: int) -> MaskedHifigan | MaskedIstft:
    """A generator of either kind in its masked form."""
    if isinstance(generator, IstftGenerator):
        return MaskedIstft(generator)
    return MaskedHifigan(generator, in_channels)


def _over_time(conv: nn.Conv1d, x: Tensor) -> Tensor:
    return conv(x.transpose(1, 2)).transpose(1, 2)


@torch.no_grad()
def _input_rates(generator: nn.Module, layers: list[nn.Module], in_channels: int) -> dict[nn.Module, int]:
    """How many positions of each layer's input belong to one frame."""
    rates: dict[nn.Module, int] = {}

    def note(layer: nn.Module, inputs: tuple[Tensor]) -> None:
        rates[layer] = inputs[0].shape[-1] // _PROBE_FRAMES

    handles = [layer.register_forward_pre_hook(note) for layer in layers]
    generator(torch.zeros(1, _PROBE_FRAMES, in_channels))
    for handle in handles:
        handle.remove()
    return rates
