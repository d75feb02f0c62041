"""Pitch of speech moved by resampling, with the formants left where they were."""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view

WINDOW_SECONDS = 0.046
OVERLAP = 4
# Spectral detail below this spacing of harmonics is pitch, not envelope.
FINEST_HZ = 300.0
LARGEST_GAIN = np.log(10.0)  # 20 dB


def squeezed(wave: np.ndarray, n_samples: int, sample_rate: int) -> np.ndarray:
    """A wave (N,) in n_samples: as much higher as it gets shorter, but with the spectral envelope that it had."""
    if len(wave) == n_samples:
        return wave
    # The bins that both spectra have, but not the one at half the sample rate.
    spectrum = scipy.fft.rfft(wave.astype(np.float32))[: (min(len(wave), n_samples) + 1) // 2]
    changed = scipy.fft.irfft(spectrum, n_samples) * np.float32(n_samples / len(wave))
    return with_envelope_moved(changed, len(wave) / n_samples, sample_rate)


def with_envelope_moved(wave: np.ndarray, factor: float, sample_rate: int) -> np.ndarray:
    """A wave (N,) whose spectral envelope at f Hz becomes what it was at f * factor; harmonics stay where they are.

    The envelope is the smooth part of each frame's log spectrum: its cepstrum up to the lag of FINEST_HZ.
    """
    size = scipy.fft.next_fast_len(round(WINDOW_SECONDS * sample_rate), real=True)
    size += -size % (2 * OVERLAP)
    hop = size // OVERLAP
    window = np.hanning(size + 1)[:-1].astype(np.float32)
    padded = np.pad(wave, (size, size + -len(wave) % hop))
    spectrum = scipy.fft.rfft(sliding_window_view(padded, size)[::hop] * window, axis=-1)
    power = np.log(np.maximum(np.abs(spectrum), 1e-5))
    lags = np.arange(size)
    lags = np.minimum(lags, size - lags)
    last = sample_rate / FINEST_HZ
    # Most of it flat, then falling, so that nothing rings.
    lifter = np.clip(4 * (1 - lags / last), 0, 1)
    envelope = scipy.fft.rfft(scipy.fft.irfft(power, size, axis=-1) * lifter, axis=-1).real
    place = np.minimum(np.arange(envelope.shape[1]) * factor, envelope.shape[1] - 1)
    below = np.minimum(place.astype(np.int64), envelope.shape[1] - 2)
    share = place - below
    moved = envelope[:, below] * (1 - share) + envelope[:, below + 1] * share
    spectrum *= np.exp(np.clip(moved - envelope, -LARGEST_GAIN, LARGEST_GAIN))
    frames = scipy.fft.irfft(spectrum, size, axis=-1) * window
    made = np.zeros(len(padded))
    for number, frame in enumerate(frames):
        made[number * hop : number * hop + size] += frame
    # Squared Hann windows at a quarter of their length add up to three halves.
    return (made[size : size + len(wave)] / (0.375 * OVERLAP)).astype(np.float32)
