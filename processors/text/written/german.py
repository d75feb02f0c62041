"""German: ordinals, dates, years, times, money, units and abbreviations; espeak reads plain numbers by itself."""

from __future__ import annotations

import re

from processors.text.number_words import roman_value
from processors.text.written.cues import rows
from processors.text.written.scan import Language, Scan, Written

_ONES = (
    "null ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn "
    "achtzehn neunzehn"
).split()
_TENS = "null zehn zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig".split()
_MONTHS = "Januar Februar März April Mai Juni Juli August September Oktober November Dezember".split()
_BY_KIND = {kind: {row[0]: row[1] for row in rows("german.tsv") if row[2] == kind}
            for kind in ("abbreviation", "number", "unit", "money", "sign")}  # fmt: skip


def _any_of(kind: str) -> str:
    return "|".join(sorted(map(re.escape, _BY_KIND[kind]), key=len, reverse=True))


def _below_hundred(number: int) -> str:
    if number < 20:
        return _ONES[number]
    ones = f"{_ONES[number % 10]}und" if number % 10 else ""
    return ones + _TENS[number // 10]


def cardinal(number: int) -> str:
    """A number below a million: 1234 -> "eintausendzweihundertvierunddreißig"; 1 is "eins"."""
    if number >= 1000:
        rest = number % 1000
        return f"{cardinal(number // 1000).removesuffix('s')}tausend{cardinal(rest) if rest else ''}"
    if number >= 100:
        rest = number % 100
        return f"{_ONES[number // 100]}hundert{cardinal(rest) if rest else ''}"
    return "eins" if number == 1 else _below_hundred(number)


def ordinal(number: int) -> str:
    """Without its ending: 3 -> "dritt", 21 -> "einundzwanzigst"."""
    special = {1: "erst", 3: "dritt", 7: "siebt", 8: "acht"}
    return special.get(number) or cardinal(number) + ("t" if number < 20 else "st")


def year(number: int) -> str:
    """1985 -> "neunzehnhundertfünfundachtzig"."""
    rest = number % 100
    if not 1100 <= number < 2000:
        return cardinal(number)
    return f"{_below_hundred(number // 100)}hundert{cardinal(rest) if rest else ''}"


# The ending of an ordinal is that of the words before it.
_WEAK = re.compile(r"\b(?:am|im|vom|zum|zur|beim|dem|den|des|bis|seit|ab|einem|einen|eines|einer|diesem|jedem)$", re.I)
_NAMED = re.compile(r"\b(?:der|die|das|dieser|jede|jeder|jedes)$", re.I)


def _ending(said: str, alone: str) -> str:
    return "en" if _WEAK.search(said) else "e" if _NAMED.search(said) else alone


_VALUE = r"(?:\d{1,3}(?:\.\d{3}){1,4}|\d{1,12})(?:,\d{1,6})?"
_BEFORE = r"(?<![\w.,])"
_DATE = re.compile(rf"{_BEFORE}(\d{{1,2}})\. ?(?:(\d{{1,2}})\.|({'|'.join(_MONTHS)})\b)(?: ?(\d{{4}})\b)?")
_ORDINAL = re.compile(rf"{_BEFORE}(\d{{1,3}})\.(?= [^\W\d_])")
_CENTURY = re.compile(r" (?:Jahrhundert|Jh\.|Klasse|Platz|Mal|Stock|Etage|Kapitel|Auflage|Geburtstag|Jahrestag)")
_TIME = re.compile(rf"{_BEFORE}([01]?\d|2[0-4])(?::([0-5]\d)(?: Uhr\b)?|\.([0-5]\d) Uhr\b)(?!:)")
_MONEY = re.compile(rf"{_BEFORE}({_VALUE}) ?({_any_of('money')})(?!\w)|({_any_of('money')}) ?({_VALUE})(?![\w,])")
_UNIT = re.compile(rf"{_BEFORE}({_VALUE}) ?({_any_of('unit')})(?![\w/])")
_RANGE = re.compile(rf"{_BEFORE}({_VALUE}) ?[-–] ?(?=\d)")
_SCORE = re.compile(rf"{_BEFORE}(\d{{1,3}}):(\d{{1,3}})(?![\d:])")
_DECADE = re.compile(rf"{_BEFORE}(\d{{2}}|1[1-9]\d\d|20\d\d)er\b")
_YEAR = re.compile(rf"{_BEFORE}1[1-9]\d\d(?![\w,]|\.\d)")
_NUMBER = re.compile(rf"{_BEFORE}({_VALUE})(?![\w]|[.,]\d)")
_ABBREVIATION = re.compile(rf"(?<![^\W\d_]\b)(?:{_any_of('abbreviation')})")
_BEFORE_NUMBER = re.compile(rf"(?<!\w)({_any_of('number')})(?= ?\d)")
_RULER = re.compile(r"(?<=[a-zäöüß] )([IVX]{1,6})\.(?!\w)")
_MINUS = re.compile(r"(?<![\w.,])[-−](?=\d)")
_SIGN = re.compile(_any_of("sign"))


def _value(text: str) -> str:
    """ "1.234,5" -> in words up to a million; what is longer, espeak reads."""
    whole, _, part = text.replace(".", "").partition(",")
    said = cardinal(int(whole)) if len(whole) < 7 else whole
    return f"{said} Komma {' '.join(cardinal(int(digit)) for digit in part)}" if part else said


def _date(match: re.Match[str], scan: Scan) -> str | None:
    day, number, name, last = match.groups()
    if not 1 <= int(day) <= 31 or number and not 1 <= int(number) <= 12 or number and not last:
        return None
    month = name or ordinal(int(number)) + _ending(scan.said, "er")
    return f"{ordinal(int(day))}{_ending(scan.said, 'er')} {month}{' ' + year(int(last)) if last else ''}"


def _ordinal(match: re.Match[str], scan: Scan) -> str | None:
    cued = _WEAK.search(scan.said) or _NAMED.search(scan.said) or _CENTURY.match(scan.text, match.end())
    return ordinal(int(match[1])) + _ending(scan.said, "e") if cued else None


def _time(match: re.Match[str], scan: Scan) -> str | None:
    hour, minute = "ein" if int(match[1]) == 1 else cardinal(int(match[1])), int(match[2] or match[3])
    return f"{hour} Uhr{' ' + cardinal(minute) if minute else ''}"


def _money(match: re.Match[str], scan: Scan) -> str | None:
    text, sign = match[1] or match[4], match[2] or match[3]
    whole, _, part = text.partition(",")
    said = f"{_value(whole).replace('eins', 'ein') if whole == '1' else _value(whole)} {_BY_KIND['money'][sign]}"
    return (
        f"{said} {cardinal(int(part))}"
        if len(part) == 2 and part != "00"
        else said
        if not part or part == "00"
        else None
    )


def _unit(match: re.Match[str], scan: Scan) -> str | None:
    return f"{'ein' if match[1] == '1' else _value(match[1])} {_BY_KIND['unit'][match[2]]}"


_CLASSES = [
    Written("abbreviation", _ABBREVIATION, lambda match, scan: _BY_KIND["abbreviation"][match[0]]),
    Written("abbreviation", _BEFORE_NUMBER, lambda match, scan: _BY_KIND["number"][match[0]]),
    Written("date", _DATE, _date),
    Written("time", _TIME, _time),
    Written("ratio", _SCORE, lambda match, scan: f"{_value(match[1])} zu {_value(match[2])}"),
    Written("money", _MONEY, _money),
    Written("measure", _UNIT, _unit),
    Written("range", _RANGE, lambda match, scan: f"{_value(match[1])} bis"),
    Written("ordinal", _ORDINAL, _ordinal),
    Written("decade", _DECADE, lambda match, scan: f"{year(int(match[1]))}er"),
    Written("year", _YEAR, lambda match, scan: year(int(match[0]))),
    Written("cardinal", _NUMBER, lambda match, scan: _value(match[1])),
    Written("roman", _RULER, lambda match, scan: f"der {ordinal(roman_value(match[1]) or 1).capitalize()}e"),
    Written("sign", _MINUS, lambda match, scan: "minus"),
    Written("sign", _SIGN, lambda match, scan: _BY_KIND["sign"][match[0]]),
]


def german(other: Language) -> Language:
    """German, with what a language without classes has behind it."""
    return Language(
        at_letters=[*_CLASSES, *other.at_letters], elsewhere=[*_CLASSES, *other.elsewhere], at_marks=other.at_marks,
        watched=frozenset(word.split(".")[0] for word in _BY_KIND["abbreviation"]), any_script=True,
    )  # fmt: skip
