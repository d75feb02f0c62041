"""Losses in front of the waveform: variance prediction and alignment, and how all terms add up."""

from __future__ import annotations

import torch
from torch import Tensor

from models.tts.jets.alignment import binarisation_loss, forward_sum_loss
from models.tts.jets.batch import Batch
from models.tts.jets.config import LossConfig
from models.tts.jets.network import AcousticOutput


def masked_mse(predicted: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean squared error of (B, T_text) values over the true positions of mask."""
    keep = mask.to(predicted.dtype)
    return ((predicted - target).square() * keep).sum() / keep.sum()


def acoustic_losses(output: AcousticOutput, batch: Batch) -> dict[str, Tensor]:
    """Duration (in log(d + 1)), pitch, energy, forward-sum and binarisation loss of a batch."""
    mask = output.text_mask
    return {
        "duration": masked_mse(output.log_durations_hat, torch.log(output.durations.float() + 1), mask),
        "pitch": masked_mse(output.log_f0_hat, output.log_f0, mask),
        "energy": masked_mse(output.energy_hat, output.energy, mask),
        "forward_sum": forward_sum_loss(output.log_p_attn, batch.text_lengths, batch.frame_lengths),
        "binarisation": binarisation_loss(output.log_p_attn, output.path, output.frame_mask),
    }


def weights_of(config: LossConfig) -> dict[str, float]:
    """Weight of each generator loss."""
    weights = {
        "mel": config.mel,
        "adversarial": config.adversarial,
        "feature_matching": config.feature_matching,
        "duration": config.variance,
        "pitch": config.variance,
        "energy": config.variance,
        "forward_sum": config.alignment,
        "binarisation": config.alignment,
    }
    # A term without weight would still cost time.
    return weights | {"multi_mel": config.multi_mel} if config.multi_mel > 0 else weights
