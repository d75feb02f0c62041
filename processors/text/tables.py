"""Tables that a person can edit: the text files in data/; "# " at the beginning of a line starts a comment."""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from pathlib import Path

DATA = Path(__file__).with_name("data")


def lines(name: str | Path) -> list[str]:
    """Lines of a table of data/, or of another file, without comments and blank ones."""
    return [
        line for line in (DATA / name).read_text(encoding="utf-8").splitlines() if line.strip("#") and line[:2] != "# "
    ]


def rows(name: str) -> list[list[str]]:
    """Fields of each line, between "|"."""
    return [[field.strip() for field in line.split("|")] for line in lines(name)]


@lru_cache(maxsize=8)
def kinds(name: str) -> dict[str, frozenset[str]]:
    """Words of each kind in a table of `kind: words` lines; a kind may have several lines."""
    found: dict[str, set[str]] = defaultdict(set)
    for line in lines(name):
        kind, _, words = line.partition(":")
        found[kind].update(words.split())
    return {kind: frozenset(words) for kind, words in found.items()}
