"""German: numbers as words, with the endings that the words around them ask for."""

from __future__ import annotations

import re

from processors.text.number_words import roman_value
from processors.text.written.cues import rows
from processors.text.written.scan import Scan

_ONES = (
    "null ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn "
    "achtzehn neunzehn"
).split()
_TENS = "null zehn zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig".split()
_SPECIAL = {1: "erst", 3: "dritt", 7: "siebt", 8: "acht"}
# The ending of an ordinal is that of the words before it.
_WEAK = re.compile(r"\b(?:am|im|vom|zum|zur|beim|dem|den|des|bis|seit|ab|einem|einen|eines|einer|diesem|jedem)$", re.I)
_NAMED = re.compile(r"\b(?:der|die|das|dieser|jede|jeder|jedes)$", re.I)
_COUNTED = re.compile(r" (?:Jahrhundert|Jh\.|Klasse|Platz|Mal|Stock|Etage|Kapitel|Auflage|Geburtstag|Jahrestag)")
WATCHED = frozenset(row[0].split(".")[0] for row in rows("german.tsv") if row[2] == "abbreviation")


def cardinal(number: int) -> str:
    """A number below a million: 1234 -> "eintausendzweihundertvierunddreißig"; 1 is "eins"."""
    for size, name in ((1000, "tausend"), (100, "hundert")):
        if number >= size:
            many, rest = divmod(number, size)
            before = cardinal(many).removesuffix("s" if many % 100 == 1 else "")
            return before + name + (cardinal(rest) if rest else "")
    if number < 20:
        return "eins" if number == 1 else _ONES[number]
    return (f"{_ONES[number % 10]}und" if number % 10 else "") + _TENS[number // 10]


def ordinal(number: int) -> str:
    """Without its ending: 3 -> "dritt", 21 -> "einundzwanzigst"."""
    return _SPECIAL.get(number) or cardinal(number) + ("t" if number < 20 else "st")


def year(text: str) -> str:
    """ "1985" -> "neunzehnhundertfünfundachtzig"."""
    number = int(text)
    if not 1100 <= number < 2000:
        return cardinal(number)
    return f"{cardinal(number // 100)}hundert{cardinal(number % 100) if number % 100 else ''}"


def value(text: str) -> str:
    """ "1.234,5" -> in words up to a million; what is longer, espeak reads."""
    whole, _, part = text.replace(".", "").partition(",")
    said = cardinal(int(whole)) if len(whole) < 7 else whole
    return f"{said} Komma {' '.join(cardinal(int(digit)) for digit in part)}" if part else said


def one(text: str) -> str:
    """The same before what is counted: "ein Euro"."""
    return "ein" if text == "1" else value(text)


def hour(text: str) -> str:
    """ "01" -> "ein" Uhr."""
    return one(str(int(text)))


def minute(text: str) -> str:
    """What follows an hour or a price, if it is not "00"."""
    return cardinal(int(text)) if text.strip("0") else ""


def _ending(said: str, alone: str) -> str:
    return "en" if _WEAK.search(said) else "e" if _NAMED.search(said) else alone


def date(match: re.Match[str], scan: Scan) -> str | None:
    """ "5. März 2020", "3.10.1990"."""
    day, number, name, last = match.groups()
    if not 1 <= int(day) <= 31:
        return None
    ending = _ending(scan.said, "er")
    month = name or ordinal(int(number)) + ending
    return f"{ordinal(int(day))}{ending} {month}{' ' + year(last) if last else ''}"


def ordinal_next(match: re.Match[str], scan: Scan) -> str | None:
    """ "der 3. Platz", but a number that ends a sentence."""
    cued = _WEAK.search(scan.said) or _NAMED.search(scan.said) or _COUNTED.match(scan.text, match.end())
    return ordinal(int(match[1])) + _ending(scan.said, "e") if cued else None


def ruler(match: re.Match[str], scan: Scan) -> str | None:
    """ "Heinrich VIII."."""
    return f"der {ordinal(roman_value(match[1]) or 1).capitalize()}e"
