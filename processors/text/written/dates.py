"""Dates: days and months, in words or digits, and years."""

from __future__ import annotations

import re

from processors.text.number_words import any_year, ordinal, year
from processors.text.written.cues import rows, said_before, spoken
from processors.text.written.scan import Scan

MONTHS = [name for written, name, kind in rows("calendar.tsv") if "month" in kind and written == name.lower()]
# Names in small letters that are no other word.
NAMES = frozenset(written for written, _, kind in rows("calendar.tsv") if "free" in kind)
_CLOSED = re.compile(
    r"$|[.,;:!?)]| (?:at|in|on|to(?! go\b)|from|by|until|and|or|for|we|he|she|they|it|I|the|is|was|had|will|with)\b"
)


def day(month: str, day: str) -> str:
    """ "3", "14" -> "March fourteenth"."""
    return f"{MONTHS[int(month) - 1]} {ordinal(day)}"


def date(year: str, month: str, day_of_month: str) -> str:
    """ "2015", "3", "14" -> "March fourteenth, twenty fifteen"."""
    return day(month, day_of_month) + in_year(year)


def in_year(text: str) -> str:
    """A year behind a day, if there is one."""
    return text and f", {any_year(text)}"


def years(first: str, second: str) -> str | None:
    """ "1914", "18" -> "nineteen fourteen to eighteen"; None if the second is no later one."""
    if len(second) == 2 and int(second) <= int(first[2:]) and first[2:] != "99":
        return None
    return f"{year(first)} to {any_year(second)}"


def joint(text: str) -> str:
    """What stands between two days."""
    return text.strip() if text.strip() in ("to", "and", "or") else "through" if "thr" in text else "to"


def _month(text: str, scan: Scan, sure: str | None) -> str | None:
    """The month, or None if the word is rather another: "may 5 people"."""
    bare = text.rstrip(".")
    doubtful = bare in ("may", "march", "mar") and not sure and not said_before("around a month", scan.said)
    return None if doubtful else spoken("calendar.tsv")[bare.lower()]


def day_month(match: re.Match[str], scan: Scan) -> str | None:
    """ "14th June, 1800", "5-7 Jan"."""
    first, between, day, nth, of, name, comma, last = match.group(
        "first", "joint", "day", "nth", "of", "month", "comma", "year"
    )
    month, end = _month(name, scan, last or nth), match.end()
    # "5 Feb", "on 5 Mar we left", but "the 5 Jan bought".
    surname = name in ("Jan", "Mar", "Jun") and not (last or nth or of) and not _CLOSED.match(scan.text, end)
    if month is None or surname:
        return None
    words = f"{ordinal(day)}{of or ''} {month}"
    if first:
        # "2 and 3 May" are two days, "9 to 5 May" is no range.
        words = f"{ordinal(first) if int(first) < int(day) else first} {joint(between)} {words}"
    stop = "." if name.endswith(".") and not last and not match["to"] and scan.closes(end) else ""
    return words + (f"{comma} {year(last)}" if last else stop)


def month_day(match: re.Match[str], scan: Scan) -> str | None:
    """ "June 14th, 1800", "Jan 5-7"."""
    name, day, nth, last, comma, of_year = match.group("month", "day", "nth", "last", "comma", "year")
    month = _month(name, scan, of_year or nth)
    # "March 1-0" is a score.
    if month is None or last and not int(day) < int(last):
        return None
    return (
        f"{month} {ordinal(day)}{f' to {ordinal(last)}' if last else ''}{f'{comma} {year(of_year)}' if of_year else ''}"
    )


def month_year(match: re.Match[str], scan: Scan) -> str | None:
    """ "June of 1800"."""
    month = _month(match["month"], scan, match["year"])
    return month and f"{month}{match['comma'].rstrip()} {year(match['year'])}"
