"""report.html: one file with everything in it, drawn by the script of assets/ from two JSON blocks."""

from __future__ import annotations

import base64
import html
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import soundfile
from matplotlib import colormaps
from PIL import Image

from config.schema import EvaluateConfig, ExperimentConfig
from models.evaluation.listening import align
from models.evaluation.report import ASSETS, MEASURES, AlignmentRecord, Report, UtteranceRecord, shown_measures
from models.evaluation.signal_measures import Signal, frame_power, load_audio
from processors.audio.recording import AudioProblem

SPECTROGRAM_BANDS = 96
SPECTROGRAM_RANGE_DB = 70.0
PICTURE_QUALITY = 75  # of WebP
Media = dict[str, Any]  # all there is to hear and to see of one utterance: the keys that `utterance_media` sets


def report_html(
    report: Report, media: Mapping[str, Media], config: EvaluateConfig, others: Sequence[Report] = ()
) -> str:
    """The whole page. It loads nothing from anywhere, so that it opens from disk and travels as one file."""
    content = report.to_json()
    content["measures"] = {key: asdict(MEASURES[key]) for key in shown_measures(report, others)}
    content["confidence"] = config.confidence
    content["diffs"] = {record.id: edits for record in report.utterances if (edits := _edits(record))}
    content["others"] = [{"system": other.system, "summary": other.to_json()["summary"]} for other in others]
    parts = {
        "title": html.escape(report.system),
        "style": (ASSETS / "report.css").read_text(encoding="utf-8").strip(),
        "script": (ASSETS / "report.js").read_text(encoding="utf-8").strip(),
        "data": _script_json(content),
        "media": _script_json(media),
    }
    page = (ASSETS / "report.html").read_text(encoding="utf-8")
    # One pass: a text that happens to hold a placeholder stays as it is.
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], page)


def _edits(record: UtteranceRecord) -> dict[str, list[tuple[str, str, str]]]:
    """Transcript differences of synthesis and recording, by words."""
    heard = {"synthesis": record.heard, "recording": record.recording_heard}
    expected = (record.expected or "").split()
    return {name: align(expected, text.split()) for name, text in heard.items() if text is not None}


def _script_json(value: object) -> str:
    """JSON that cannot end the script element that holds it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def utterance_media(
    signals: Mapping[str, Signal], path: np.ndarray | None, alignment: AlignmentRecord | None, config: ExperimentConfig
) -> Media:
    """Players and pictures of "synthesis" and, if there are any, "recording" and "copy".

    `path` (P, 2) pairs the frames of recording and synthesis. F0 is in Hz, 0 where unvoiced, on the synthesis' time.
    """
    rate, audio_type = config.preprocess.sample_rate, config.evaluate.report_audio
    f0 = signals["synthesis"].f0
    names = [name for name in ("recording", "synthesis", "copy") if name in signals]
    media: Media = {
        "clips": {name: make_clip(signals[name].audio, rate, audio_type) for name in names},
        "hop_seconds": config.preprocess.hop_size / rate,
        "f0": np.round(f0.astype(float), 1).tolist(),
    }
    if path is not None:
        media["recording_f0"] = np.round(warped(signals["recording"].f0.astype(float), path, len(f0)), 1).tolist()
    if alignment is not None:
        media |= {"tokens": list(alignment.tokens), "durations": alignment.durations.astype(int).tolist()}
        if alignment.log_p_attn is not None and alignment.path is not None:
            # Tokens upwards, the recording's frames to the right. The square root shows what is faint.
            media["alignment"] = encode_picture(np.sqrt(np.exp(np.minimum(alignment.log_p_attn, 0.0))).T[::-1])
            # The frames of each token.
            media["path"] = np.bincount(alignment.path, minlength=len(alignment.tokens)).tolist()
    return media


def add_other_clips(media: Mapping[str, Media], other: Report, folder: Path, sample_rate: int, audio_type: str) -> None:
    """Add another system's players to the utterances that it has, too; `folder` is that of its report."""
    for record in other.utterances:
        if record.id not in media:
            continue
        try:
            audio = load_audio(folder / record.audio, sample_rate)
        except AudioProblem:
            continue
        media[record.id]["clips"][other.system] = make_clip(audio, sample_rate, audio_type)


def make_clip(audio: np.ndarray, sample_rate: int, audio_type: str) -> dict[str, Any]:
    """Player and spectrogram of audio (N,) as data addresses; `audio_type` is "flac", "mp3" or "none" (no player)."""
    address = ""
    if audio_type != "none":
        mp3 = audio_type == "mp3" and "MP3" in soundfile.available_formats()  # not every libsndfile writes it
        form, subtype, kind = ("MP3", "MPEG_LAYER_III", "audio/mpeg") if mp3 else ("FLAC", "PCM_16", "audio/flac")
        buffer = io.BytesIO()
        soundfile.write(buffer, np.clip(audio, -1, 1), sample_rate, format=form, subtype=subtype)
        address = _address(kind, buffer.getvalue())
    picture = encode_picture(spectrogram(audio, sample_rate))
    return {"audio": address, "seconds": len(audio) / sample_rate, "spectrogram": picture}


def spectrogram(audio: np.ndarray, sample_rate: int) -> np.ndarray:
    """Picture (bands, T) in [0, 1], low frequencies at the bottom: mel spectrum over 70 dB below the loudest bin."""
    size = 2 ** round(np.log2(0.04 * sample_rate))
    power = frame_power(audio, size, size // 8)
    if not len(power):
        return np.zeros((SPECTROGRAM_BANDS, 1))
    bands = librosa.feature.melspectrogram(S=power.T, sr=sample_rate, n_mels=SPECTROGRAM_BANDS, fmin=40)
    levels = librosa.power_to_db(bands, ref=np.max, amin=1e-12, top_db=SPECTROGRAM_RANGE_DB)
    return (levels / SPECTROGRAM_RANGE_DB + 1)[::-1]


def encode_picture(values: np.ndarray) -> str:
    """Data address of a picture (H, W) in [0, 1], in the colours of matplotlib's magma."""
    buffer = io.BytesIO()
    pixels = colormaps["magma"](np.uint8(values * 255), bytes=True)[..., :3]
    Image.fromarray(pixels).save(buffer, format="WEBP", quality=PICTURE_QUALITY, method=4)
    return _address("image/webp", buffer.getvalue())


def warped(values: np.ndarray, path: np.ndarray, frames: int) -> np.ndarray:
    """Values (T1,) of the first utterance on the second one's time (frames,), along a warping path (P, 2)."""
    result = np.zeros(frames, values.dtype)
    # Of several frames that belong to one, the last stands for them.
    result[path[:, 1]] = values[path[:, 0]]
    return result


def _address(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
