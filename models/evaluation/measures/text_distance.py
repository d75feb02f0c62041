"""Word and character errors between a text and what was heard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np


@dataclass(frozen=True)
class Edit:
    """One aligned place: `kind` is "same", "replaced", "missing" (in the heard text) or "extra"."""

    kind: str
    expected: str
    heard: str


def align(expected: Sequence[str], heard: Sequence[str]) -> list[Edit]:
    """Fewest edits (Levenshtein 1966: replacement, deletion, insertion, each 1) that turn expected into heard."""
    rows, columns = len(expected) + 1, len(heard) + 1
    cost = np.zeros((rows, columns), dtype=np.int32)
    cost[:, 0], cost[0] = np.arange(rows), np.arange(columns)
    for i in range(1, rows):
        for j in range(1, columns):
            replaced = cost[i - 1, j - 1] + (expected[i - 1] != heard[j - 1])
            cost[i, j] = min(replaced, cost[i - 1, j] + 1, cost[i, j - 1] + 1)
    edits: list[Edit] = []
    i, j = rows - 1, columns - 1
    while i or j:
        if i and j and cost[i, j] == cost[i - 1, j - 1] + (expected[i - 1] != heard[j - 1]):
            i, j = i - 1, j - 1
            kind = "same" if expected[i] == heard[j] else "replaced"
            edits.append(Edit(kind, expected[i], heard[j]))
        elif i and cost[i, j] == cost[i - 1, j] + 1:
            i -= 1
            edits.append(Edit("missing", expected[i], ""))
        else:
            j -= 1
            edits.append(Edit("extra", "", heard[j]))
    return edits[::-1]


def distance(expected: Sequence[str], heard: Sequence[str]) -> int:
    """Number of edits between two sequences, without their alignment: a row at a time."""
    codes: dict[str, int] = {}
    b = np.array([codes.setdefault(item, len(codes)) for item in heard], dtype=np.int64)
    row = np.arange(len(b) + 1)
    steps = np.arange(len(b) + 1)
    for i, item in enumerate(expected, start=1):
        best = np.minimum(row[1:] + 1, row[:-1] + (b != codes.get(item, -1)))
        # Insertions run along the row: cost(j) = min over k <= j of best(k) + (j - k).
        row = np.minimum.accumulate(np.concatenate(([i], best)) - steps) + steps
    return int(row[-1])


def text_errors(expected: str, heard: str) -> dict[str, tuple[int, int]]:
    """Errors and length, as (edits, units of expected), by "wer" (words) and "cer" (characters, spaces included).

    Both texts must be normalised already. The rate over a corpus is the sum of edits over the sum of units.
    """
    words = expected.split(), heard.split()
    characters = " ".join(words[0]), " ".join(words[1])
    return {
        "wer": (distance(*words), len(words[0])),
        "cer": (distance(*characters), len(characters[0])),
    }


@lru_cache(maxsize=2)
def whisper_normaliser(english: bool = True) -> Callable[[str], str]:
    """Text normaliser of the Whisper paper (arXiv 2212.04356, appendix C), from the package `whisper-normalizer`.

    Spellings, numbers, contractions and punctuation that sound alike become alike. Raises ImportError without it.
    """
    if english:
        from whisper_normalizer.english import EnglishTextNormalizer

        return EnglishTextNormalizer()
    from whisper_normalizer.basic import BasicTextNormalizer

    return BasicTextNormalizer()
