"""Speech as bytes that can be played while they are made: wav and raw samples by ourselves, the rest by PyAV."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np

from processors.audio.wav import to_pcm16
from utils.errors import UserError

# Media type of each format, and for PyAV container, codec and sample rate (None: the voice's).
MEDIA = {
    "mp3": "audio/mpeg", "opus": "audio/ogg", "aac": "audio/aac", "flac": "audio/flac", "wav": "audio/wav",
    "pcm": "audio/pcm",
}  # fmt: skip
_CODECS: dict[str, tuple[str, str, int | None]] = {
    "mp3": ("mp3", "mp3", None), "opus": ("ogg", "libopus", 48000), "aac": ("adts", "aac", None),
    "flac": ("flac", "flac", None),
}  # fmt: skip
_UNKNOWN = 0xFFFFFFFF  # the length of a wav that is still being made


def check_format(kind: str) -> None:
    """UserError for a format that cannot be made here."""
    if kind in _CODECS and find_spec("av") is None:
        raise UserError(f"{kind} needs PyAV on the server: run `.venv/bin/pip install av` there, or ask for wav or pcm")


def encoded(waves: Iterable[np.ndarray], kind: str, sample_rate: int) -> Iterator[bytes]:
    """Bytes of waves (n,) float32 in [-1, 1] in one of the MEDIA, as they come; empty ones are left out."""
    pcm = (to_pcm16(wave) for wave in waves if len(wave))
    yield from filter(None, _compressed(pcm, kind, sample_rate) if kind in _CODECS else _plain(pcm, kind, sample_rate))


def _plain(pcm: Iterable[np.ndarray], kind: str, rate: int) -> Iterator[bytes]:
    parts = (b"RIFF", _UNKNOWN, b"WAVE", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16, b"data", _UNKNOWN)
    head = struct.pack("<4sI4s4sIHHIIHH4sI", *parts) if kind == "wav" else b""
    for samples in pcm:
        yield head + samples.tobytes()  # nothing is sent for a text that cannot be spoken
        head = b""


def _compressed(pcm: Iterable[np.ndarray], kind: str, rate: int) -> Iterator[bytes]:
    import av

    container_name, codec, other_rate = _CODECS[kind]
    out = _Written()
    # Small buffers: the first sound is to leave at once. Ogg would collect a second.
    options = {"page_duration": "100000"} if container_name == "ogg" else {}
    container = av.open(out, "w", format=container_name, buffer_size=1024, container_options=options)
    stream: Any = container.add_stream(codec, rate=other_rate or rate, layout="mono")
    resampler = av.AudioResampler(stream.codec_context.format or "s16", "mono", other_rate or rate)

    def encode(frame: Any) -> bytes:
        for part in resampler.resample(frame):
            for packet in stream.encode(part):
                container.mux(packet)
        return out.taken()

    position = 0
    try:
        for samples in pcm:
            frame = av.AudioFrame.from_ndarray(samples.astype(np.int16)[None], format="s16", layout="mono")
            frame.sample_rate, frame.pts = rate, position
            position += len(samples)
            yield encode(frame)
        encode(None)
        for packet in stream.encode(None):
            container.mux(packet)
    finally:
        container.close()
    yield out.taken()


class _Written:
    """A file that cannot be sought in, for what is muxed."""

    def __init__(self) -> None:
        self._data = bytearray()

    def write(self, data: bytes) -> int:
        """Append."""
        self._data += data
        return len(data)

    def taken(self) -> bytes:
        """What has been written since the last call."""
        data = bytes(self._data)
        self._data.clear()
        return data
