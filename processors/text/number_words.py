"""Numbers as English words: cardinals, ordinals, digit strings, years, fractions, Roman numerals."""

from __future__ import annotations

import re

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
_TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety".split()
_SCALES = (
    " thousand million billion trillion quadrillion quintillion sextillion septillion octillion nonillion decillion"
).split(" ")
# Longer numbers have no name that a listener would know.
MAX_CARDINAL_DIGITS = 3 * len(_SCALES)
_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip
_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
_ROMAN = re.compile(r"M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")


def digits(text: str, zero: str = "zero") -> str:
    """Digit by digit: "2915" -> "two nine one five"; anything but 0-9 is skipped."""
    return " ".join(zero if c == "0" else _ONES[int(c)] for c in text if c in "0123456789")


def _below_thousand(value: int) -> str:
    words = []
    if value >= 100:
        words += [_ONES[value // 100], "hundred"]
        value %= 100
    if value >= 20:
        words.append(_TENS[value // 10] + ("-" + _ONES[value % 10] if value % 10 else ""))
    elif value:
        words.append(_ONES[value])
    return " ".join(words)


def cardinal(text: str) -> str:
    """Value of a string of ASCII digits: "1063" -> "one thousand sixty-three".

    More than 36 digits, which have no familiar name, are read digit by digit (so that any length takes linear time).
    """
    text = text.lstrip("0")
    if not text:
        return "zero"
    if len(text) > MAX_CARDINAL_DIGITS:
        return digits(text)
    groups = []
    while text:
        groups.append(int(text[-3:]))
        text = text[:-3]
    parts = [f"{_below_thousand(group)} {_SCALES[i]}".strip() for i, group in enumerate(groups) if group]
    return " ".join(reversed(parts))


def ordinal_of(words: str) -> str:
    """Ordinal of a cardinal in words: "twenty-two" -> "twenty-second"."""
    cut = max(words.rfind(" "), words.rfind("-")) + 1
    head, last = words[:cut], words[cut:]
    if last in _ORDINALS:
        return head + _ORDINALS[last]
    if last.endswith("y"):
        return head + last[:-1] + "ieth"
    return head + last + "th"


def ordinal(text: str) -> str:
    """ "22" -> "twenty-second"."""
    return ordinal_of(cardinal(text))


def plural_of(words: str) -> str:
    """Plural of a number in words: "nineteen sixty" -> "nineteen sixties"."""
    if words.endswith("y"):
        return words[:-1] + "ies"
    return words + ("es" if words.endswith(("x", "s")) else "s")


def pairs(text: str) -> str:
    """Digits in pairs, as in years and house numbers: "1805" -> "eighteen oh five", "626" -> "six twenty-six"."""
    if len(text) not in (3, 4):
        return cardinal(text)
    high, low = text[:-2], text[-2:]
    if text.endswith("00"):
        if len(text) == 4 and high.endswith("0"):
            return cardinal(text)
        return f"{cardinal(high)} hundred"
    return f"{cardinal(high)} {'oh ' + _ONES[int(low[1])] if low[0] == '0' else cardinal(low)}"


def year(text: str) -> str:
    """A year: "1963" -> "nineteen sixty-three", "1800" -> "eighteen hundred", "2007" -> "two thousand seven"."""
    if len(text) == 4 and (text[1:3] == "00" or text[1:] == "000"):
        return cardinal(text)
    return pairs(text) if len(text) in (3, 4) else cardinal(text)


def hundreds(text: str) -> str:
    """ "1300" -> "thirteen hundred"."""
    return f"{cardinal(text[:-2])} hundred"


def fraction(numerator: str, denominator: str) -> str:
    """ "3", "4" -> "three quarters"; denominators above 1000 are read "over"."""
    upper = cardinal(numerator)
    if len(denominator) > 3 and not denominator.endswith("000") or denominator.strip("0") == "" or denominator == "1":
        return f"{upper} over {cardinal(denominator)}"
    one = upper == "one"
    if int(denominator) == 2:
        return f"{upper} {'half' if one else 'halves'}"
    if int(denominator) == 4:
        return f"{upper} {'quarter' if one else 'quarters'}"
    return f"{upper} {ordinal(denominator)}{'' if one else 's'}"


def roman_value(text: str) -> int | None:
    """Value of a well-formed Roman numeral below 4000, in capitals; None for anything else."""
    if not text or len(text) > 15 or not _ROMAN.fullmatch(text):
        return None
    values = [_ROMAN_VALUES[c] for c in text]
    return sum(-v if v < max(values[i + 1 :], default=0) else v for i, v in enumerate(values))
