"""Losses of the waveform GAN (arXiv 2010.05646, section 2.4); sums over discriminators, means inside each."""

from __future__ import annotations

import torch
from torch import Tensor

from models.kernels.feature_distance import feature_distance

# Feature maps of each discriminator, layer by layer, the judgement last. The batch holds real segments, then as many
# generated ones.
Features = list[list[Tensor]]


def judgements(features: Features) -> tuple[list[Tensor], list[Tensor]]:
    """Each discriminator's judgements of the real and of the generated segments, in float32."""
    halves = [layers[-1].float().chunk(2) for layers in features]
    return [half[0] for half in halves], [half[1] for half in halves]


def discriminator_losses(features: Features) -> tuple[Tensor, Tensor]:
    """Least-squares losses of the judgements on real (target 1) and generated (target 0) segments."""
    real, fake = judgements(features)
    return total([(judged - 1).square().mean() for judged in real]), total([judged.square().mean() for judged in fake])


def adversarial_loss(features: Features) -> Tensor:
    """Least-squares loss of the generator: judgements on its segments against 1."""
    return total([(judged - 1).square().mean() for judged in judgements(features)[1]])


def feature_matching_loss(features: Features) -> Tensor:
    """L1 distance of all feature maps, judgements included; the real ones get no gradient."""
    return total([feature_distance(feature) for layers in features for feature in layers])


def total(losses: list[Tensor]) -> Tensor:
    """The sum () of losses ()."""
    return torch.stack(losses).sum()
