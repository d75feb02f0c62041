"""Inverse-STFT generator with a ConvNeXt backbone at frame rate (Vocos, Siuzdak 2023, arXiv 2306.00814).

All arithmetic is real: the inverse Fourier transform is a matrix product and overlap-add a sum of shifted frames, so
that exported graphs need no complex numbers and no loops.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.vocoders.convolutions import Inside, length_mask

# Largest magnitude of a bin (arXiv 2306.00814, section 3): keeps the exponential from overflowing early in training.
MAX_LOG_MAGNITUDE = 4.6
LAYER_NORM_EPS = 1e-6
TINY = torch.finfo(torch.float32).tiny


class ConvNextBlock(nn.Module):
    """Depthwise convolution, layer norm and a two-layer perceptron around a scaled residual (arXiv 2201.03545)."""

    def __init__(self, channels: int, ffn_channels: int, kernel_size: int, scale: float) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels, channels, kernel_size, padding=kernel_size // 2, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=LAYER_NORM_EPS)
        self.expand = nn.Linear(channels, ffn_channels)
        self.reduce = nn.Linear(ffn_channels, channels)
        self.scale = nn.Parameter(torch.full((channels,), scale))

    def forward(self, x: Tensor, inside: Inside) -> Tensor:
        """Transform x (B, T, C), of which neighbours hear what is `inside`; same shape."""
        y = over_time(self.conv, inside(x))
        return x + self.scale * self.reduce(F.gelu(self.expand(self.norm(y))))


class IstftGenerator(nn.Module):
    """Waveform from hidden frames by predicted magnitudes and phases and an inverse STFT."""

    basis: Tensor
    window_square: Tensor

    def __init__(
        self,
        in_channels: int,
        channels: int,
        ffn_channels: int,
        layers: int,
        kernel_size: int,
        n_fft: int,
        hop_size: int,
    ) -> None:
        super().__init__()
        self.n_fft, self.hop_size = n_fft, hop_size
        self.overlap = n_fft // hop_size
        # Frames on each side that can change a frame's samples: convolutions, then windows that overlap.
        self.receptive_field = (layers + 1) * (kernel_size // 2) + self.overlap // 2
        self.input_conv = nn.Conv1d(in_channels, channels, kernel_size, padding=kernel_size // 2)
        self.input_norm = nn.LayerNorm(channels, eps=LAYER_NORM_EPS)
        self.blocks = nn.ModuleList(
            ConvNextBlock(channels, ffn_channels, kernel_size, 1.0 / layers) for _ in range(layers)
        )
        self.output_norm = nn.LayerNorm(channels, eps=LAYER_NORM_EPS)
        self.head = nn.Linear(channels, n_fft + 2)
        for layer in self.modules():
            if isinstance(layer, (nn.Conv1d, nn.Linear)):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        window = torch.hann_window(n_fft)
        self.register_buffer("basis", inverse_fourier_basis(n_fft) * window, persistent=False)
        self.register_buffer("window_square", window.square(), persistent=False)

    def forward(self, frames: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Waveform (B, T * hop_size), not limited in range, of frames (B, T, C).

        With lengths (B,) each utterance gives the samples that it gives alone, and zeros behind its end: frames there
        are silent and overlap nothing.
        """
        n_frames = frames.shape[1]
        mask = None if lengths is None else length_mask(lengths, n_frames).unsqueeze(2).float()
        inside: Inside = (lambda x: x) if mask is None else (lambda x: x * mask)
        x = self.input_norm(over_time(self.input_conv, inside(frames)))
        for block in self.blocks:
            x = block(x, inside)
        x = self.head(self.output_norm(x))
        with torch.autocast(x.device.type, enabled=False):
            log_magnitude, phase = x.float().chunk(2, dim=-1)
            magnitude = inside(log_magnitude.clamp_max(MAX_LOG_MAGNITUDE).exp())
            spectrum = torch.cat([magnitude * phase.cos(), magnitude * phase.sin()], dim=-1)
            envelope = self._overlap_add(inside(self.window_square.expand(1, n_frames, -1)))
            waveform = self._overlap_add(spectrum @ self.basis) / envelope.clamp_min(TINY)
        return waveform if lengths is None else waveform * length_mask(lengths, n_frames, self.hop_size)

    def _overlap_add(self, windows: Tensor) -> Tensor:
        """Sum (B, T * hop_size) of windows (B, T, n_fft) that start hop_size apart, cut to the frames' own hops.

        Frame t is centred on the middle of its hop, t * hop_size + hop_size / 2.
        """
        overlap, hop = self.overlap, self.hop_size
        total = F.pad(windows[..., :hop], (0, 0, 0, overlap - 1))
        for i in range(1, overlap):
            total = total + F.pad(windows[..., i * hop : (i + 1) * hop], (0, 0, i, overlap - 1 - i))
        cut = (self.n_fft - hop) // 2
        return total.flatten(1)[:, cut:-cut]


def over_time(conv: nn.Conv1d, x: Tensor) -> Tensor:
    """A convolution of x (B, T, C)."""
    return conv(x.transpose(1, 2)).transpose(1, 2)


def inverse_fourier_basis(n_fft: int) -> Tensor:
    """Matrix (n_fft + 2, n_fft) that maps real parts, then imaginary parts, of a half spectrum to its samples."""
    identity = torch.eye(n_fft // 2 + 1, dtype=torch.complex128)
    return torch.cat([torch.fft.irfft(identity, n_fft), torch.fft.irfft(1j * identity, n_fft)]).float()
