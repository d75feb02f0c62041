"""Multi-resolution STFT distance between two waveforms that are aligned sample by sample.

Source: Yamamoto, Song and Kim, "Parallel WaveGAN" (arXiv 1910.11480), section 2.2. It is meant for copy synthesis:
speech made with the recording's own durations, pitch and energy, so that only the waveform generator differs.
"""

from __future__ import annotations

import torch
from torch import Tensor

# FFT size, hop and window, in samples (their table 1).
RESOLUTIONS = ((512, 50, 240), (1024, 120, 600), (2048, 240, 1200))
POWER_FLOOR = 1e-7


def stft_magnitude(audio: Tensor, n_fft: int, hop_size: int, win_size: int) -> Tensor:
    """Magnitude (B, F, T) of audio (B, N), floored so that its log stays finite."""
    window = torch.hann_window(win_size, device=audio.device, dtype=audio.dtype)
    mode = "reflect" if audio.shape[-1] > n_fft // 2 else "constant"
    spectrum = torch.stft(audio, n_fft, hop_size, win_size, window, pad_mode=mode, return_complex=True)
    return torch.view_as_real(spectrum).square().sum(-1).clamp_min(POWER_FLOOR).sqrt()


def stft_distance(reference: Tensor, other: Tensor) -> dict[str, Tensor]:
    """Distances (B,) between audio (B, N) and (B, N) in [-1, 1], each averaged over three resolutions.

    `stft_convergence` is the Frobenius norm of the magnitudes' difference over that of the reference's magnitude,
    `stft_log_magnitude` the mean absolute difference of their natural logs, `stft_distance` the sum of the two.
    Raises ValueError when the shapes differ.
    """
    if reference.shape != other.shape:
        raise ValueError(f"not aligned: {tuple(reference.shape)} and {tuple(other.shape)} samples")
    convergence, log_magnitude = [], []
    for resolution in RESOLUTIONS:
        a, b = stft_magnitude(reference.float(), *resolution), stft_magnitude(other.float(), *resolution)
        convergence.append((a - b).flatten(1).norm(dim=1) / a.flatten(1).norm(dim=1))
        log_magnitude.append((a.log() - b.log()).abs().flatten(1).mean(1))
    result = {
        "stft_convergence": torch.stack(convergence).mean(0),
        "stft_log_magnitude": torch.stack(log_magnitude).mean(0),
    }
    return {**result, "stft_distance": result["stft_convergence"] + result["stft_log_magnitude"]}
