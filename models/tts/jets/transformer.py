"""Pre-norm transformer stack of the text encoder and the frame decoder (arXiv 2203.16852, section 2.1).

Padded positions are set to zero in front of every convolution, so that an utterance gives the same result alone and
in a batch of longer ones.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.kernels.time_conv import TimeConv1d
from models.tts.jets.conditioning import Film
from models.tts.jets.config import TransformerConfig

LAYER_NORM_EPS = 1e-12


class ScaledPositionalEncoding(nn.Module):
    """Sinusoids times a learned scale, added to the input (arXiv 1809.08895, section 3.2)."""

    frequency: Tensor

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(()))
        self.dropout = nn.Dropout(dropout)
        frequency = torch.exp(torch.arange(0, channels, 2).float() * (-math.log(10000.0) / channels))
        self.register_buffer("frequency", frequency, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Encode positions of x (B, T, C); same shape."""
        angle = torch.arange(x.shape[1], dtype=torch.float32, device=x.device).unsqueeze(1) * self.frequency
        sinusoids = torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)
        return self.dropout(x + self.alpha * sinusoids)


class SelfAttention(nn.Module):
    """Multi-head self-attention with one projection for queries, keys and values."""

    def __init__(self, channels: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)

    def forward(self, x: Tensor, key_mask: Tensor) -> Tensor:
        """Attend from every position of x (B, T, C) to those where key_mask (B, 1, 1, T) is true."""
        batch, length, channels = x.shape
        q, k, v = self.qkv(x).view(batch, length, 3, self.heads, channels // self.heads).permute(2, 0, 3, 1, 4)
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=key_mask, dropout_p=dropout)
        return self.out(mixed.transpose(1, 2).reshape(batch, length, channels))


class ConvFeedForward(nn.Module):
    """Two convolutions over time with ReLU and dropout between them."""

    def __init__(self, channels: int, ffn_channels: int, kernel_size: int, dropout: float) -> None:
        super().__init__()
        self.conv1 = TimeConv1d(channels, ffn_channels, kernel_size)
        self.conv2 = TimeConv1d(ffn_channels, channels, kernel_size)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Transform x (B, T, C) inside mask (B, T, 1)."""
        x = self.dropout(torch.relu(self.conv1(x * mask)))
        return self.conv2(x * mask)


class TransformerBlock(nn.Module):
    """Self-attention, then the conv feed-forward, each behind a layer norm and around a residual."""

    def __init__(self, channels: int, config: TransformerConfig, condition: int = 0) -> None:
        super().__init__()
        self.films = nn.ModuleList(Film(condition, channels) for _ in range(2 if condition else 0))
        self.attention_norm = nn.LayerNorm(channels, eps=LAYER_NORM_EPS)
        self.attention = SelfAttention(channels, config.heads, config.attention_dropout)
        self.ffn_norm = nn.LayerNorm(channels, eps=LAYER_NORM_EPS)
        self.ffn = ConvFeedForward(channels, config.ffn_channels, config.ffn_kernel_size, config.dropout)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, mask: Tensor, key_mask: Tensor, speaker: Tensor | None = None) -> Tensor:
        """Transform x (B, T, C) inside mask (B, T, 1); key_mask is (B, 1, 1, T), speaker (B, 1, S)."""
        x = x + self.dropout(self.attention(self._told(0, self.attention_norm(x), speaker), key_mask))
        return x + self.dropout(self.ffn(self._told(1, self.ffn_norm(x), speaker), mask))

    def _told(self, film: int, x: Tensor, speaker: Tensor | None) -> Tensor:
        return x if speaker is None or not self.films else self.films[film](x, speaker)


class Transformer(nn.Module):
    """Positional encoding, blocks and a final layer norm."""

    def __init__(self, channels: int, config: TransformerConfig, condition: int = 0) -> None:
        """`condition` is the width of what tells every block who speaks; 0: nobody does."""
        super().__init__()
        self.position = ScaledPositionalEncoding(channels, config.positional_dropout)
        self.blocks = nn.ModuleList(TransformerBlock(channels, config, condition) for _ in range(config.layers))
        self.norm = nn.LayerNorm(channels, eps=LAYER_NORM_EPS)

    def forward(self, x: Tensor, mask: Tensor, speaker: Tensor | None = None) -> Tensor:
        """Transform x (B, T, C) inside the boolean mask (B, T), speaker (B, 1, S); zero in padding."""
        key_mask = mask[:, None, None, :]
        x = self.position(x)
        keep = mask.unsqueeze(-1).to(x.dtype)
        for block in self.blocks:
            x = block(x, keep, key_mask, speaker)
        return self.norm(x) * keep


def initialise_xavier(module: nn.Module) -> None:
    """Xavier-uniform matrices and zero biases for every linear and conv layer below `module`."""
    for layer in module.modules():
        if isinstance(layer, (nn.Linear, nn.Conv1d)):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
