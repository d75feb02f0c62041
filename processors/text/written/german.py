"""German: numbers as words."""

from __future__ import annotations

from processors.text.number_words import roman_value
from processors.text.written.cues import rows

_ONES = (
    "null ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn "
    "achtzehn neunzehn"
).split()
_TENS = "null zehn zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig".split()
_SPECIAL = {1: "erst", 3: "dritt", 7: "siebt", 8: "acht"}
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


def nth(text: str) -> str:
    """An ordinal without its ending: "3" -> "dritt", "21" -> "einundzwanzigst"."""
    number = int(text)
    return _SPECIAL.get(number) or cardinal(number) + ("t" if number < 20 else "st")


def nth_roman(text: str) -> str:
    """The same of a Roman numeral, as part of a name."""
    return nth(str(roman_value(text) or 1)).capitalize()


def year(text: str) -> str:
    """ "1985" -> "neunzehnhundertfünfundachtzig"; nothing for nothing."""
    number = int(text or 0)
    if not text or not 1100 <= number < 2000:
        return text and cardinal(number)
    return f"{cardinal(number // 100)}hundert{cardinal(number % 100) if number % 100 else ''}"


def value(text: str) -> str:
    """ "1.234,5" -> in words up to a million; what is longer, espeak reads."""
    whole, _, part = text.replace(".", "").replace(" ", "").partition(",")
    said = cardinal(int(whole)) if len(whole) < 7 else whole
    return f"{said} Komma {digits(part)}" if part else said


def digits(text: str) -> str:
    """ "030 12" -> "null drei null, eins zwei"."""
    groups = text.replace("-", " ").replace("/", " ").split()
    return ", ".join(" ".join(cardinal(int(digit)) for digit in group) for group in groups)


def one(text: str) -> str:
    """The same before what is counted: "ein Euro"."""
    return "ein" if text == "1" else value(text)


def hour(text: str) -> str:
    """ "01" -> "ein" Uhr."""
    return one(str(int(text)))


def minute(text: str) -> str:
    """What follows an hour or a price, if it is not "00"."""
    return cardinal(int(text)) if text.strip("0") else ""
