"""The waveform of one utterance in pieces: the same samples as at once, the first of them soon."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from torch import Tensor


FIRST_CHUNK = 16  # frames of the first piece: 0.19 s at 22,050 Hz and hop 256
LARGEST_CHUNK = 128  # pieces double up to this many frames: the margins cost less, and there is a stock by then


def chunk_bounds(n_frames: int, first: int = FIRST_CHUNK, largest: int = LARGEST_CHUNK) -> Iterator[tuple[int, int]]:
    """First and one-past-last frame of each piece of `n_frames` frames; sizes double from `first` to `largest`."""
    start, size = 0, first
    while start < n_frames:
        end = min(start + size, n_frames)
        yield start, end
        start, size = end, min(2 * size, largest)


def generate_in_chunks(
    generator: Any, frames: Tensor, first: int = FIRST_CHUNK, largest: int = LARGEST_CHUNK
) -> Iterator[Tensor]:
    """Pieces (n,) of the waveform (T * hop_size,) of frames (1, T, C).

    Each piece is generated with `receptive_field` frames around it, which is all that can change its samples, so that
    the pieces together are the waveform of one pass.
    """
    n_frames, hop, reach = frames.shape[1], generator.hop_size, generator.receptive_field
    for start, end in chunk_bounds(n_frames, first, largest):
        left = max(0, start - reach)
        wave = generator(frames[:, left : min(n_frames, end + reach)])[0]
        yield wave[(start - left) * hop : (end - left) * hop]


def fade_edges(piece: np.ndarray, start: int, total: int, ramp: int) -> np.ndarray:
    """A piece (n,) of a wave of `total` samples that begins at its sample `start`, faded at the wave's two ends.

    `ramp` samples rise and fall linearly, so that an utterance that does not begin or end at zero does not click.
    """
    end = start + len(piece)
    if start >= ramp and end <= total - ramp:
        return piece
    faded = piece.astype(np.float32)
    for part in (slice(0, max(0, ramp - start)), slice(max(0, ramp - start, total - ramp - start), len(piece))):
        position = np.arange(start, end)[part] + 0.5
        faded[part] = piece[part] * np.clip(np.minimum(position, total - position) / ramp, 0, 1)
    return faded
