"""Which utterances are synthesised together: similar lengths, and no more frames at once than memory allows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import torch
from torch import Tensor

T = TypeVar("T")


def group_by_size(sizes: Sequence[int], limit: int) -> list[list[int]]:
    """Indices grouped by falling size, each group's count times its largest size at most `limit`.

    A size beyond the limit makes a group of its own.
    """
    groups: list[list[int]] = []
    for index in sorted(range(len(sizes)), key=lambda i: -sizes[i]):
        if groups and (len(groups[-1]) + 1) * sizes[groups[-1][0]] <= limit:
            groups[-1].append(index)
        else:
            groups.append([index])
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
