"""Abbreviations by the table, and initials."""

from __future__ import annotations

import re

from processors.text.written.cues import follows, rows, spoken
from processors.text.written.scan import STARTER, Scan

# Written in small letters -> spoken, kinds.
_TABLE = {written: (spoken, frozenset(kinds.split())) for written, spoken, kinds in rows("abbreviations.tsv")}
_STREETS = spoken("streets.tsv")
# Those that need no full stop.
FREE = frozenset(written for written, (_, kinds) in _TABLE.items() if "free" in kinds)
# Streets whose abbreviation is no other word.
_SURE_STREETS = frozenset(("blvd", "hwy", "expy", "pkwy", "fwy", "ave", "rd", "ln"))
# Capitals before "St." that are no name of a street.
_NO_STREETS = frozenset("The In At On Near By From To Of For And Saint His Her When Then But With This Old New".split())
_NUMERAL_NEXT = re.compile(r"\s*[A-Z]?[\dIVXLC]+\b")


def abbreviation(match: re.Match[str], scan: Scan) -> str | None:
    """A word of the table, if it is meant."""
    word, stop, gap, following = match.groups()
    text, end, key = scan.text, match.end(), word.lower()
    closing = "." if stop and scan.ends(end) else ""
    if word[0].isupper() and key in _STREETS and _is_street(key, stop, following, end, scan):
        return _STREETS[key] + closing
    said, kinds = _TABLE.get(key, ("", frozenset()))
    free = "free" in kinds
    if word[0].isupper():
        said = said[:1].upper() + said[1:] if key != "vs" else said
    if "number" in kinds:
        numbered = following.isdigit() or stop and _NUMERAL_NEXT.match(text, end)
        # Nothing is numbered at the end of a text: "Mead 1991, pp."
        return said if numbered and (stop or free) or stop and free and following else None
    if "title" in kinds:
        named = free and not stop and gap and following.isupper() and word[1:].islower()
        return said if not following.isdigit() and (stop and word[0].isupper() or named) else None
    if not said or not stop and not free or word == "VS" and follows("editor", text, end):
        return None
    # "/etc", ".etc", in the name of a file.
    slash = text[max(0, match.start() - 1) : match.start()] in tuple("/.\\") or follows("slash", text, end)
    return None if key == "etc" and not stop and slash else said + closing


def _is_street(key: str, stop: str, following: str, end: int, scan: Scan) -> bool:
    """Whether "St." and the like follow the name of a street, and no name follows them."""
    if key in _SURE_STREETS:
        return True
    named = scan.last[:1].isupper() and re.sub("['-]", "", scan.last).isalpha() and scan.last not in _NO_STREETS
    saint = key in ("st", "dr") and following.isupper() and not STARTER.match(scan.text, end)
    return bool(stop) and named and not saint
