"""16-bit mono wav files that are either whole or absent."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np

from utils.errors import UserError
from utils.files import disk_errors, temporary_for

MAX_SAMPLES = (2**32 - 64) // 2  # a wav file counts its bytes in 32 bits


def to_pcm16(wave: np.ndarray) -> np.ndarray:
    """Little-endian 16-bit samples of a wave in [-1, 1]; what lies outside is clipped, what is no number is silent."""
    scaled = np.nan_to_num(np.asarray(wave, dtype=np.float32) * 32768.0, nan=0.0, posinf=32767.0, neginf=-32768.0)
    return np.clip(np.rint(scaled), -32768, 32767).astype("<i2")


class WavWriter:
    """A wav file written piece by piece in a `with` block; it appears, or replaces an older one, if nothing fails."""

    def __init__(self, path: Path, sample_rate: int) -> None:
        self.path, self.sample_rate = Path(path), sample_rate
        self.samples = 0
        self._temporary = temporary_for(self.path)

    def __enter__(self) -> WavWriter:
        with disk_errors(self.path):
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            except (FileExistsError, NotADirectoryError):
                raise UserError(f"cannot write {self.path}: part of its path is a file, not a folder") from None
            self._file = open(self._temporary, "wb")
            self._file.write(self._header())
        return self

    def write(self, wave: np.ndarray) -> None:
        """Append a wave (N,) in [-1, 1]; UserError for a full disk, and beyond 4 GiB (27 hours at 22,050 Hz)."""
        self.samples += len(wave)
        if self.samples > MAX_SAMPLES:
            raise UserError(f"{self.path} would exceed the 4 GiB that a wav file can hold; split the text")
        with disk_errors(self.path):
            self._file.write(to_pcm16(wave).tobytes())

    def _header(self) -> bytes:
        size, rate = 2 * self.samples, self.sample_rate
        parts = (b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16, b"data", size)
        return struct.pack("<4sI4s4sIHHIIHH4sI", *parts)

    @property
    def seconds(self) -> float:
        """Length of what has been written so far."""
        return self.samples / self.sample_rate

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            with disk_errors(self.path):
                with self._file:
                    if kind is None:
                        self._file.seek(0)
                        self._file.write(self._header())
                if kind is None:
                    os.replace(self._temporary, self.path)
        finally:
            self._temporary.unlink(missing_ok=True)


def write_wav(path: Path, wave: np.ndarray, sample_rate: int) -> None:
    """Write a wave (N,) in [-1, 1] as 16-bit mono, in one step: an older file stays until the new one is complete."""
    with WavWriter(path, sample_rate) as writer:
        writer.write(wave)
