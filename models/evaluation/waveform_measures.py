"""Distances between waveforms that are aligned sample by sample, in torch: for copy synthesis and during training."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from processors.audio.mel import MelSpectrogram

# FFT size, hop and window in samples, of table 1 in Yamamoto, Song and Kim, "Parallel WaveGAN" (arXiv 1910.11480).
RESOLUTIONS = ((512, 50, 240), (1024, 120, 600), (2048, 240, 1200))
POWER_FLOOR = 1e-7
# What `validation_measures` returns; lower is better in each.
VALIDATION_MEASURES = ("score", "stft_distance", "mel_distance", "duration_error", "duration_bias")


def stft_magnitude(audio: Tensor, n_fft: int, hop_size: int, win_size: int) -> Tensor:
    """Magnitude (B, F, T) of audio (B, N), floored so that its log stays finite."""
    window = torch.hann_window(win_size, device=audio.device, dtype=audio.dtype)
    mode = "reflect" if audio.shape[-1] > n_fft // 2 else "constant"
    spectrum = torch.stft(audio, n_fft, hop_size, win_size, window, pad_mode=mode, return_complex=True)
    return torch.view_as_real(spectrum).square().sum(-1).clamp_min(POWER_FLOOR).sqrt()


def stft_distance(reference: Tensor, other: Tensor) -> dict[str, Tensor]:
    """Distances (B,) between audio (B, N) and (B, N) in [-1, 1], each averaged over three resolutions.

    `stft_convergence` is the Frobenius norm of the magnitudes' difference over that of the reference's magnitude,
    `stft_log_magnitude` the mean absolute difference of their natural logs, `stft_distance` the sum of the two
    (section 2.2 of the paper above). Raises ValueError when the shapes differ.
    """
    if reference.shape != other.shape:
        raise ValueError(f"not aligned: {tuple(reference.shape)} and {tuple(other.shape)} samples")
    distances = []
    for resolution in RESOLUTIONS:
        a, b = stft_magnitude(reference.float(), *resolution), stft_magnitude(other.float(), *resolution)
        convergence = (a - b).flatten(1).norm(dim=1) / a.flatten(1).norm(dim=1)
        distances.append(torch.stack([convergence, (a.log() - b.log()).abs().flatten(1).mean(1)]))
    convergence, log_magnitude = torch.stack(distances).mean(0)
    return {
        "stft_convergence": convergence,
        "stft_log_magnitude": log_magnitude,
        "stft_distance": convergence + log_magnitude,
    }


@torch.no_grad()
def validation_measures(
    reference: Tensor,
    copy: Tensor,
    frame_lengths: Sequence[int],
    durations: Tensor,
    durations_hat: Tensor,
    mel: MelSpectrogram,
) -> dict[str, Tensor]:
    """Means over a batch of recordings and copy synthesis, as scalars on its device: nothing waits for the host.

    reference (B, N) and copy (B, N) are in [-1, 1], 0 behind frame_lengths (B,) * hop_size, which are numbers on the
    host; durations and durations_hat (B, T_text), of the alignment and predicted, are in frames, 0 in padding (the
    latter need not be whole). Raises ValueError when reference and copy differ in shape.

    `mel_distance` is the mean absolute difference of log-mel spectra, `duration_error` the sum of absolute duration
    errors over the sum of durations, `duration_bias` the absolute error of the utterance's whole length over that
    length, and `score` = stft_distance + duration_error: two figures of order one, one for the sound and one for the
    timing, which the best checkpoint is chosen by.
    """
    frames = reference.shape[1] // mel.hop_size
    lengths = torch.tensor(list(frame_lengths), device=reference.device)
    mask = torch.arange(frames, device=reference.device) < lengths[:, None]
    # Padding is silence in both; its floor would dilute the log magnitudes, so each utterance counts by itself.
    pairs = [
        (reference[i, None, : n * mel.hop_size], copy[i, None, : n * mel.hop_size]) for i, n in enumerate(frame_lengths)
    ]
    distance = torch.cat([stft_distance(*pair)["stft_distance"] for pair in pairs])
    difference = (mel(reference)[0] - mel(copy)[0]).abs().mean(-1)
    total = durations.sum(1).clamp_min(1)
    error = (durations - durations_hat).abs().sum(1) / total
    values = {
        "score": distance + error,
        "stft_distance": distance,
        "mel_distance": (difference * mask).sum(1) / mask.sum(1),
        "duration_error": error,
        "duration_bias": (durations.sum(1) - durations_hat.sum(1)).abs() / total,
    }
    return {name: value.mean() for name, value in values.items()}
