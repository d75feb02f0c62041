"""Layers of the network in the forms that an exported graph needs: the same results, by other arithmetic."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.tts.jets.network import JetsNetwork
from models.tts.jets.transformer import ConvFeedForward, ScaledPositionalEncoding, SelfAttention

# Added to scores of keys in padding. Finite, so that no query is left without a key.
MASKED_SCORE = -1e9


class ComputedPositions(nn.Module):
    """Sinusoids computed for the length at hand: no table in the file, and no limit of length."""

    def __init__(self, original: ScaledPositionalEncoding) -> None:
        super().__init__()
        self.alpha = original.alpha
        exponent = torch.arange(0, original.channels, 2).float() * (-math.log(10000.0) / original.channels)
        self.register_buffer("frequency", torch.exp(exponent))

    def forward(self, x: Tensor) -> Tensor:
        """Encode positions of x (B, T, C); same shape."""
        angle = torch.arange(x.shape[1], dtype=torch.float32, device=x.device).unsqueeze(1) * self.frequency
        return x + self.alpha * torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)


class PlainAttention(nn.Module):
    """Self-attention as two matrix products and a softmax; the factor of the scores is folded into the queries."""

    def __init__(self, original: SelfAttention) -> None:
        super().__init__()
        self.heads = original.heads
        channels = original.out.in_features
        scale = (channels // self.heads) ** -0.5
        weight, bias = original.qkv.weight.detach().clone(), original.qkv.bias.detach().clone()
        weight[:channels] *= scale
        bias[:channels] *= scale
        self.weight, self.bias = nn.Parameter(weight.t().contiguous()), nn.Parameter(bias)
        self.out = original.out

    def forward(self, x: Tensor, key_mask: Tensor) -> Tensor:
        """Attend from every position of x (B, T, C) to those where key_mask (B, 1, 1, T) is true."""
        batch, length, channels = x.shape
        q, k, v = (x @ self.weight + self.bias).chunk(3, dim=-1)
        shape = (batch, length, self.heads, channels // self.heads)
        scores = q.view(shape).transpose(1, 2) @ k.view(shape).permute(0, 2, 3, 1)
        scores = scores + (1 - key_mask.to(x.dtype)) * MASKED_SCORE
        mixed = scores.softmax(-1) @ v.view(shape).transpose(1, 2)
        return self.out(mixed.transpose(1, 2).reshape(batch, length, channels))


class MatmulFeedForward(nn.Module):
    """The conv feed-forward as two matrix products over (B, T, C), without transposes.

    The first sees each position's neighbours side by side; the second makes each position's share of its neighbours,
    and the shares are added: of both ways to turn a convolution into one product, each time the narrower one.
    """

    def __init__(self, original: ConvFeedForward) -> None:
        super().__init__()
        first, second = original.conv1, original.conv2
        self.width = first.kernel_size[0]
        # (out, in, width) as (width * in, out) and as (in, width * out)
        self.spread = nn.Parameter(first.weight.detach().permute(2, 1, 0).reshape(-1, first.out_channels).contiguous())
        self.gather = nn.Parameter(second.weight.detach().permute(1, 2, 0).reshape(second.in_channels, -1).contiguous())
        self.first_bias, self.second_bias = first.bias, second.bias

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Transform x (B, T, C) inside mask (B, T, 1)."""
        half, length, channels = self.width // 2, x.shape[1], x.shape[2]
        padded = F.pad(x * mask, (0, 0, half, half))
        x = torch.cat([padded[:, i : i + length] for i in range(self.width)], dim=-1)
        x = torch.relu(x @ self.spread + self.first_bias) * mask
        shares = F.pad(x @ self.gather, (0, 0, half, half))
        parts = [shares[:, i : i + length, i * channels : (i + 1) * channels] for i in range(self.width)]
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total + self.second_bias


def prepare_network(network: JetsNetwork) -> None:
    """Replace, in place and for good, what exports badly or runs slowly from a graph."""
    for stack in (network.encoder, network.decoder):
        stack.position = ComputedPositions(stack.position)
        for block in stack.blocks:
            block.attention = PlainAttention(block.attention)
            block.ffn = MatmulFeedForward(block.ffn)
