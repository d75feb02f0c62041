"""Measures of an utterance's signal, alone and against a recording of its text, and of copy synthesis in torch.

The mel-cepstrum here is that of mel-cepstral analysis (Fukada, Tokuda, Kobayashi and Imai, "An adaptive algorithm
for mel-cepstral analysis of speech", ICASSP 1992; the `mcep` of SPTK): coefficients c_0..c_M of a log spectrum on an
all-pass-warped frequency axis, chosen to minimise the criterion of unbiased log-spectral estimation. It follows the
spectral envelope through the harmonics' peaks, which a cosine transform of a mel spectrum does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import librosa
import numpy as np
import torch
from torch import Tensor

from config.schema import PreprocessConfig
from models.evaluation.report import Value
from processors.audio.mel import MelSpectrogram
from processors.audio.pitch import extract_f0
from processors.audio.recording import (
    AudioProblem,
    check_samples,
    frame_energy,
    mixed,
    read_channels,
    resample,
    trim_silence,
)

MAX_SECONDS = 120.0
MAX_CELLS = 30_000_000  # of the time warping's tables, 20 bytes each: two clips of a minute at 86 frames a second
MIN_PAIRS = 10  # about a tenth of a second; fewer voiced pairs say nothing about a melody
SEMITONES = 12 / np.log(2)
SILENCE_DB = 40.0  # below the loudest 20 ms: ends that count as padding
ENERGY_RANGE_DB = 50.0  # below an utterance's loudest frame by more than this lies the room, not the speaker

ORDER = 34
POWER_FLOOR = 1e-13  # of a full-scale sine: keeps digital silence finite, below the noise of 16-bit rounding
MAX_ITERATIONS = 30
TOLERANCE = 1e-4  # relative change of the criterion at which a frame counts as done

# FFT size, hop and window in samples, of table 1 in Yamamoto, Song and Kim, "Parallel WaveGAN" (arXiv 1910.11480).
RESOLUTIONS = ((512, 50, 240), (1024, 120, 600), (2048, 240, 1200))
STFT_FLOOR = 1e-7
# What `validation_measures` returns; lower is better in each.
VALIDATION_MEASURES = ("score", "stft_distance", "mel_distance", "duration_error", "duration_bias")


@dataclass
class Signal:
    """Audio (N,) in [-1, 1] with the frame features that the measures share, T = N // hop_size."""

    audio: np.ndarray
    cepstrum: np.ndarray  # (T, 35)
    f0: np.ndarray  # (T,) Hz, 0 where unvoiced
    energy: np.ndarray  # (T,)


def load_audio(path: Path, sample_rate: int) -> np.ndarray:
    """Audio (N,) of a file, mono, at sample_rate (Hz); AudioProblem when it is unreadable, not finite or endless."""
    channels, rate = read_channels(path, MAX_SECONDS)
    check_samples(channels, 1.0)
    return resample(mixed(channels), rate, sample_rate)


def analyse(audio: np.ndarray, config: PreprocessConfig) -> Signal:
    """Frame features of audio (N,) at config.sample_rate; AudioProblem when it is shorter than one frame."""
    if len(audio) < config.hop_size:
        raise AudioProblem("too short", f"{len(audio)} samples are shorter than one frame")
    return Signal(
        audio=audio,
        cepstrum=mel_cepstrum(frame_power(audio, config.win_size, config.hop_size), config.sample_rate),
        f0=extract_f0(audio, config.sample_rate, config.hop_size, config.f0_min, config.f0_max),
        energy=frame_energy(audio, config.n_fft, config.win_size, config.hop_size),
    )


def measure_alone(signal: Signal, text: str, config: PreprocessConfig) -> dict[str, Value]:
    """Measures that need no recording: speaking rate (characters, runs of white space as one) and pitch range."""
    characters = len(" ".join(text.split()))
    return {
        "characters_per_second": (float(characters), speech_seconds(signal.audio, config.sample_rate)),
        "pitch_range": pitch_range(signal.f0),
    }


def measure_against(reference: Signal, other: Signal, config: PreprocessConfig) -> tuple[dict[str, Value], np.ndarray]:
    """Measures of `other` against the recording of its text, and the warping path (P, 2) of their frames."""
    path = warp(reference.cepstrum[:, 1:], other.cepstrum[:, 1:])
    seconds = [speech_seconds(signal.audio, config.sample_rate) for signal in (other, reference)]
    return {
        "mcd": mel_cepstral_distortion(reference.cepstrum, other.cepstrum, path),
        **f0_distance(reference.f0, other.f0, path),
        "energy_correlation": energy_correlation(reference.energy, other.energy, path),
        "duration_ratio": (seconds[0], seconds[1]),
    }, path


def measure_copy(reference: Signal, copy: Signal, config: PreprocessConfig) -> dict[str, Value]:
    """Measures of copy synthesis, frame by frame; AudioProblem when the lengths differ by more than two frames."""
    lengths = len(copy.audio), len(reference.audio)
    if abs(lengths[0] - lengths[1]) > 2 * config.hop_size:
        raise AudioProblem("timing", f"{lengths[0]} samples, the recording has {lengths[1]}: not the same timing")
    pair = [torch.from_numpy(np.ascontiguousarray(x.audio[None, : min(lengths)])) for x in (reference, copy)]
    path = np.repeat(np.arange(min(len(reference.f0), len(copy.f0)))[:, None], 2, axis=1)
    melody = f0_distance(reference.f0, copy.f0, path)
    return {
        **{f"copy_{key}": float(value[0]) for key, value in stft_distance(*pair).items()},
        "copy_mcd": mel_cepstral_distortion(reference.cepstrum, copy.cepstrum, path),
        "copy_log_f0_rmse": melody["log_f0_rmse"],
        "copy_voicing_error": melody["voicing_error"],
    }


def warp(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Path (P, 2) that pairs the rows of first (N, D) and second (M, D) in order, with the least sum of distances.

    Dynamic time warping (Sakoe and Chiba 1978, symmetric steps of weight 1); AudioProblem for far too long input.
    """
    if len(first) * len(second) > MAX_CELLS:
        raise AudioProblem("too long", f"too long to align: {len(first)} x {len(second)} frames")
    return librosa.sequence.dtw(first.T, second.T)[1][::-1]


def speech_seconds(audio: np.ndarray, sample_rate: int) -> float:
    """Seconds from the first to the last sound of audio (N,); padding must not look like slow speech."""
    return len(trim_silence(audio, sample_rate, SILENCE_DB, 0.0)) / sample_rate


def pitch_range(f0: np.ndarray) -> float:
    """Standard deviation of F0 (T,) in semitones over its voiced frames: low in a monotonous voice; NaN if unvoiced."""
    voiced = f0[f0 > 0].astype(np.float64)
    return float(np.std(np.log(voiced)) * SEMITONES) if len(voiced) >= MIN_PAIRS else float("nan")


def f0_distance(first: np.ndarray, second: np.ndarray, path: np.ndarray) -> dict[str, float]:
    """Distance between two F0 curves (T1,) and (T2,) in Hz, 0 where unvoiced, along a time-warping path (P, 2).

    `log_f0_rmse` (natural log) and `log_f0_correlation` (Pearson) are over the pairs that are voiced in both, NaN for
    fewer than 10; `voicing_error` is the share of pairs where one is voiced and the other is not.
    """
    a, b = first[path[:, 0]], second[path[:, 1]]
    both = (a > 0) & (b > 0)
    rmse = melody = float("nan")
    if both.sum() >= MIN_PAIRS:
        log_a, log_b = np.log(a[both].astype(np.float64)), np.log(b[both].astype(np.float64))
        rmse = float(np.sqrt(np.mean((log_a - log_b) ** 2)))
        melody = correlation(log_a, log_b)
    return {
        "log_f0_rmse": rmse,
        "log_f0_correlation": melody,
        "voicing_error": float(np.mean((a > 0) != (b > 0))),
    }


def energy_correlation(first: np.ndarray, second: np.ndarray, path: np.ndarray) -> float:
    """Pearson's correlation of the levels in dB of frame energies (T1,) and (T2,) along a time-warping path (P, 2).

    Levels over 50 dB below an utterance's loudest frame count as that: a quieter room is no other emphasis. Or NaN.
    """
    levels = []
    for energy in (first, second):
        level = 20 * np.log10(np.maximum(energy.astype(np.float64), 1e-9))
        levels.append(np.maximum(level, level.max() - ENERGY_RANGE_DB))
    return correlation(levels[0][path[:, 0]], levels[1][path[:, 1]])


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Pearson's correlation of two series (N,); NaN where one of them does not vary."""
    a, b = first - first.mean(), second - second.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(np.clip(a @ b / scale, -1, 1)) if scale > 1e-12 else float("nan")


@lru_cache(maxsize=8)
def all_pass_constant(sample_rate: int) -> float:
    """Warping constant alpha whose all-pass phase is closest to the mel scale at sample_rate (Hz); 22,050: 0.455."""
    omega = np.linspace(0, np.pi, 513)
    mel = np.log1p(omega / np.pi * sample_rate / 2 / 1000)  # Fant 1968
    mel *= np.pi / mel[-1]
    candidates = np.arange(0.2, 0.8, 0.001)
    errors = [np.mean((warped_frequency(omega, alpha) - mel) ** 2) for alpha in candidates]
    return round(float(candidates[int(np.argmin(errors))]), 3)


def warped_frequency(omega: np.ndarray, alpha: float) -> np.ndarray:
    """Phase of the all-pass function (z^-1 - alpha) / (1 - alpha z^-1) at omega (radians per sample)."""
    return omega + 2 * np.arctan2(alpha * np.sin(omega), 1 - alpha * np.cos(omega))


@lru_cache(maxsize=8)
def _basis(bins: int, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Cosines (bins, 2 * 34 + 1) of the warped frequencies, and the share (bins,) of the circle of each bin."""
    warped = warped_frequency(np.linspace(0, np.pi, bins), alpha)
    share = np.full(bins, 1.0 / (bins - 1))
    share[[0, -1]] /= 2
    return np.cos(np.outer(warped, np.arange(2 * ORDER + 1))), share


def frame_power(audio: np.ndarray, window_size: int, hop_size: int) -> np.ndarray:
    """Windowed power spectra (T, window_size // 2 + 1) of audio (N,), frame t centred on t * hop_size, T = N // hop.

    The window is Hamming's, as in the usual evaluation scripts (a distortion of 4.3 dB with it is 4.6 dB with
    Blackman's, which lets less of the harmonics leak into the noise); a full-scale sine has a peak of 1.
    """
    window = np.hamming(window_size)
    window *= 2 / window.sum()
    padded = np.pad(np.asarray(audio, dtype=np.float64), window_size // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, window_size)[::hop_size][: len(audio) // hop_size]
    return np.abs(np.fft.rfft(frames * window)) ** 2


def mel_cepstrum(power: np.ndarray, sample_rate: int) -> np.ndarray:
    """Mel-cepstra c_0..c_34 (T, 35) of power spectra (T, F), by Newton's method on the whole batch of frames.

    With R = log power - 2 * sum_m c_m cos(m w') on the warped axis w', the criterion is the mean over frequency of
    exp(R) - R - 1. It is convex in c; its gradient and Hessian need only the cosine moments of exp(R).
    """
    log_power = np.log(power + POWER_FLOOR)
    cosines, share = _basis(power.shape[1], all_pass_constant(sample_rate))
    basis = cosines[:, : ORDER + 1]
    index = np.arange(ORDER + 1)
    toeplitz, hankel = np.abs(index[:, None] - index), index[:, None] + index
    weighted = basis * share[:, None]
    # The least-squares fit lies below the peaks of exp(R), from where whole steps do not overshoot.
    cepstra = np.linalg.solve(basis.T @ weighted, weighted.T @ log_power.T / 2).T
    active, criterion = np.arange(len(power)), np.full(len(power), np.inf)
    for _ in range(MAX_ITERATIONS):
        residual = log_power[active] - 2 * cepstra[active] @ basis.T
        ratio = np.exp(np.minimum(residual, 60.0))
        value = (ratio - residual) @ share
        unfinished = criterion[active] - value > TOLERANCE * np.abs(value)
        criterion[active] = value
        active, ratio = active[unfinished], ratio[unfinished]
        if not len(active):
            break
        moments = ratio @ (cosines * share[:, None])  # (A, 2 * 34 + 1)
        gradient = 2 * (share @ basis - moments[:, : ORDER + 1])
        hessian = 2 * (moments[:, toeplitz] + moments[:, hankel])
        cepstra[active] -= np.linalg.solve(hessian, gradient[..., None])[..., 0]
    return cepstra


def mel_cepstral_distortion(first: np.ndarray, second: np.ndarray, path: np.ndarray) -> float:
    """Mean distortion in dB of cepstra (T1, M + 1) against (T2, M + 1) along path (P, 2); c_0 (level) is left out.

    10 / ln 10 * sqrt(2 * sum_{m=1..M} (c_m - c'_m)^2), averaged over the pairs of the path (Kubichek 1993).
    """
    difference = first[path[:, 0], 1:] - second[path[:, 1], 1:]
    return float(np.mean(10 / np.log(10) * np.sqrt(2 * (difference**2).sum(1))))


def stft_magnitude(audio: Tensor, n_fft: int, hop_size: int, win_size: int) -> Tensor:
    """Magnitude (B, F, T) of audio (B, N), floored so that its log stays finite."""
    window = torch.hann_window(win_size, device=audio.device, dtype=audio.dtype)
    mode = "reflect" if audio.shape[-1] > n_fft // 2 else "constant"
    spectrum = torch.stft(audio, n_fft, hop_size, win_size, window, pad_mode=mode, return_complex=True)
    return torch.view_as_real(spectrum).square().sum(-1).clamp_min(STFT_FLOOR).sqrt()


def stft_distance(reference: Tensor, other: Tensor) -> dict[str, Tensor]:
    """Distances (B,) of audio (B, N) and (B, N) in [-1, 1], each a mean of three resolutions; ValueError for others.

    `stft_convergence` is the Frobenius norm of the magnitudes' difference over that of the reference's magnitude,
    `stft_log_magnitude` the mean absolute difference of their natural logs, `stft_distance` the sum of the two.
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
    host; durations and durations_hat (B, T_text), of the alignment and predicted, are in frames, 0 in padding.

    `mel_distance` is the mean absolute difference of log-mel spectra, `duration_error` the sum of absolute duration
    errors over the sum of durations, `duration_bias` the absolute error of the whole length over that length, and
    `score`, which the best checkpoint is chosen by, stft_distance + duration_error: one for sound, one for timing.
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
