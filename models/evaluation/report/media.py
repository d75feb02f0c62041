"""Players and pictures of the HTML report, small enough to travel inside it."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import librosa
import numpy as np
import soundfile
from PIL import Image

from models.evaluation.measures.mcd import frame_power

SPECTROGRAM_BANDS = 96
SPECTROGRAM_RANGE_DB = 70.0
PICTURE_QUALITY = 75  # of WebP


@dataclass
class Clip:
    """One recording or synthesis, ready to be shown."""

    audio: str  # data address, or ""
    seconds: float
    spectrogram: str  # data address


@dataclass
class Media:
    """All there is to hear and to see of one utterance."""

    clips: dict[str, Clip] = field(default_factory=dict)  # "recording", "synthesis", "copy"
    hop_seconds: float = 0.0
    f0: list[float] | None = None  # Hz, 0 where unvoiced, of the synthesis
    recording_f0: list[float] | None = None  # of the recording, warped onto the synthesis' time
    tokens: list[str] | None = None
    durations: list[int] | None = None  # frames of the synthesis
    alignment: str | None = None  # data address: tokens upwards, the recording's frames to the right
    path: list[int] | None = None  # frames of each token on the path, of the recording

    def to_json(self) -> dict[str, Any]:
        """Plain values, without what is missing."""
        content = {key: value for key, value in vars(self).items() if value is not None}
        return {**content, "clips": {name: vars(clip) for name, clip in self.clips.items()}}


def make_clip(audio: np.ndarray, sample_rate: int, audio_type: str) -> Clip:
    """Player and spectrogram of audio (N,); `audio_type` is "flac", "mp3" or "none"."""
    return Clip(
        audio=encode_audio(audio, sample_rate, audio_type),
        seconds=len(audio) / sample_rate,
        spectrogram=encode_picture(spectrogram(audio, sample_rate)),
    )


def encode_audio(audio: np.ndarray, sample_rate: int, audio_type: str) -> str:
    """Data address of audio (N,); "" for the type "none". MP3 falls back to FLAC where libsndfile cannot write it."""
    if audio_type == "none":
        return ""
    if audio_type == "mp3" and "MP3" not in soundfile.available_formats():
        audio_type = "flac"
    buffer = io.BytesIO()
    subtype = "PCM_16" if audio_type == "flac" else "MPEG_LAYER_III"
    soundfile.write(buffer, np.clip(audio, -1, 1), sample_rate, format=audio_type.upper(), subtype=subtype)
    return _address("audio/" + ("flac" if audio_type == "flac" else "mpeg"), buffer.getvalue())


def spectrogram(audio: np.ndarray, sample_rate: int) -> np.ndarray:
    """Picture (bands, T), uint8, low frequencies at the bottom: mel spectrum over 70 dB below the loudest bin."""
    size = 2 ** round(np.log2(0.04 * sample_rate))
    hop = size // 8
    power = frame_power(audio, size, hop)
    if not len(power):
        return np.zeros((SPECTROGRAM_BANDS, 1), np.uint8)
    levels = 10 * np.log10(power @ _mel_basis(sample_rate, size).T + 1e-12)
    scaled = (levels - levels.max()) / SPECTROGRAM_RANGE_DB + 1
    return np.uint8(np.clip(scaled, 0, 1).T[::-1] * 255)


def alignment_picture(log_p_attn: np.ndarray) -> np.ndarray:
    """Picture (T_text, T), uint8, first token at the bottom, of a soft alignment (T, T_text)."""
    # The square root shows what is faint, which is what one looks for.
    return np.uint8(np.sqrt(np.exp(np.minimum(log_p_attn, 0.0))).T[::-1] * 255)


def encode_picture(values: np.ndarray) -> str:
    """Data address of a picture (H, W), uint8, in the colours of matplotlib's magma."""
    buffer = io.BytesIO()
    Image.fromarray(_colours()[values]).save(buffer, format="WEBP", quality=PICTURE_QUALITY, method=4)
    return _address("image/webp", buffer.getvalue())


def warped(values: np.ndarray, path: np.ndarray, frames: int) -> np.ndarray:
    """Values (T1,) of the first utterance on the second one's time (frames,), along a warping path (P, 2)."""
    result = np.zeros(frames, values.dtype)
    # Of several frames that belong to one, the last stands for them.
    result[path[:, 1]] = values[path[:, 0]]
    return result


def curve(f0: np.ndarray) -> list[float]:
    """F0 (T,) in Hz as short numbers."""
    return [round(float(value), 1) for value in f0]


@lru_cache(maxsize=4)
def _mel_basis(sample_rate: int, size: int) -> np.ndarray:
    return librosa.filters.mel(sr=sample_rate, n_fft=size, n_mels=SPECTROGRAM_BANDS, fmin=40)


@lru_cache(maxsize=1)
def _colours() -> np.ndarray:
    from matplotlib import colormaps

    return np.uint8(colormaps["magma"](np.linspace(0, 1, 256))[:, :3] * 255)


def _address(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
