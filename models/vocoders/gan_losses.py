"""Losses of the waveform GAN (arXiv 2010.05646, section 2.4); sums over discriminators, means inside each."""

from __future__ import annotations

import torch
from torch import Tensor

try:
    from models.kernels.feature_distance_triton import feature_distance as _distance_on_gpu
    from models.kernels.feature_distance_triton import is_dense
except ImportError:  # Triton exists for Linux only.
    _distance_on_gpu = None

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


def feature_matching_loss(features: Features) -> Tensor:
    """L1 distance of all feature maps, judgements included; the batch holds real segments, then generated ones.

    The real ones get no gradient.
    """
    return sum(_distance(feature) for layers in features for feature in layers)


def _distance(feature: Tensor) -> Tensor:
    """Mean absolute difference (), float32, of the halves of a feature map (2 B, ...)."""
    fused = feature.is_cuda and _distance_on_gpu is not None and not torch.compiler.is_compiling()
    if fused and is_dense(feature):
        return _distance_on_gpu(feature)
    real, fake = feature.chunk(2)
    return (fake - real.detach()).abs().mean(dtype=torch.float32)
