"""The tables of what the world writes (data/written): units, currencies, abbreviations, states, streets, cues."""

from __future__ import annotations

import re
from functools import lru_cache

from processors.text.tables import DATA, lines


@lru_cache(maxsize=32)
def rows(name: str) -> tuple[tuple[str, ...], ...]:
    """Fields of each line of a table, between tabs; a line that begins with blanks continues the one before."""
    text = "\n".join(lines(f"written/{name}")).replace("\n    ", "")
    return tuple(tuple(line.split("\t")) for line in text.splitlines())


@lru_cache(maxsize=32)
def spoken(name: str) -> dict[str, str]:
    """Written -> spoken, of a table whose first two columns are these."""
    return {row[0]: row[1] for row in rows(name)}


def column(name: str, kind: str | None = None) -> list[str]:
    """First fields of the table `name`, of those rows whose last one names the kind; or all words of a list."""
    if (DATA / "written" / f"{name}.txt").exists():
        return sorted(words(f"{name}.txt"))
    return [row[0] for row in rows(f"{name}.tsv") if kind is None or kind in row[-1].split()]


@lru_cache(maxsize=32)
def words(name: str) -> frozenset[str]:
    """Words of a table without columns."""
    return frozenset(word for row in rows(name) for word in row[0].split())


def alternatives(words: str) -> str:
    """Part of a pattern: any of the words, which commas divide."""
    return "|".join(re.escape(word).replace(r"\*", r"\w+") for word in words.split(", "))


# Patterns of the cues: those that stand before end what was said, those after begin what follows.
_PLACES = {"before": r"\b(?:{})$", "after": r"[ -](?:{})\b"}
_CUE_RULES = [
    (_PLACES[place].format(alternatives(cues)) if place in _PLACES else cues, name)
    for name, place, cues in rows("cues.tsv")
]
_CUES = {name: re.compile(pattern, re.I) for pattern, name in _CUE_RULES}


def said_before(name: str, said: str) -> bool:
    """Whether what was said ends with a cue."""
    return _CUES[name].search(said) is not None


def follows(name: str, text: str, end: int) -> bool:
    """Whether a cue stands in a text right behind `end`."""
    return _CUES[name].match(text, end) is not None
