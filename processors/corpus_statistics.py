"""Pitch and energy of whole corpora and of each speaker, from the sums that the manifest has of each utterance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from processors.corpus import ProcessedCorpus

_MEASURES = ("log_f0", "energy")
SUMS = ("frames", *(f"{name}_{kind}" for name in _MEASURES for kind in ("sum", "square_sum")))


def frame_statistics(columns: Mapping[str, np.ndarray], rows: np.ndarray) -> dict[str, float]:
    """Mean and standard deviation of ln F0 and of frame energy over all frames of some rows of the columns SUMS."""
    frames = int(columns["frames"][rows].sum(dtype=np.int64))
    result: dict[str, float] = {}
    for name in _MEASURES:
        sums = (columns[f"{name}_{kind}"][rows] for kind in ("sum", "square_sum"))
        mean, square = (float(np.cumsum(values)[-1]) / frames for values in sums)
        variance = square - mean * mean
        # A corpus of one constant has the deviation 1, so that dividing by it stays harmless.
        flat = variance <= 1e-12 * max(square, 1e-12)
        result |= {f"{name}_mean": mean, f"{name}_std": 1.0 if flat else float(np.sqrt(variance))}
    return result


def speaker_statistics(corpora: Sequence[ProcessedCorpus]) -> dict[str, dict[str, float]]:
    """`frame_statistics` of each speaker over the train splits of all corpora, by name.

    A speaker of several corpora is one; whoever has no utterance to train on is measured on all of them.
    """
    columns = {name: np.concatenate([corpus.column(name) for corpus in corpora]) for name in SUMS}
    names = np.concatenate([corpus.names("speaker") for corpus in corpora]).astype(str)
    train = np.concatenate([np.isin(np.arange(len(corpus)), corpus.rows("train")) for corpus in corpora])
    speakers, first, counts = np.unique(np.sort(names), return_index=True, return_counts=True)
    order = np.argsort(names, kind="stable")  # so that each speaker's sums are added in the corpora's order
    result = {}
    for name, start, count in zip(speakers.tolist(), first, counts):
        mine = order[start : start + count]
        learnt = mine[train[mine]]
        result[name] = frame_statistics(columns, learnt if len(learnt) else mine)
    return result
