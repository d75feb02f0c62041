"""Fundamental frequency, found by windowed autocorrelation and a Viterbi search, and moved by resampling.

The frame's autocorrelation divided by the window's, local maxima as candidates, costs for octave jumps and changes of
voicing, and the best path through them: P. Boersma, "Accurate short-term analysis of the fundamental frequency and the
harmonics-to-noise ratio of a sampled sound", Proceedings of the Institute of Phonetic Sciences 17 (1993), 97-110.
Here the signal is band-limited first (hum below, aperiodic parts above), and many utterances share one search.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view

Array = np.ndarray

# Costs of the search, in units of autocorrelation strength (0 to 1).
VOICING_THRESHOLD = 0.5  # strength that a voiced candidate must beat
SILENCE_THRESHOLD = 0.03  # share of the loud frames' level below which a frame tends to be unvoiced
OCTAVE_COST = 0.01  # preference for the higher of two equal candidates, per octave
OCTAVE_JUMP_COST = 1.0  # per octave between neighbouring frames 10 ms apart
VOICING_COST = 0.4  # per change of voicing, for frames 10 ms apart
PERIODS = 3.5  # length of the analysis window in periods of the lowest frequency
HIGHEST_HZ = 1300.0  # what lies above carries little periodicity
CANDIDATES = 8  # voiced candidates kept in a frame

# Of the frames in which formants are put back.
WINDOW_SECONDS = 0.046
OVERLAP = 4
# Spectral detail below this spacing of harmonics is pitch, not envelope.
FINEST_HZ = 300.0
LARGEST_GAIN = np.log(10.0)  # 20 dB


@dataclass(frozen=True)
class _Frames:
    """Candidates of one utterance."""

    frequency: Array  # (T, K) Hz, 1.0 where there is no candidate
    strength: Array  # (T, K), -inf where there is no candidate
    unvoiced: Array  # (T,) strength of the unvoiced state


def extract_f0(audio: Array, sample_rate: int, hop_size: int, f0_min: float, f0_max: float) -> Array:
    """F0 (T,) in Hz, 0 where unvoiced, of audio (N,) in [-1, 1]; T = N // hop_size, frame t centred on t * hop_size."""
    return extract_f0_batch([audio], sample_rate, hop_size, f0_min, f0_max)[0]


def extract_f0_batch(audios: list[Array], sample_rate: int, hop_size: int, f0_min: float, f0_max: float) -> list[Array]:
    """F0 of each of `audios`, as `extract_f0` would give it alone; faster, because they share one search."""
    frames = [_candidates(audio, sample_rate, hop_size, f0_min, f0_max) for audio in audios]
    return _best_paths(frames, hop_size / sample_rate)


def continuous_log_f0(f0: Array) -> Array:
    """Natural log of f0 (T,), float32, linear through unvoiced frames; ValueError when no frame is voiced."""
    voiced = np.flatnonzero(f0 > 0)
    if not len(voiced):
        raise ValueError("no frame is voiced")
    return np.interp(np.arange(len(f0)), voiced, np.log(f0[voiced].astype(np.float64))).astype(np.float32)


def _candidates(audio: Array, sample_rate: int, hop_size: int, f0_min: float, f0_max: float) -> _Frames:
    """Strongest autocorrelation peaks of every frame."""
    count = len(audio) // hop_size
    k = CANDIDATES
    if count == 0:
        return _Frames(np.ones((0, k), np.float32), np.full((0, k), -np.inf, np.float32), np.zeros(0, np.float32))
    factor = max(1, int(sample_rate // (4 * HIGHEST_HZ)))
    rate = sample_rate / factor
    signal = _band_limited(audio, sample_rate, factor, f0_min, HIGHEST_HZ)
    window, envelope, size, first, last = _analysis(rate, f0_min, f0_max)

    # Frame t is centred on sample t * hop_size.
    half = len(window) // 2
    padded = np.pad(signal, (half, len(window) + 1))
    starts = np.rint(np.arange(count) * (hop_size / factor)).astype(np.int64)
    chunks = sliding_window_view(padded, len(window))[starts] * window
    spectrum = scipy.fft.rfft(chunks, size, axis=-1)
    power = spectrum.real**2 + spectrum.imag**2
    # Twice the length interpolates the autocorrelation to half-sample lags.
    correlation = scipy.fft.irfft(power, 2 * size, axis=-1)[:, : last + 2]
    energy = 2 * correlation[:, :1]
    normal = correlation / (np.maximum(energy, 1e-12) / 2) / envelope

    # Level against the loud frames: a whisper of hum in a pause is periodic, but not speech.
    level = np.sqrt(energy[:, 0])
    loud = np.quantile(level, 0.95)
    relative = level / max(loud, 1e-6)
    unvoiced = VOICING_THRESHOLD + np.maximum(0.0, 2.0 - relative * (1.0 + VOICING_THRESHOLD) / SILENCE_THRESHOLD)

    frequency, strength = _peaks(normal, first, last, 2 * rate, k)
    strength -= OCTAVE_COST * np.log2(np.maximum(f0_max / frequency, 1e-6))
    strength[(frequency < f0_min) | (frequency > f0_max)] = -np.inf
    return _Frames(frequency, strength, unvoiced.astype(np.float32))


def _band_limited(audio: Array, sample_rate: int, factor: int, low: float, high: float) -> Array:
    """Audio (N,) between `low` and `high` Hz, and only every factor-th sample of it, float32, zero phase."""
    # The padding keeps the circular convolution's tail out of the other end.
    size = factor * scipy.fft.next_fast_len(-(-(len(audio) + sample_rate // 8) // factor), real=True)
    small = size // factor
    spectrum = scipy.fft.rfft(audio.astype(np.float32, copy=False), size)[: small // 2 + 1]
    frequencies = np.arange(len(spectrum)) * (sample_rate / size)
    # Mains hum at 50 and 60 Hz lies on the stop side of the usual f0_min.
    rise = np.clip((frequencies - 0.85 * low) / (0.15 * low), 0, 1)
    fall = np.clip((1.25 * high - frequencies) / (0.25 * high), 0, 1)
    spectrum *= (np.sin(0.5 * np.pi * rise) ** 2 * np.sin(0.5 * np.pi * fall) ** 2).astype(np.float32)
    return scipy.fft.irfft(spectrum, small)[: -(-len(audio) // factor)] / np.float32(factor)


@lru_cache(maxsize=8)
def _analysis(rate: float, f0_min: float, f0_max: float) -> tuple[Array, Array, int, int, int]:
    """Window, its normalised autocorrelation at half-sample lags, FFT size, and first and last lag of the search."""
    length = int(np.ceil(PERIODS * rate / f0_min)) | 1
    last = int(np.ceil(2 * rate / f0_min)) + 1
    first = max(2, int(np.floor(2 * rate / f0_max)) - 1)
    size = scipy.fft.next_fast_len(length + last // 2 + 2, real=True)
    window = np.hanning(length + 2)[1:-1].astype(np.float32)
    power = np.abs(scipy.fft.rfft(window.astype(np.float64), size)) ** 2
    envelope = scipy.fft.irfft(power, 2 * size)[: last + 2]
    return window, (envelope / envelope[0]).astype(np.float32), size, first, last


def _peaks(normal: Array, first: int, last: int, rate: float, count: int) -> tuple[Array, Array]:
    """Frequencies (T, count) and heights (T, count) of the highest local maxima between two lags, interpolated."""
    middle = normal[:, first : last + 1]
    before, after = normal[:, first - 1 : last], normal[:, first + 1 : last + 2]
    maxima = np.where((middle > before) & (middle >= after) & (middle > 0), middle, -np.inf)
    keep = min(count, maxima.shape[1])
    best = np.argpartition(-maxima, keep - 1, axis=1)[:, :keep]
    height = np.take_along_axis(maxima, best, axis=1)
    left = np.take_along_axis(before, best, axis=1)
    right = np.take_along_axis(after, best, axis=1)
    valid = np.isfinite(height)
    centre = np.where(valid, height, 0)
    curvature = np.where(valid, 2 * centre - left - right, 1)
    shift = np.where(valid, 0.5 * (right - left) / np.maximum(curvature, 1e-9), 0)
    frequency = np.where(valid, rate / (best + first + shift), 1.0)
    # A sinusoid between two lags can overshoot 1 by rounding; noise cannot be better than perfect either.
    height = np.where(valid, np.minimum(centre + 0.25 * (right - left) * shift, 1.0), -np.inf)
    if keep < count:
        spare = ((0, 0), (0, count - keep))
        frequency = np.pad(frequency, spare, constant_values=1.0)
        height = np.pad(height, spare, constant_values=-np.inf)
    return frequency.astype(np.float32), height.astype(np.float32)


def _best_paths(frames: list[_Frames], step: float) -> list[Array]:
    """F0 (T,) of each utterance by one Viterbi search over all of them; `step` is the frame shift in seconds."""
    lengths = np.array([len(f.unvoiced) for f in frames])
    longest, batch, k = int(lengths.max(initial=1)), len(frames), CANDIDATES
    # State k is unvoiced. Padding frames cost nothing and change nothing: every state keeps its score.
    log_frequency = np.zeros((longest, batch, k + 1), np.float32)
    strength = np.full((longest, batch, k + 1), -np.inf, np.float32)
    for index, item in enumerate(frames):
        log_frequency[: lengths[index], index, :k] = np.log2(item.frequency)
        strength[: lengths[index], index, :k] = item.strength
        strength[: lengths[index], index, k] = item.unvoiced
    scale = 0.01 / step
    jump, change = OCTAVE_JUMP_COST * scale, VOICING_COST * scale

    score = strength[0]
    back = np.zeros((longest, batch, k + 1), np.int8)
    ends = np.zeros((batch, k + 1), np.float32)
    ends[lengths == 1] = score[lengths == 1]
    for t in range(1, longest):
        total = np.abs(log_frequency[t - 1][:, :, None] - log_frequency[t][:, None, :])
        total *= -jump
        total[:, k, :k] = -change
        total[:, :k, k] = -change
        total[:, k, k] = 0
        total += score[:, :, None]
        back[t] = total.argmax(axis=1)
        score = total.max(axis=1) + strength[t]
        finished = lengths == t + 1
        ends[finished] = score[finished]

    result = []
    for index, item in enumerate(frames):
        path = np.full(lengths[index], ends[index].argmax(), np.int64)
        for t in range(len(path) - 1, 0, -1):
            path[t - 1] = back[t, index, path[t]]
        f0 = item.frequency[np.arange(len(path)), np.minimum(path, k - 1)]
        result.append(np.where(path < k, f0, 0).astype(np.float32))
    return result


def squeezed(wave: np.ndarray, n_samples: int, sample_rate: int) -> np.ndarray:
    """A wave (N,) in n_samples: as much higher as it gets shorter, but with the spectral envelope that it had."""
    if len(wave) == n_samples:
        return wave
    # The bins that both spectra have, but not the one at half the sample rate.
    spectrum = scipy.fft.rfft(wave.astype(np.float32))[: (min(len(wave), n_samples) + 1) // 2]
    changed = scipy.fft.irfft(spectrum, n_samples) * np.float32(n_samples / len(wave))
    return with_envelope_moved(changed, len(wave) / n_samples, sample_rate)


def with_envelope_moved(wave: np.ndarray, factor: float, sample_rate: int) -> np.ndarray:
    """A wave (N,) whose envelope (its cepstrum up to FINEST_HZ's lag) at f Hz becomes what it was at f * factor."""
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
