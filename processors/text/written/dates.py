"""Dates: days and months, in words or digits, and years."""

from __future__ import annotations

from processors.text.number_words import any_year, ordinal, year
from processors.text.written.cues import rows

# Names in small letters that are no other word.
NAMES = frozenset(written for written, _, kind in rows("calendar.tsv") if "free" in kind)


def years(first: str, second: str) -> str | None:
    """ "1914", "18" -> "nineteen fourteen to eighteen"; None if the second is no later one."""
    if len(second) == 2 and int(second) <= int(first[2:]) and first[2:] != "99":
        return None
    return f"{year(first)} to {any_year(second)}"


def joint(text: str) -> str:
    """What stands between two days."""
    return text.strip() if text.strip() in ("to", "and", "or") else "through" if "thr" in text else "to"


def days(first: str, between: str, day: str) -> str:
    """ "5", "-", "7" -> "fifth to seventh"; "9 to 5 May" is no range."""
    if not first:
        return ordinal(day)
    return f"{ordinal(first) if int(first) < int(day) else first} {joint(between)} {ordinal(day)}"


def days_to(first: str, last: str) -> str | None:
    """ "5", "7" -> "fifth to seventh"; None for a score."""
    if last and int(first) >= int(last):
        return None
    return f"{ordinal(first)} to {ordinal(last)}" if last else ordinal(first)
