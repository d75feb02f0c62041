"""Quantities with a unit, by the table of units: squares, cubes, rates, degrees, percent, feet and inches."""

from __future__ import annotations

import re
from functools import lru_cache

from processors.text.number_words import cardinal
from processors.text.written.numbers import SCALE, VALUE, decimal, quantity, value
from processors.text.written.scan import Scan, Written
from processors.text.written.tables import rows


class _Unit:
    """A row of the table."""

    def __init__(self, one: str, many: str, kind: str = "") -> None:
        self.one, self.many, self.kind = one, many, kind


@lru_cache(maxsize=1)
def _units() -> dict[str, _Unit]:
    table = {row[0]: _Unit(*row[1:]) for row in rows("units.tsv")}
    for name in list(table):
        # "12KG" and "3 mbps" are no other units; single letters are.
        if len(name) > 1 and not table[name].kind:
            for written in (name.upper(), name.lower(), name.capitalize()):
                table.setdefault(written, table[name])
    return table


_PER = {"s": "second", "sec": "second", "min": "minute", "h": "hour", "hr": "hour", "m": "meter", "mi": "mile", "wk": "week",
        "mo": "month", "yr": "year", "d": "day", "day": "day", "week": "week", "month": "month", "year": "year", "hour": "hour",
        "person": "person", "capita": "capita", "night": "night", "minute": "minute", "second": "second"}  # fmt: skip
_POWERS = {"2": "square", "3": "cubic"}
_UNIT = (
    r"(?P<square>(?:sq|cu)\b\.? ?)?(?P<unit>fl\.? ?oz|mm Hg|[A-Za-zμΩ]{1,6}(?:H2O)?)(?P<power>\^?[23])?"
    r"(?:/(?P<per>[A-Za-zμ]{1,6})(?P<per_power>\^?-?[23])?)?(?![\w/°'^]|&\w)(?P<stop>\.?)"
)
_VERBS_BEFORE_IN = re.compile(r"\.? (?:\d{1,2}) ?in\b\.?")
_NO_NOUN = re.compile(r" ?(?:of|in|on|at|to|and|or|is|was|for|per|by|with|from|above|below|[A-Z])\b")
_PLACES = re.compile(
    r" (?:the|a|an|this|that|these|those|all|my|his|her|its|our|their|your|some|each|every|both|total|front|back|"
    r"height|length|width|depth|diameter|Jan\w*|Feb\w*|March|April|May|June|July|Aug\w*|Sep\w*|Oct\w*|Nov\w*|Dec\w*|[12]\d{3})\b"
)


def unit_words(match: re.Match[str], one: bool) -> str | None:
    """What the unit of a match is called; None if it is no unit."""
    name = re.sub(r"^fl\.? ?oz$", "fl oz", match["unit"])
    unit = _units().get(name)
    if unit is None:
        return None
    words = unit.one if one else unit.many
    square = {"sq": "square", "cu": "cubic"}.get((match["square"] or "").rstrip(". ").lower())
    if match["power"]:
        square = _POWERS[match["power"].strip("^")]
    if square:
        words = f"{square} {words}"
    if match["per"]:
        per = _PER.get(match["per"]) or (_units()[match["per"]].one if match["per"] in _units() else None)
        if per is None:
            return None
        power = (match["per_power"] or "").strip("^-")
        words += f" per {per} {'squared' if power == '2' else 'cubed'}" if power and per == "second" else ""
        words += f" per {_POWERS[power]} {per}" if power and per != "second" else "" if power else f" per {per}"
    return words


def _measure(match: re.Match[str], scan: Scan) -> str | None:
    text, number, part, gap, name = scan.text, match["number"], match["part"], match["gap"], match["unit"]
    unit = _units().get(re.sub(r"^fl\.? ?oz$", "fl oz", name))
    if unit is None:
        return None
    kind, stop = unit.kind, match["stop"]
    following = text[match.end() : match.end() + 2].lstrip()[:1]
    plain = not (match["power"] or match["per"] or match["square"])
    if plain and kind == "stop" and not stop or kind == "glued" and gap:
        return None
    if plain and kind == "decimal" and "." not in (number or ""):
        return None
    if name == "s" and not gap and plain and "." not in (number or ""):
        # "30s" may be a decade.
        return None
    run = name == "m" and gap == "-" and following.islower()
    if len(name) == 1 and plain and (gap == "-" and not run or gap == " " and name in "ABKJNVFL"):
        return None
    single = number == "1" and not part
    article = re.search(r"\b[Aa]n?$", scan.said) and following.isalpha() and not (stop and following.isupper())
    article = article and not _NO_NOUN.match(text, match.end())
    small = part is not None and not number
    words = unit_words(match, single or gap == "-" or bool(article) or small)
    if words is None:
        return None
    said = quantity(number) if number and match["scale"] is None else decimal(number or "")
    if part:
        fraction = part_words(part)
        said = f"{said} and {re.sub('^one (?=half|quarter)', 'a ', fraction)}" if number else fraction
    sign = {"-": "minus ", "−": "minus ", "±": "plus or minus ", "+": "plus ", "~": "about "}.get(
        match["sign"] or "", ""
    )
    ends = stop and re.match(r"\s*(?:$|[A-Z\"'])", text[match.end() :][:3])
    joint = " to" if match["to"] else ""
    return f"{sign}{said}{match['scale'] or ''}{'-' if gap == '-' else ' '}{words}{'.' if ends and not joint else ''}{joint}"


def part_words(part: str) -> str:
    """ "3/4" -> "three quarters"."""
    from processors.text.number_words import fraction

    return fraction(*part.split("/"))


def _feet(match: re.Match[str], scan: Scan) -> str | None:
    """ "5 ft 10 in", "5'10\""."""
    feet, inches, marked = match[1] or match[3], match[2] or match[4], match[3] is not None
    following = scan.text[match.end() :]
    article = re.search(r"\b[Aa]$", scan.said) and re.match(" ?[a-z]", following)
    one = feet == "1" or bool(article)
    if not marked and _PLACES.match(following):
        return f"{cardinal(feet)} {'foot' if feet == '1' else 'feet'} {cardinal(inches)} in"
    closes = match[0].endswith(".") and re.match(r"\s*(?:$|[A-Z])", following[:2])
    said = f"{cardinal(feet)} {'foot' if one else 'feet'} {cardinal(inches)}"
    return said if marked else f"{said} {'inch' if inches == '1' else 'inches'}{'.' if closes else ''}"


def _inches(match: re.Match[str], scan: Scan) -> str | None:
    if scan.doubles % 2:
        # It closes a quotation.
        return None
    one = re.search(r"\b[Aa]n?$", scan.said) is not None
    return f"{value(match[1], scan, match.end())} {'inch' if one or match[1] == '1' else 'inches'}"


def _degrees(match: re.Match[str], scan: Scan) -> str | None:
    minus, number, scale, side, joint = match.groups()
    angle = re.match(
        r"[- ](?:angle|turn|view|bend|slope|arc|rotation|heat|weather|temperatures?)s?\b", scan.text[match.end() :][:14]
    )
    one = number == "1" or not scale and angle
    words = f"{'minus ' if minus else ''}{decimal(number)}"
    if joint and not scale and re.match(r" ?[-–] ?", joint) and "°" not in match[0]:
        return f"{words} to"
    words += f" {'degree' if one else 'degrees'}"
    words += {"C": " Celsius", "F": " Fahrenheit", "K": " Kelvin"}.get(scale or "", "")
    words += {"N": " north", "S": " south", "E": " east", "W": " west"}.get(side or "", "")
    return words + (" to" if joint else "")


def _percent(match: re.Match[str], scan: Scan) -> str | None:
    minus, number, joint = match.groups()
    sign = {"-": "minus ", "−": "minus ", "+": "plus ", "±": "plus or minus ", "~": "about "}.get(minus or "", "")
    return f"{sign}{decimal(number)} percent{' to' if joint else ''}"


def _bare_to(match: re.Match[str], scan: Scan) -> str | None:
    """The lower end of a range with the unit behind the upper one."""
    return f"{'minus ' if match[1] else ''}{decimal(match[2])} to"


def _per(match: re.Match[str], scan: Scan) -> str | None:
    words = _PER.get(match[1]) or (_units()[match[1]].one if match[1] in _units() else None)
    square = f"{_POWERS[match[2][1]]} " if match.re.groups > 1 and match[2] else ""
    return words and f"per {square}{words}"


_SIGN = r"(?<![\w)\]])[-−+±~]"
_BEGIN = r"(?<![\w.])(?<!\d,)"
_DEGREE = r"(?: ?°(?: ?([CFK])\b)?(?: ?([NSEW])\b)?)"
CLASSES = [
    Written("measure", re.compile(r"(?<![\w.,'])(\d{1,2}) ?(?:ft|feet)\.? (\d{1,2}) ?in\b\.?|(?<![\w.,'])(\d{1,2})' ?(\d{1,2})(?:\"|'')"), _feet),
    Written("measure", re.compile(rf"({_SIGN} ?)?{_BEGIN}({VALUE}){_DEGREE}( ?[-–] ?(?=\d{{1,4}}(?:\.\d{{1,3}})? ?°))?"), _degrees),
    Written("measure", re.compile(
        rf"({_SIGN} ?)?{_BEGIN}((?![12]\d{{3}} ){VALUE})(?: ?[-–] |-| ?–|(?<![12]\d{{3}}) -)(?=\d{{1,4}}(?:\.\d{{1,3}})? ?°)"), _bare_to),
    Written("measure", re.compile(rf"({_SIGN})? ?{_BEGIN}({VALUE}) ?%( ?[-–] ?(?=\d{{1,3}}(?:\.\d{{1,3}})? ?%)|[-–](?=\d))?"), _percent),
    Written("measure", re.compile(
        rf"(?P<sign>{_SIGN})? ?(?=[.\d]){_BEGIN}(?:(?P<number>{VALUE})(?P<scale> {SCALE})?)?(?:(?:(?<=\d)[ -])?(?P<part>\d{{1,2}}/\d{{1,2}}))?(?P<gap> ?|-)"
        rf"(?<=[\d\w -]){_UNIT}(?P<to>[-–](?=\d[\d.,]{{0,9}} ?(?P=unit)(?![\w/])))?"), _measure),
    Written("measure", re.compile(r"(?<![\w.,])(\d{1,4}(?:\.\d{1,3})?)\"(?!\w)"), _inches),
    Written("measure", re.compile(r"\bper (kg|km|lb|hr|sec|min|oz|cm|mm|ml|mg|kWh)\b"), _per),
    Written("measure", re.compile(r"(?<=[\w.])/ ?(kg|km|lb|hr|hour|day|month|year|week|wk|yr|mo|min|sec|night|gallon|gal|person|minute|second|piece|mile|oz)(\^[23])?(?!\w)"), lambda m, s: _rate(m, s)),
]  # fmt: skip


def _rate(match: re.Match[str], scan: Scan) -> str | None:
    """ "$2.50/lb", "5 days/week", "12/kg": per what, behind a number or what is counted."""
    if scan.found and (
        scan.found[-1].kind in ("money", "cardinal", "measure")
        or scan.last.endswith("s")
        and len(scan.found) > 1
        and scan.found[-2].kind == "cardinal"
    ):
        return _per(match, scan) or f"per {match[1]}"
    return None
