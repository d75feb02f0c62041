"""The tables of what the world writes (data/written): units, currencies, abbreviations, states, streets, signs."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

_DATA = Path(__file__).parents[1] / "data" / "written"


@lru_cache(maxsize=32)
def rows(name: str) -> tuple[tuple[str, ...], ...]:
    """Fields of each line of a table; lines that begin with "#" and a blank explain."""
    lines = (_DATA / name).read_text(encoding="utf-8").splitlines()
    return tuple(tuple(line.split("\t")) for line in lines if line and not line.startswith("# "))


@lru_cache(maxsize=32)
def spoken(name: str) -> dict[str, str]:
    """Written -> spoken, of a table whose first two columns are these."""
    return {row[0]: row[1] for row in rows(name)}


@lru_cache(maxsize=32)
def words(name: str) -> frozenset[str]:
    """Words of a table without columns."""
    return frozenset(word for row in rows(name) for word in row[0].split())
