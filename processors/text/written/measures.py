"""Quantities with a unit, by the table of units: squares, cubes, rates, degrees, percent, feet and inches."""

from __future__ import annotations

import re
from typing import NamedTuple

from processors.text.number_words import cardinal
from processors.text.written.cues import follows, rows, said_before
from processors.text.written.numbers import SCALE, SIGNS, VALUE, decimal, mixed, quantity, value
from processors.text.written.scan import Scan, Written


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
_PER = {
    "s": "second", "sec": "second", "min": "minute", "h": "hour", "hr": "hour", "m": "meter", "mi": "mile",
    "wk": "week", "mo": "month", "yr": "year", "d": "day",
}  # fmt: skip
_PER |= {name: name for name in "second minute hour day night week month year person piece mile gallon".split()}
_POWERS = {"2": "square", "3": "cubic"}
_PER_WHAT = r"/ ?(?P<per>[A-Za-zμ]{1,7})(?P<per_power>\^?-?[23])?"
_UNIT = (
    r"(?P<square>(?:sq|cu)\b\.? ?)?(?P<unit>fl\.? ?oz|mm Hg|[A-Za-zμΩ]{1,6}(?:H2O)?)(?P<power>\^?[23])?"
    rf"(?:{_PER_WHAT})?(?![\w/°'^]|&\w)(?P<stop>\.?)"
)
_SIGN = r"(?:(?<![\w)\]])[-−+±~])"
_BEGIN = r"(?<![\w.])(?<!\d,)"
_MEASURE = re.compile(
    rf"(?P<sign>{_SIGN} ?)?(?=[.\d]){_BEGIN}(?:(?P<number>{VALUE})(?P<scale> {SCALE})?)?"
    rf"(?:(?:(?<=\d)[ -])?(?P<part>\d{{1,2}}/\d{{1,2}}))?(?P<gap> ?|-){_UNIT}"
    r"(?P<to>[-–](?=\d[\d.,]{0,9} ?(?P=unit)(?![\w/])))?"
)


def _per(name: str, power: str | None) -> str | None:
    """ "km", "2" -> "per square kilometer"."""
    words = _PER.get(name) or (_UNITS[name].one if name in _UNITS else None)
    power = (power or "").strip("^-")
    if words and power:
        words = (
            f"{words} {'squared' if power == '2' else 'cubed'}" if words == "second" else f"{_POWERS[power]} {words}"
        )
    return words and f"per {words}"


def _measure(match: re.Match[str], scan: Scan) -> str | None:
    number, part, gap, name, stop = match.group("number", "part", "gap", "unit", "stop")
    square, power, per = match.group("square", "power", "per")
    unit = _UNITS.get("fl oz" if name.startswith("fl") else name)
    if unit is None:
        return None
    plain, end = not (power or per or square), match.end()
    following = scan.text[end : end + 2].lstrip()[:1]
    run = name == "m" and gap == "-" and following.islower()
    if plain and (
        unit.kind == "stop" and not stop
        or unit.kind == "glued" and gap
        or unit.kind == "decimal" and "." not in (number or "")
        # "30s" may be a decade, "221-B" a house.
        or name == "s" and not gap and "." not in (number or "")
        or len(name) == 1 and (gap == "-" and not run or gap == " " and name in "ABKJNVFL")
    ):  # fmt: skip
        return None
    noun = following.isalpha() and not (stop and following.isupper()) and not follows("no noun", scan.text, end)
    single = number == "1" and not part or part and not number
    words = unit.one if single or gap == "-" or noun and said_before("a", scan.said) else unit.many
    if power or square:
        words = f"{_POWERS[power.strip('^')] if power else 'square' if square.startswith('s') else 'cubic'} {words}"
    if per:
        rate = _per(per, match["per_power"])
        if rate is None:
            return None
        words = f"{words} {rate}"
    if part:
        said = mixed(number, *part.split("/"))
    else:
        said = decimal(number) + match["scale"] if match["scale"] else quantity(number)
    sign = SIGNS[match["sign"].strip()] + " " if match["sign"] else ""
    ending = " to" if match["to"] else "." if stop and scan.closes(end) else ""
    return f"{sign}{said}{'-' if gap == '-' else ' '}{words}{ending}"


_RATE = re.compile(rf"(?<=[\w.]){_PER_WHAT}(?!\w)")
_PER_UNIT = re.compile(r"\bper ([A-Za-z]{2,4})(?!\w)")


def _rate(match: re.Match[str], scan: Scan) -> str | None:
    """ "$2.50/lb", "5 days/week", "12/kg": per what, behind a number or what is counted."""
    kinds = [reading.kind for reading in scan.found[-2:]]
    counted = scan.last.endswith("s") and kinds[0] == "cardinal"
    return (
        _per(match["per"], match["per_power"])
        if counted or kinds[-1:] in (["money"], ["cardinal"], ["measure"])
        else None
    )


_FEET = re.compile(r"(?<![\w.,'])(?:(\d{1,2}) ?(?:ft|feet)\.? (\d{1,2}) ?in\b\.?|(\d{1,2})' ?(\d{1,2})(?:\"|''))")
_INCHES = re.compile(r"(?<![\w.,])(\d{1,4}(?:\.\d{1,3})?)\"(?!\w)")


def _feet(match: re.Match[str], scan: Scan) -> str | None:
    """ "5 ft 10 in", "5'10\""."""
    feet, inches, marked = match[1] or match[3], match[2] or match[4], match[3] is not None
    noun = marked and said_before("a", scan.said) and re.match(" ?[a-z]", scan.text[match.end() :][:2])
    said = f"{cardinal(feet)} {'foot' if feet == '1' or noun else 'feet'} {cardinal(inches)}"
    if marked:
        return said
    if not match[0].endswith(".") and follows("in what", scan.text, match.end()):
        # "5 ft 10 in the back".
        return f"{said} in"
    stop = "." if match[0].endswith(".") and scan.closes(match.end()) else ""
    return f"{said} {'inch' if inches == '1' else 'inches'}{stop}"


def _inches(match: re.Match[str], scan: Scan) -> str | None:
    if scan.doubles % 2:
        # It closes a quotation.
        return None
    one = match[1] == "1" or said_before("a", scan.said)
    return f"{value(match[1], scan, match.end())} {'inch' if one else 'inches'}"


_NEXT_DEGREE = r"(?=\d{1,4}(?:\.\d{1,3})? ?°)"
_DEGREES = re.compile(rf"({_SIGN} ?)?{_BEGIN}({VALUE}) ?°(?: ?([CFK])\b)?(?: ?([NSEW])\b)?( ?[-–] ?{_NEXT_DEGREE})?")
# "10 -15°C", but "In 2020 -5°C".
_DEGREES_TO = re.compile(rf"({_SIGN} ?)?{_BEGIN}((?![12]\d{{3}} ){VALUE}) ?[-–] ?{_NEXT_DEGREE}")
_SCALES = {"C": " Celsius", "F": " Fahrenheit", "K": " Kelvin"}
_SIDES = {"N": " north", "S": " south", "E": " east", "W": " west"}


def _degrees(match: re.Match[str], scan: Scan) -> str | None:
    minus, number, scale, side, to = match.groups()
    one = number == "1" or not scale and follows("angle", scan.text, match.end())
    words = f"{'minus ' if minus else ''}{decimal(number)} {'degree' if one else 'degrees'}"
    return words + _SCALES.get(scale, "") + _SIDES.get(side, "") + (" to" if to else "")


_PERCENT = re.compile(rf"({_SIGN})? ?{_BEGIN}({VALUE}) ?%( ?[-–] ?(?=\d{{1,3}}(?:\.\d{{1,3}})? ?%)|[-–](?=\d))?")


def _percent(match: re.Match[str], scan: Scan) -> str | None:
    sign, number, to = match.groups()
    return f"{SIGNS[sign] + ' ' if sign else ''}{decimal(number)} percent{' to' if to else ''}"


CLASSES = [
    Written("measure", _FEET, _feet),
    Written("measure", _DEGREES, _degrees),
    Written("measure", _DEGREES_TO, lambda match, scan: f"{'minus ' if match[1] else ''}{decimal(match[2])} to"),
    Written("measure", _PERCENT, _percent),
    Written("measure", _MEASURE, _measure),
    Written("measure", _INCHES, _inches),
    Written("measure", _PER_UNIT, lambda match, scan: _per(match[1], None) if match[1] in _UNITS else None),
    Written("measure", _RATE, _rate),
]
