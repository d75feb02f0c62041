"""Measures of an utterance's signal, alone and against a recording of the same text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import librosa
import numpy as np
import torch

from config.schema import PreprocessConfig
from models.evaluation.mel_cepstrum import mel_cepstral_distortion, mel_cepstrum
from models.evaluation.report import Value
from models.evaluation.waveform_measures import stft_distance
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
        cepstrum=mel_cepstrum(audio, config.sample_rate, config.win_size, config.hop_size),
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
    """Measures of `other` against the recording of the same text, and the warping path (P, 2) between their frames.

    Raises AudioProblem when they are too long to be warped.
    """
    path = warp(reference.cepstrum[:, 1:], other.cepstrum[:, 1:])
    seconds = [speech_seconds(signal.audio, config.sample_rate) for signal in (other, reference)]
    return {
        "mcd": mel_cepstral_distortion(reference.cepstrum, other.cepstrum, path),
        **f0_distance(reference.f0, other.f0, path),
        "energy_correlation": energy_correlation(reference.energy, other.energy, path),
        "duration_ratio": (seconds[0], seconds[1]),
    }, path


def measure_copy(reference: Signal, copy: Signal, config: PreprocessConfig) -> dict[str, Value]:
    """Measures of copy synthesis, which shares the recording's timing: frame by frame, without warping.

    Raises AudioProblem when the lengths differ by more than two frames.
    """
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
    """Align the rows of first (N, D) with those of second (M, D) by dynamic time warping.

    Returns the path (P, 2) of row pairs, monotone, from (0, 0) to (N - 1, M - 1), with the least sum of Euclidean
    distances (Sakoe and Chiba 1978, symmetric steps of weight 1). Raises AudioProblem for far too long input.
    """
    if len(first) * len(second) > MAX_CELLS:
        raise AudioProblem("too long", f"too long to align: {len(first)} x {len(second)} frames")
    return librosa.sequence.dtw(first.T, second.T)[1][::-1]


def speech_seconds(audio: np.ndarray, sample_rate: int) -> float:
    """Seconds from the first to the last sound of audio (N,), pauses inside included.

    Ends that lie 40 dB below the loudest 20 ms are not counted: padding must not look like slow speech.
    """
    return len(trim_silence(audio, sample_rate, SILENCE_DB, 0.0)) / sample_rate


def pitch_range(f0: np.ndarray) -> float:
    """Standard deviation of F0 (T,) in semitones over its voiced frames: low in a monotonous voice; NaN if unvoiced."""
    voiced = f0[f0 > 0].astype(np.float64)
    return float(np.std(np.log(voiced)) * SEMITONES) if len(voiced) >= MIN_PAIRS else float("nan")


def f0_distance(first: np.ndarray, second: np.ndarray, path: np.ndarray) -> dict[str, float]:
    """Distance between two F0 curves (T1,) and (T2,) in Hz, 0 where unvoiced, along a time-warping path (P, 2).

    Returns `log_f0_rmse` (natural log; 2 semitones are 0.1155) and `log_f0_correlation` (Pearson), both over the pairs
    that are voiced in both, and `voicing_error`, the share of pairs where one is voiced and the other is not. The first
    two are NaN with fewer than 10 such pairs, the correlation also where one of the curves is flat.
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
    """Pearson's correlation of the frame levels in dB of energies (T1,) and (T2,) along a time-warping path (P, 2).

    Energies are norms of the STFT magnitude. Levels more than 50 dB below an utterance's loudest frame count as that,
    so that a quieter room does not look like another emphasis; the overall level drops out. NaN where one is silent.
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
