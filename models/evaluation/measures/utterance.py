"""All measures of one utterance that need only its signals."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from config.schema import PreprocessConfig
from models.evaluation.measures.dtw import warp
from models.evaluation.measures.energy import energy_correlation
from models.evaluation.measures.f0 import f0_distance, pitch_range
from models.evaluation.measures.mcd import mel_cepstral_distortion, mel_cepstrum
from models.evaluation.measures.rate import speech_seconds, spoken_characters
from models.evaluation.measures.stft_distance import stft_distance
from processors.audio.frame_energy import frame_energy
from processors.audio.pitch import extract_f0
from processors.audio.recording import check_samples, read_channels, resample

Value = float | tuple[float, float]  # a figure, or numerator and denominator of a ratio measure
MAX_SECONDS = 120.0


@dataclass
class Signal:
    """Audio (N,) in [-1, 1] with the frame features that the measures share, T = N // hop_size."""

    audio: np.ndarray
    cepstrum: np.ndarray  # (T, 35)
    f0: np.ndarray  # (T,) Hz, 0 where unvoiced
    energy: np.ndarray  # (T,)


@dataclass
class SignalMeasures:
    """Figures by measure's key, and the warping path (P, 2) from the recording's frames to the synthesis' frames."""

    values: dict[str, Value] = field(default_factory=dict)
    path: np.ndarray | None = None


def load_audio(path: Path, sample_rate: int) -> np.ndarray:
    """Audio (N,) of a file, mono, at sample_rate (Hz); AudioProblem when it is unreadable, not finite or endless."""
    channels, rate = read_channels(path, MAX_SECONDS)
    check_samples(channels, 1.0)
    return resample(channels.mean(axis=1), rate, sample_rate)


def analyse(audio: np.ndarray, config: PreprocessConfig) -> Signal:
    """Frame features of audio (N,) at config.sample_rate; ValueError when it is shorter than one frame."""
    if len(audio) < config.hop_size:
        raise ValueError(f"{len(audio)} samples are shorter than one frame")
    return Signal(
        audio=audio,
        cepstrum=mel_cepstrum(audio, config.sample_rate, config.win_size, config.hop_size),
        f0=extract_f0(audio, config.sample_rate, config.hop_size, config.f0_min, config.f0_max),
        energy=frame_energy(audio, config.n_fft, config.win_size, config.hop_size),
    )


def measure_alone(signal: Signal, text: str, config: PreprocessConfig) -> dict[str, Value]:
    """Measures that need no recording: speaking rate and pitch range."""
    return {
        "characters_per_second": (float(spoken_characters(text)), speech_seconds(signal.audio, config.sample_rate)),
        "pitch_range": pitch_range(signal.f0),
    }


def measure_against(reference: Signal, other: Signal, config: PreprocessConfig) -> SignalMeasures:
    """Measures of `other` against the recording of the same text, with time warping between them."""
    path = warp(reference.cepstrum[:, 1:], other.cepstrum[:, 1:])
    values: dict[str, Value] = {"mcd": mel_cepstral_distortion(reference.cepstrum, other.cepstrum, path)}
    values.update(f0_distance(reference.f0, other.f0, path))
    values["energy_correlation"] = energy_correlation(reference.energy, other.energy, path)
    values["duration_ratio"] = (
        speech_seconds(other.audio, config.sample_rate),
        speech_seconds(reference.audio, config.sample_rate),
    )
    return SignalMeasures(values, path)


def measure_copy(reference: Signal, copy: Signal, config: PreprocessConfig) -> dict[str, Value]:
    """Measures of copy synthesis, which shares the recording's timing: frame by frame, without warping.

    Raises ValueError when the lengths differ by more than two frames.
    """
    if abs(len(reference.audio) - len(copy.audio)) > 2 * config.hop_size:
        raise ValueError(
            f"copy synthesis has {len(copy.audio)} samples, the recording {len(reference.audio)}: not the same timing"
        )
    samples = min(len(reference.audio), len(copy.audio))
    pair = [torch.from_numpy(np.ascontiguousarray(signal.audio[None, :samples])) for signal in (reference, copy)]
    values: dict[str, Value] = {f"copy_{key}": float(value[0]) for key, value in stft_distance(*pair).items()}
    frames = min(len(reference.f0), len(copy.f0))
    path = np.repeat(np.arange(frames)[:, None], 2, axis=1)
    values["copy_mcd"] = mel_cepstral_distortion(reference.cepstrum, copy.cepstrum, path)
    melody = f0_distance(reference.f0, copy.f0, path)
    values["copy_log_f0_rmse"] = melody["log_f0_rmse"]
    values["copy_voicing_error"] = melody["voicing_error"]
    return values
