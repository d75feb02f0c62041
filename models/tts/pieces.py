"""What is computed together: utterances of similar lengths on the way in, pieces of one waveform on the way out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

T = TypeVar("T")
FIRST_CHUNK = 16  # frames of the first piece: 0.19 s at 22,050 Hz and hop 256
LARGEST_CHUNK = 128  # pieces double up to this many frames: the margins cost less, and there is a stock by then


class FrameGenerator(Protocol):
    """What a waveform generator offers."""

    hop_size: int
    receptive_field: int  # frames on each side of a frame that can change its samples

    def __call__(self, frames: Tensor) -> Tensor: ...


def group_by_size(sizes: Mapping[int, int], limit: int) -> list[list[int]]:
    """Numbers grouped by falling size, each group's count times its largest size at most `limit`.

    A size beyond the limit makes a group of its own.
    """
    groups: list[list[int]] = []
    for number in sorted(sizes, key=lambda number: -sizes[number]):
        if groups and (len(groups[-1]) + 1) * sizes[groups[-1][0]] <= limit:
            groups[-1].append(number)
        else:
            groups.append([number])
    return groups


def windows(items: Iterable[T], size: Callable[[T], int], limit: int, count: int) -> Iterator[list[T]]:
    """Consecutive items in lists of at most `count` whose sizes sum up to at most `limit`, but at least one."""
    window: list[T] = []
    total = 0
    for item in items:
        if window and (len(window) == count or total + size(item) > limit):
            yield window
            window, total = [], 0
        window.append(item)
        total += size(item)
    if window:
        yield window


def padded(rows: Sequence[Sequence[float]], value: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Rows of different lengths as one tensor (B, longest), filled up with `value`."""
    longest = max(map(len, rows))
    table = [[*row, *[value] * (longest - len(row))] for row in rows]
    return torch.tensor(table, dtype=dtype).to(device, non_blocking=True)


def rows_of(values: Tensor, rows: list[int]) -> Tensor:
    """values[rows], without waiting for a GPU to finish what it is doing."""
    if rows == list(range(len(values))):
        return values
    return values[torch.tensor(rows).to(values.device, non_blocking=True)]


def generate_in_chunks(
    generator: FrameGenerator, frames: Tensor, first: int = FIRST_CHUNK, largest: int = LARGEST_CHUNK
) -> Iterator[Tensor]:
    """Pieces (n,) of the waveform (T * hop_size,) of frames (1, T, C); their sizes double from `first` to `largest`.

    Each piece is generated with `receptive_field` frames around it, which is all that can change its samples, so that
    the pieces together are the waveform of one pass.
    """
    n_frames, hop, reach = frames.shape[1], generator.hop_size, generator.receptive_field
    start, size = 0, first
    while start < n_frames:
        left, end = max(0, start - reach), min(start + size, n_frames)
        wave = generator(frames[:, left : min(n_frames, end + reach)])[0]
        yield wave[(start - left) * hop : (end - left) * hop]
        start, size = end, min(2 * size, largest)


def on_host(waveform: Tensor) -> np.ndarray:
    """A waveform within [-1, 1] as a float32 array; infinities become nan, which nothing hides.

    Copy what is kept, for page-locked memory is dear.
    """
    waveform = waveform.float()
    # Some generators know no limit.
    limited = torch.where(waveform.isinf(), math.nan, waveform.clamp(-1, 1))
    if limited.device.type == "cpu":
        return limited.numpy()
    # Copies into page-locked memory are several times as fast; torch keeps it for the next one.
    host = torch.empty(limited.shape, pin_memory=True)
    host.copy_(limited, non_blocking=True)
    torch.cuda.current_stream(limited.device).synchronize()
    return host.numpy()
