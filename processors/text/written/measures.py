"""Quantities with a unit, by the table of units: squares, cubes, rates."""

from __future__ import annotations

import re
from typing import NamedTuple

from processors.text.number_words import decimal, mixed, quantity
from processors.text.written.cues import follows, rows, said_before, spoken
from processors.text.written.scan import Scan


class _Unit(NamedTuple):
    one: str
    many: str
    kind: str = ""


def _all_units() -> dict[str, _Unit]:
    units = {written: _Unit(*names) for written, *names in rows("units.tsv")}
    for name, unit in list(units.items()):
        # "12KG" and "3 mbps" are no other units; single letters are.
        if len(name) > 1 and not unit.kind:
            for written in (name.upper(), name.lower(), name.capitalize()):
                units.setdefault(written, unit)
    return units


_UNITS = _all_units()
_POWERS = {"2": "square", "3": "cubic"}


def per(name: str, power: str | None = None) -> str | None:
    """ "km", "2" -> "per square kilometer"."""
    words = spoken("rates.tsv").get(name) or (_UNITS[name].one if name in _UNITS else None)
    power = (power or "").strip("^-")
    if words and power:
        squared = "squared" if power == "2" else "cubed"
        words = f"{words} {squared}" if words == "second" else f"{_POWERS[power]} {words}"
    return words and f"per {words}"


def measure(match: re.Match[str], scan: Scan) -> str | None:
    """A number and its unit: "5 km/h", "40 sq. ft.", "a 5-km run"."""
    number, part, gap, name, stop = match.group("number", "part", "gap", "unit", "stop")
    square, power, of = match.group("square", "power", "per")
    unit = _UNITS.get("fl oz" if name[:2] + name[-2:] == "floz" else name)
    if unit is None:
        return None
    following = scan.text[match.end() : match.end() + 2].lstrip()[:1]
    if not (power or of or square) and _is_no_unit(match, unit.kind, following):
        return None
    noun = following.isalpha() and not (stop and following.isupper()) and not follows("no noun", scan.text, match.end())
    single = number == "1" and not part or part and not number
    words = unit.one if single or gap == "-" or noun and said_before("a", scan.said) else unit.many
    if power or square:
        words = f"{_POWERS[power.strip('^')] if power else 'square' if square.startswith('s') else 'cubic'} {words}"
    if of:
        rate = per(of, match["per_power"])
        if rate is None:
            return None
        words = f"{words} {rate}"
    said = mixed(number, *part.split("/")) if part else quantity(number) if not match["scale"] else decimal(number)
    return f"{said}{match['scale'] or ''}{'-' if gap == '-' else ' '}{words}"


def _is_no_unit(match: re.Match[str], kind: str, following: str) -> bool:
    """Whether letters behind a number are rather a word, a decade ("30s"), or a house ("221-B")."""
    number, gap, name = match["number"] or "", match["gap"], match["unit"]
    return (
        kind == "stop" and not match["stop"]
        or kind == "glued" and gap != ""
        or kind == "decimal" and ("." not in number or name == "B" and gap == " ")  # "1.5 B" are billions
        or name == "s" and not gap and "." not in number
        or len(name) == 1 and gap == "-" and not (name == "m" and following.islower())  # a 100-m run
    )  # fmt: skip
