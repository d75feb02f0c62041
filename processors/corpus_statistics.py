"""Pitch and energy of whole corpora and of each speaker, from the sums that the manifest has of each utterance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from utils.errors import UserError

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

    def sums(rows_of: Callable[[ProcessedCorpus], np.ndarray]) -> dict[str, np.ndarray]:
        found = {name: np.zeros(len(known)) for name in SUMS}
        for corpus in corpora:
            codes, names = corpus.codes("speaker")
            rows = rows_of(corpus)
            speakers = np.array([place.get(name, -1) for name in names])[codes[rows]]
            for name in SUMS:
                found[name] += np.bincount(speakers, corpus.column(name)[rows], len(known))
        return found

    learnt = sums(lambda corpus: corpus.rows("train"))
    if not learnt["frames"].all():
        everything = sums(lambda corpus: np.arange(len(corpus)))
        learnt = {name: np.where(learnt["frames"] > 0, values, everything[name]) for name, values in learnt.items()}
    return {
        name: _statistics({key: float(sums[number]) for key, sums in learnt.items()}) for name, number in place.items()
    }


def merged_statistics(corpora: Sequence[ProcessedCorpus]) -> dict[str, float]:
    """Mean and standard deviation of log F0 and energy over the train splits of several corpora."""
    weights = np.array([corpus.frames[corpus.rows("train")].sum() for corpus in corpora], np.float64)
    if weights.sum() == 0:
        raise UserError("the train split is empty: add recordings, or lower preprocess.valid_size and test_size")
    weights /= weights.sum()
    merged: dict[str, float] = {}
    for key in ("log_f0", "energy"):
        means = np.array([corpus.statistics[f"{key}_mean"] for corpus in corpora])
        deviations = np.array([corpus.statistics[f"{key}_std"] for corpus in corpora])
        mean = float(weights @ means)
        merged[f"{key}_mean"] = mean
        merged[f"{key}_std"] = float(np.sqrt(weights @ (deviations**2 + (means - mean) ** 2)))
    return merged
