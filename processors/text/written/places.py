"""Addresses of houses: numbers, directions, kinds of streets, states before a ZIP code."""

from __future__ import annotations

import re

from processors.text.number_words import cardinal, digits, ordinal, pairs
from processors.text.written.scan import Scan, Written
from processors.text.written.tables import rows, spoken

_STREETS = {written.lower(): name for written, name in spoken("streets.tsv").items()}
_DIRECTIONS = {"N": "North", "S": "South", "E": "East", "W": "West", "NE": "Northeast", "NW": "Northwest",
               "SE": "Southeast", "SW": "Southwest"}  # fmt: skip
_SIDE = r"(?:[NS][EW]?|[EW])\b\.?"
_NAMES = r"(?:[A-Z][\w']*\.? |\d{1,3}(?:st|nd|rd|th) )"
_STREET_WORD = r"(?:Street|Avenue|Road|Drive|Lane|Boulevard|Place|Court|Way|Square|Highway|Parkway)\b"


def house(number: str) -> str:
    """ "1211" -> "twelve eleven", "708" -> "seven oh eight"."""
    return pairs(number) if len(number) in (3, 4) and number[0] != "0" else cardinal(number)


def _street(match: re.Match[str], scan: Scan) -> str | None:
    number, side, names, kind, after = match.groups()
    bare = kind.rstrip(".")
    if bare[0].islower() and bare.lower() not in ("st", "ave", "rd", "blvd", "hwy", "dr", "ln"):
        return None
    said = [house(number)] if number else []
    said += [_DIRECTIONS[side.strip(". ")]] if side else []
    said += [ordinal(name[:-2]) if name[0].isdigit() else name.rstrip(".") for name in names.split()]
    said.append(_STREETS.get(bare.lower(), bare))
    said += [_DIRECTIONS[after.strip(". ")]] if after else []
    closes = match[0].endswith(".") and re.match(r"\s*(?:$|[\"')])", scan.text[match.end() :][:2])
    return " ".join(said) + ("." if closes else "")


def _numbered(match: re.Match[str], scan: Scan) -> str | None:
    """The house number before "West 12th Street" or "Main Street"."""
    return house(match[1])


def _state(match: re.Match[str], scan: Scan) -> str | None:
    code, comma, zip_code, more = match.groups()
    said = f"{spoken('states.tsv')[code]}{comma or ''} {digits(zip_code)}"
    return said + (f", {digits(more)}" if more else "")


def _older(match: re.Match[str], scan: Scan) -> str | None:
    """ "Dallas, Tex."."""
    names = {row[2]: row[1] for row in rows("states.tsv") if len(row) > 2}
    if match[1] not in names or not scan.said.endswith(","):
        return None
    closes = re.match(r"\s*$|\s+[\"']?(?:The|A|He|She|It|They|We|In|On|At|But|And)\b", scan.text[match.end() :][:8])
    return names[match[1]] + ("." if closes else "")


CLASSES = [
    Written("address", re.compile(rf"(?<![\w.,$£€#-])(?:(\d{{1,5}})[A-Z]? )({_SIDE} )?({_NAMES}{{1,3}})((?i:{'|'.join(_STREETS)})\b\.?)(?! \d)(?: ({_SIDE})(?!\w))?", re.A), _street),
    Written("address", re.compile(rf"(?<![\w.,$£€#-])(?:(\d{{1,5}}) )({_SIDE} )({_NAMES}{{1,3}})({_STREET_WORD})()"), _street),
    Written("address", re.compile(rf"(?<![\w.,$£€#-])(\d{{3,5}})(?= (?:(?:North|South|East|West) [A-Z\d]|(?:[A-Z][a-z]+|\d{{1,3}}(?:st|nd|rd|th)) {_STREET_WORD}))"), _numbered),
    Written("address", re.compile(rf"(?<![\w.])({'|'.join(spoken('states.tsv'))})(,)? (\d{{5}})(?:-(\d{{4}}))?(?![\w-])"), _state),
    Written("address", re.compile(r"(?<![\w.])([A-Z][a-z]{1,4})\."), _older),
]  # fmt: skip
