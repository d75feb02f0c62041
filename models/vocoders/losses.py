"""Losses of the waveform GAN (arXiv 2010.05646, section 2.4); sums over discriminators, means inside each."""

from __future__ import annotations

import torch
from torch import Tensor

Features = list[list[Tensor]]


def split_real_fake(features: Features) -> tuple[Features, Features]:
    """Halves of feature maps whose batch holds the real segments first, then the generated ones."""
    halves = [[feature.chunk(2) for feature in layers] for layers in features]
    return [[h[0] for h in layers] for layers in halves], [[h[1] for h in layers] for layers in halves]


def discriminator_losses(real: Features, fake: Features) -> tuple[Tensor, Tensor]:
    """Least-squares losses of the judgements on real (target 1) and generated (target 0) segments."""
    real_loss = sum((layers[-1].float() - 1).square().mean() for layers in real)
    fake_loss = sum(layers[-1].float().square().mean() for layers in fake)
    return real_loss, fake_loss


def adversarial_loss(fake: Features) -> Tensor:
    """Least-squares loss of the generator: judgements on its segments against 1."""
    return sum((layers[-1].float() - 1).square().mean() for layers in fake)


def feature_matching_loss(real: Features, fake: Features) -> Tensor:
    """L1 distance of all feature maps, judgements included; the real ones carry no gradient."""
    # The mean adds up in float32 without a float32 copy of the maps.
    return sum(
        (f - r.detach()).abs().mean(dtype=torch.float32)
        for real_layers, fake_layers in zip(real, fake)
        for r, f in zip(real_layers, fake_layers)
    )
