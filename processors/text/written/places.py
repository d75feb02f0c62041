"""Addresses of houses: numbers, directions, kinds of streets, states before a ZIP code."""

from __future__ import annotations

import re

from processors.text.number_words import cardinal, digits, ordinal, pairs
from processors.text.written.cues import rows, spoken
from processors.text.written.scan import Scan, Written

# Kinds of streets, written in small letters -> spoken.
STREETS = {written.lower(): name for written, name in spoken("streets.tsv").items()}
_KIND = rf"(?:(?i:{'|'.join(STREETS)})\b\.?)"
_IN_FULL = r"(?:Street|Avenue|Road|Drive|Lane|Boulevard|Place|Court|Way|Square|Highway|Parkway)\b"
_DIRECTIONS = {
    "N": "North", "S": "South", "E": "East", "W": "West", "NE": "Northeast", "NW": "Northwest", "SE": "Southeast",
    "SW": "Southwest",
}  # fmt: skip
_SIDE = r"(?:(?:[NS][EW]?|[EW])\b\.?)"
_NAMES = r"((?:[A-Z][\w']*\.? |\d{1,3}(?:st|nd|rd|th) ){1,3})"
_BEFORE = r"(?<![\w.,$£€#-])"
_STREET = re.compile(rf"{_BEFORE}(\d{{1,5}})[A-Z]? (?:({_SIDE}) )?{_NAMES}({_KIND})(?! \d)(?: ({_SIDE})(?!\w))?")
_STREET_IN_FULL = re.compile(rf"{_BEFORE}(\d{{1,5}}) ({_SIDE}) {_NAMES}({_IN_FULL})()")
# The house before "West 12th Street" or "Main Street".
_HOUSE = re.compile(
    rf"{_BEFORE}(\d{{3,5}})(?= (?:(?:North|South|East|West) [A-Z\d]"
    rf"|(?:[A-Z][a-z]+|\d{{1,3}}(?:st|nd|rd|th)) {_IN_FULL}))"
)
_STATE = re.compile(rf"(?<![\w.])({'|'.join(spoken('states.tsv'))})(,?) (\d{{5}})(?:-(\d{{4}}))?(?![\w-])")
_OLDER_STATE = re.compile(r"(?<![\w.])([A-Z][a-z]{1,4})\.")
_OLDER_STATES = {row[2]: row[1] for row in rows("states.tsv") if len(row) > 2}


def _house(number: str) -> str:
    """ "1211" -> "twelve eleven", "708" -> "seven oh eight"."""
    return pairs(number) if len(number) in (3, 4) and number[0] != "0" else cardinal(number)


def _street(match: re.Match[str], scan: Scan) -> str | None:
    number, side, names, kind, after = match.groups()
    bare = kind.rstrip(".")
    if bare[0].islower() and bare not in ("st", "ave", "rd", "blvd", "hwy", "dr", "ln"):
        return None
    said = [_house(number), _DIRECTIONS[side.rstrip(".")] if side else ""]
    said += [ordinal(name[:-2]) if name[0].isdigit() else name.rstrip(".") for name in names.split()]
    said += [STREETS.get(bare.lower(), bare), _DIRECTIONS[after.rstrip(".")] if after else ""]
    stop = "." if match[0].endswith(".") and not scan.text[match.end() :][:2].strip("\"') ") else ""
    return " ".join(word for word in said if word) + stop


def _state(match: re.Match[str], scan: Scan) -> str | None:
    code, comma, zip_code, more = match.groups()
    return f"{spoken('states.tsv')[code]}{comma} {digits(zip_code)}{', ' + digits(more) if more else ''}"


def _older_state(match: re.Match[str], scan: Scan) -> str | None:
    """ "Dallas, Tex."."""
    if match[1] not in _OLDER_STATES or not scan.said.endswith(","):
        return None
    return _OLDER_STATES[match[1]] + ("." if scan.closes(match.end()) else "")


CLASSES = [
    Written("address", _STREET, _street),
    Written("address", _STREET_IN_FULL, _street),
    Written("address", _HOUSE, lambda match, scan: _house(match[1])),
    Written("address", _STATE, _state),
    Written("address", _OLDER_STATE, _older_state),
]
