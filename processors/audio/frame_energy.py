"""Frame energy without torch, for the statistics of stage 1; equals `MelSpectrogram.energy`."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

# Of processors/audio/mel.py, which would import torch.
MEL_FLOOR = 1e-10


def frame_energy(audio: np.ndarray, n_fft: int, win_size: int, hop_size: int) -> np.ndarray:
    """Norm of the STFT magnitude over frequency (T,), float32, of audio (N,) in [-1, 1]; T = N // hop_size.

    No transform is needed: by Parseval's theorem the sum over the n_fft // 2 + 1 bins follows from the windowed
    samples' squares and from the two bins that have no mirror image.
    """
    frames = len(audio) // hop_size
    if frames == 0:
        return np.zeros(0, np.float32)
    audio = audio.astype(np.float32, copy=False)
    mode = "reflect" if len(audio) > n_fft // 2 else "constant"
    padded = np.pad(audio, n_fft // 2, mode=mode)
    left = (n_fft - win_size) // 2
    window = np.zeros(n_fft)
    window[left : left + win_size] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(win_size) / win_size)

    chunks = sliding_window_view(padded, n_fft)[::hop_size][:frames]
    squares = sliding_window_view(padded * padded, n_fft)[::hop_size][:frames]
    total = n_fft * (squares @ (window**2).astype(np.float32)).astype(np.float64)
    single = [window] if n_fft % 2 else [window, window * (-1.0) ** np.arange(n_fft)]
    edges = (chunks @ np.stack(single, axis=1).astype(np.float32)).astype(np.float64)
    power = 0.5 * (total + np.square(edges).sum(axis=1))
    return np.sqrt(np.maximum(power, MEL_FLOOR)).astype(np.float32)
