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
_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip
_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
_ROMAN = re.compile(r"M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")
_PLURALS = {"foot": "feet", "inch": "inches", "penny": "pence"}
_NO_SEPARATORS = str.maketrans("", "", ",. ")


def digits(text: str, zero: str = "zero") -> str:
    """Digit by digit: "2915" -> "two nine one five"; anything but 0-9 is skipped."""
    return " ".join(zero if c == "0" else _ONES[int(c)] for c in text if c in "0123456789")


def _below_thousand(value: int) -> str:
    hundreds, rest = divmod(value, 100)
    words = [f"{_ONES[hundreds]} hundred"] if hundreds else []
    if rest >= 20:
        words.append(_TENS[rest // 10] + ("-" + _ONES[rest % 10] if rest % 10 else ""))
    elif rest:
        words.append(_ONES[rest])
    return " ".join(words)


def cardinal(text: str) -> str:
    """Value of a string of ASCII digits and separators: "1,063" -> "one thousand sixty-three".

    More than 36 digits, which have no familiar name, are read digit by digit (so that any length takes linear time).
    """
    text = text.translate(_NO_SEPARATORS).lstrip("0") or "0"
    if len(text) < 3:
        return _below_thousand(int(text)) or "zero"
    if len(text) > 3 * len(_SCALES):
        return digits(text)
    groups = [int(text[max(0, end - 3) : end]) for end in range(len(text), 0, -3)]
    return " ".join(
        f"{_below_thousand(group)} {scale}" for group, scale in list(zip(groups, _SCALES))[::-1] if group
    ).strip()


def counted(number: str, unit: str) -> str:
    """ "2", "hour" -> "two hours"; nothing for no number."""
    many = _PLURALS.get(unit, unit + "s")
    return number and f"{cardinal(number)} {unit if number.lstrip('0') == '1' else many}"


def ordinal_of(words: str) -> str:
    """Ordinal of a cardinal in words: "twenty-two" -> "twenty-second"."""
    cut = max(words.rfind(" "), words.rfind("-")) + 1
    head, last = words[:cut], words[cut:]
    return head + (_ORDINALS.get(last) or (last[:-1] + "ieth" if last.endswith("y") else last + "th"))


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
    high, low = text[:-2], text[-2:]
    if len(text) not in (3, 4) or low == "00" and len(text) == 4 and high.endswith("0"):
        return cardinal(text)
    return f"{cardinal(high)} {minutes(low) or 'hundred'}"


def minutes(text: str) -> str:
    """Two digits behind others: "05" -> "oh five"; nothing for "00"."""
    return "" if text == "00" else f"oh {cardinal(text)}" if text[0] == "0" else cardinal(text)


def year(text: str) -> str:
    """A year: "1963" -> "nineteen sixty-three", "1800" -> "eighteen hundred", "2007" -> "two thousand seven"."""
    return cardinal(text) if len(text) == 4 and text[1:3] == "00" else pairs(text)


def any_year(text: str) -> str:
    """A year of two digits ("07" -> "oh seven") or more."""
    return year(text) if len(text) > 2 else minutes(text) or "oh oh"


def hundreds(text: str) -> str:
    """ "1300" -> "thirteen hundred"."""
    return f"{cardinal(text[:-2])} hundred"


def decimal(text: str) -> str:
    """ "11.2" -> "eleven point two", ".5" -> "point five"; commas allowed."""
    whole, _, part = text.partition(".")
    return f"{cardinal(whole) if whole else ''} {'point ' + digits(part) if part else ''}".strip()


def quantity(text: str) -> str:
    """Words of a number that is counted or measured: "1234" kilograms are no year, "1,300" are thirteen hundred."""
    plain = text.replace(",", "")
    return hundreds(plain) if re.fullmatch(r"1[1-9]00", plain) else decimal(text)


def fraction(upper: str, lower: str) -> str:
    """ "3", "4" -> "three quarters"; denominators above 1000 are read "over"."""
    lower = lower.replace(",", "")
    if len(lower) > 3 and not lower.endswith("000") or lower.strip("0") == "" or lower == "1":
        return f"{cardinal(upper)} over {cardinal(lower)}"
    names = {2: ("half", "halves"), 4: ("quarter", "quarters")}
    one, many = names.get(int(lower)) or (ordinal(lower), ordinal(lower) + "s")
    return f"{cardinal(upper)} {one if cardinal(upper) == 'one' else many}"


def mixed(whole: str, upper: str, lower: str) -> str:
    """ "2", "1", "2" -> "two and a half"; the whole may be empty."""
    said = fraction(upper, lower)
    return f"{cardinal(whole)} and {re.sub('^one (?=half|quarter)', 'a ', said)}" if whole else said


def power(exponent: str) -> str:
    """ "2" -> "squared", "-6" -> "to the power of minus six"."""
    if exponent in ("2", "3"):
        return "squared" if exponent == "2" else "cubed"
    return f"to the power of {'minus ' if exponent[0] == '-' else ''}{cardinal(exponent.lstrip('-'))}"


def roman_value(text: str) -> int | None:
    """Value of a well-formed Roman numeral below 4000, in capitals; None for anything else."""
    if not text or len(text) > 15 or not _ROMAN.fullmatch(text):
        return None
    values = [_ROMAN_VALUES[c] for c in text]
    return sum(-v if v < max(values[i + 1 :], default=0) else v for i, v in enumerate(values))


def roman(text: str) -> str | None:
    """ "iv" -> "four"; None for what is no numeral."""
    return cardinal(str(value)) if (value := roman_value(text.upper())) else None
