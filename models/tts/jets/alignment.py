"""Learned alignment of text and mel frames (One TTS Alignment To Rule Them All, arXiv 2108.10447)."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.kernels.monotonic import forward_sum
from models.kernels.time_conv import TimeConv1d

# Score of a padded token: far below any distance, finite so that no gradient becomes NaN.
MASKED_SCORE = -1e9
# Logit of CTC's blank, e^-1 as a probability (arXiv 2108.10447, and the reference implementation of JETS).
BLANK_LOGIT = -1.0


class AlignmentModule(nn.Module):
    """Log-probability of each token for each frame, from distances of encoded text and mel."""

    def __init__(self, channels: int, n_mel: int, prior_omega: float) -> None:
        super().__init__()
        self.prior_omega = prior_omega
        self.text_conv1 = TimeConv1d(channels, channels, 3)
        self.text_conv2 = TimeConv1d(channels, channels, 1)
        self.mel_conv1 = TimeConv1d(n_mel, channels, 3)
        self.mel_conv2 = TimeConv1d(channels, channels, 3)
        self.mel_conv3 = TimeConv1d(channels, channels, 1)

    def forward(self, hidden: Tensor, mel: Tensor, text_mask: Tensor, frame_mask: Tensor) -> Tensor:
        """Align hidden (B, T_text, C) and mel (B, T, n_mel): log-probabilities with prior (B, T, T_text), float32.

        Both inputs are zero in padding; text_mask (B, T_text) and frame_mask (B, T) are boolean.
        """
        with torch.autocast(hidden.device.type, enabled=False):
            keep = frame_mask.unsqueeze(2).float()
            keys = self.text_conv2(torch.relu(self.text_conv1(hidden.float())))
            queries = torch.relu(self.mel_conv1(mel.float())) * keep
            queries = self.mel_conv3(torch.relu(self.mel_conv2(queries)) * keep)
            scores = -euclidean_distance(queries, keys)
            scores = scores.masked_fill(~text_mask[:, None, :], MASKED_SCORE)
            sizes = (scores.shape[1], scores.shape[2], self.prior_omega)
            prior = beta_binomial_prior(text_mask.sum(1), frame_mask.sum(1), *sizes)
            return F.log_softmax(scores, dim=-1) + prior


def euclidean_distance(queries: Tensor, keys: Tensor) -> Tensor:
    """Distances (B, T, N) of queries (B, T, C) and keys (B, N, C) by one matrix product.

    Both are moved by the keys' mean first: distances stay, but the squares that cancel get small. A distance of
    zero has gradient zero.
    """
    centre = keys.detach().mean(1, keepdim=True)
    queries, keys = queries - centre, keys - centre
    square = queries.square().sum(-1).unsqueeze(2) + keys.square().sum(-1).unsqueeze(1)
    return (square - 2 * queries @ keys.transpose(1, 2)).clamp_min(1e-12).sqrt()


@torch.no_grad()
def beta_binomial_prior(
    text_lengths: Tensor, frame_lengths: Tensor, n_frames: int, n_text: int, omega: float
) -> Tensor:
    """Log of the beta-binomial prior (B, n_frames, n_text), float32; MASKED_SCORE outside an utterance.

    For frame t of T (from 1) and token k of N (from 0) the pmf of BetaBinomial(N, omega * t, omega * (T - t + 1)) at
    k (arXiv 2108.10447, section 2.3).
    """
    double: dict[str, Any] = {"device": text_lengths.device, "dtype": torch.float64}
    n = text_lengths.to(torch.float64)[:, None, None]
    total = frame_lengths.to(torch.float64)[:, None, None]
    t = torch.arange(1, n_frames + 1, **double)[None, :, None]
    k = torch.arange(n_text, **double)[None, None, :]
    inside = (t <= total) & (k < n)
    # Outside values are replaced before lgamma sees them: negative arguments have poles.
    t, k = torch.minimum(t, total), torch.minimum(k, n)
    alpha, beta = omega * t, omega * (total - t + 1)
    log_choose = torch.lgamma(n + 1) - torch.lgamma(k + 1) - torch.lgamma(n - k + 1)
    log_beta_ratio = (
        torch.lgamma(k + alpha)
        + torch.lgamma(n - k + beta)
        - torch.lgamma(n + alpha + beta)
        - torch.lgamma(alpha)
        - torch.lgamma(beta)
        + torch.lgamma(alpha + beta)
    )
    return (log_choose + log_beta_ratio).float().masked_fill(~inside, MASKED_SCORE)


def forward_sum_loss(log_p_attn: Tensor, text_lengths: Tensor, frame_lengths: Tensor) -> Tensor:
    """Negative log-likelihood of all monotonic alignments, per token, averaged over the batch.

    CTC whose labels are the token positions in order, with a blank of fixed logit in front of the softmax
    (arXiv 2108.10447, section 2.2). log_p_attn (B, T, T_text), lengths (B,). An utterance with fewer frames than
    tokens has no alignment and counts as zero.
    """
    log_probs = F.log_softmax(F.pad(log_p_attn, (1, 0), value=BLANK_LOGIT), dim=-1)
    return (forward_sum(log_probs, text_lengths, frame_lengths) / text_lengths).mean()


def binarisation_loss(log_p_attn: Tensor, path: Tensor, frame_mask: Tensor) -> Tensor:
    """Mean negative log-probability on the path, per utterance, averaged over the batch.

    log_p_attn (B, T, T_text), path (B, T) token of each frame, frame_mask (B, T).
    """
    chosen = log_p_attn.gather(2, path.unsqueeze(2)).squeeze(2)
    keep = frame_mask.to(chosen.dtype)
    return -((chosen * keep).sum(1) / keep.sum(1)).mean()
