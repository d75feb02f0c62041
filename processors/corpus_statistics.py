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
    return _statistics({name: float(np.cumsum(columns[name][rows], dtype=np.float64)[-1]) for name in SUMS})


def _statistics(sums: Mapping[str, float]) -> dict[str, float]:
    result: dict[str, float] = {}
    for name in _MEASURES:
        mean, square = (sums[f"{name}_{kind}"] / sums["frames"] for kind in ("sum", "square_sum"))
        variance = square - mean * mean
        # A corpus of one constant has the deviation 1, so that dividing by it stays harmless.
        flat = variance <= 1e-12 * max(square, 1e-12)
        result |= {f"{name}_mean": mean, f"{name}_std": 1.0 if flat else float(np.sqrt(variance))}
    return result


def speaker_statistics(corpora: Sequence[ProcessedCorpus]) -> dict[str, dict[str, float]]:
    """`frame_statistics` of each speaker over the train splits of all corpora, by name.

    A speaker of several corpora is one; whoever has no utterance to train on is measured on all of them.
    """
    known = sorted({name for corpus in corpora for name in corpus.present("speaker")})
    place = {name: number for number, name in enumerate(known)}
    # Added one by one in the corpora's order, as `frame_statistics` does.
    learnt, all_ = ({name: np.zeros(len(known)) for name in SUMS} for _ in range(2))
    for corpus in corpora:
        codes, names = corpus.codes("speaker")
        speakers = np.array([place.get(name, -1) for name in names])[codes]
        train = corpus.rows("train")
        for name in SUMS:
            np.add.at(learnt[name], speakers[train], corpus.column(name)[train])
            np.add.at(all_[name], speakers, corpus.column(name))
    chosen = (learnt if frames else all_ for frames in learnt["frames"])
    return {
        speaker: _statistics({name: float(sums[name][place[speaker]]) for name in SUMS})
        for speaker, sums in zip(known, chosen)
    }
