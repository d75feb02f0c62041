"""Addresses of houses: numbers, directions, kinds of streets."""

from __future__ import annotations

import re

from processors.text.number_words import cardinal, ordinal, pairs
from processors.text.written.cues import spoken
from processors.text.written.scan import Scan

# Kinds of streets, written in small letters -> spoken.
STREETS = {written.lower(): name for written, name in spoken("streets.tsv").items()}


def house(number: str) -> str:
    """ "1211" -> "twelve eleven", "708" -> "seven oh eight"."""
    return pairs(number) if len(number) in (3, 4) and number[0] != "0" else cardinal(number)


def side(text: str | None) -> str:
    """A direction: "NE." -> "Northeast"."""
    return spoken("shorthand.tsv")[text.rstrip(".").lower()] if text else ""


def street(match: re.Match[str], scan: Scan) -> str | None:
    """ "12 W Oak Ave."."""
    number, before, names, kind, after = match.group("house", "side", "names", "street", "after")
    bare = kind.rstrip(".")
    if bare[0].islower() and bare not in ("st", "ave", "rd", "blvd", "hwy", "dr", "ln"):
        return None
    said = [house(number), side(before)]
    said += [ordinal(name[:-2]) if name[0].isdigit() else name.rstrip(".") for name in names.split()]
    said += [STREETS.get(bare.lower(), bare), side(after)]
    stop = "." if match[0].endswith(".") and not scan.text[match.end() :][:2].strip("\"') ") else ""
    return " ".join(word for word in said if word) + stop
