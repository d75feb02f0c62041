"""Measures cheap enough for validation during training, and closer to the ear than adversarial losses."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from models.evaluation.measures.stft_distance import stft_distance
from processors.audio.mel import MelSpectrogram

# What `validation_measures` returns; lower is better in each.
VALIDATION_MEASURES = ("score", "stft_distance", "mel_distance", "duration_error", "duration_bias")


@torch.no_grad()
def validation_measures(
    reference: Tensor,
    copy: Tensor,
    frame_lengths: Sequence[int],
    durations: Tensor,
    durations_hat: Tensor,
    mel: MelSpectrogram,
) -> dict[str, Tensor]:
    """Means over a batch, as scalars on its device: no transfer to the host happens here.

    reference (B, N) and copy (B, N) are recording and copy synthesis (the recording's durations, pitch and energy
    through the network) in [-1, 1], 0 behind frame_lengths (B) * hop_size, which are numbers on the host; durations
    and durations_hat (B, T_text) are those of the alignment and the predicted ones, in frames, 0 in padding (the
    latter need not be whole).

    `stft_distance` is the multi-resolution STFT distance, `mel_distance` the mean absolute difference of log-mel
    spectra, `duration_error` the sum of absolute duration errors over the sum of durations, `duration_bias` the
    absolute error of the utterance's whole length over that length, and `score` = stft_distance + duration_error:
    two figures of order one, one for the sound and one for the timing, which the best checkpoint is chosen by.
    Raises ValueError when reference and copy differ in shape.
    """
    frames = int(reference.shape[1] // mel.hop_size)
    lengths = torch.tensor(list(frame_lengths), device=reference.device)
    mask = torch.arange(frames, device=reference.device) < lengths[:, None]
    # Padding is silence in both; its floor would dilute the log magnitudes, so each utterance counts by itself.
    distances = torch.cat(
        [
            stft_distance(reference[i : i + 1, : n * mel.hop_size], copy[i : i + 1, : n * mel.hop_size])[
                "stft_distance"
            ]
            for i, n in enumerate(frame_lengths)
        ]
    )
    difference = (mel(reference)[0] - mel(copy)[0]).abs().mean(-1)
    mel_distance = (difference * mask).sum(1) / mask.sum(1)
    total = durations.sum(1).clamp_min(1)
    error = (durations - durations_hat).abs().sum(1) / total
    bias = (durations.sum(1) - durations_hat.sum(1)).abs() / total
    return {
        "score": (distances + error).mean(),
        "stft_distance": distances.mean(),
        "mel_distance": mel_distance.mean(),
        "duration_error": error.mean(),
        "duration_bias": bias.mean(),
    }
