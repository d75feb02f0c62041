"""What SSML's `say-as` makes of its text: plain words that need no further reading."""

from __future__ import annotations

import re
import unicodedata

from processors.text.number_words import cardinal, digits, ordinal, ordinal_of, roman_value, year

_LETTERS = {
    "a": "EY1", "b": "B IY1", "c": "S IY1", "d": "D IY1", "e": "IY1", "f": "EH1 F", "g": "JH IY1", "h": "EY1 CH",
    "i": "AY1",
    "j": "JH EY1", "k": "K EY1", "l": "EH1 L", "m": "EH1 M", "n": "EH1 N", "o": "OW1", "p": "P IY1",
    "q": "K Y UW1",
    "r": "AA1 R", "s": "EH1 S", "t": "T IY1", "u": "Y UW1", "v": "V IY1", "w": "D AH1 B AH0 L Y UW0", "x": "EH1 K S",
    "y": "W AY1", "z": "Z IY1",
}  # fmt: skip
_SIGNS = {
    ".": "dot", ",": "comma", "-": "dash", "_": "underscore", "/": "slash", "\\": "backslash", "@": "at", "#": "hash",
    "&": "and", "+": "plus", "*": "star", "=": "equals", ":": "colon", ";": "semicolon", "!": "exclamation mark",
    "?": "question mark", "'": "apostrophe", '"': "quote", "(": "open parenthesis", ")": "close parenthesis",
    "%": "percent", "$": "dollar", "€": "euro", "£": "pound", "<": "less than", ">": "greater than", "~": "tilde",
    "[": "open bracket", "]": "close bracket", "{": "open brace", "}": "close brace", "|": "bar", "^": "caret",
}  # fmt: skip
_MONTHS = (
    "January February March April May June July August September October November December".split()
)  # fmt: skip
_DATE_FORMATS = ("mdy", "dmy", "ymd", "md", "dm", "ym", "my", "y", "m", "d")
# None of these patterns can read a stretch of text in two ways: whatever is no number is refused in linear time.
_DIGITS = re.compile(r"[\s.,-]*\d[\d\s.,-]*", re.ASCII)
_TELEPHONE = re.compile(
    r"(\+?)((?:[\s().\-/]*\d)+)[\s().\-/]*(?:(?:ext\.?|x|extension)\s*(\d+))?", re.IGNORECASE | re.ASCII
)
KINDS = ("characters", "spell-out", "digits", "cardinal", "number", "ordinal", "date", "telephone")


def say_as(kind: str, text: str, date_format: str | None = None, arpabet: bool = True) -> str:
    """Words for `text` read as `kind` (one of KINDS); letters as `{ARPAbet}` unless `arpabet` is false.

    :raises ValueError: the text is not what `kind` says, or the date format is not known; the message says what.
    """
    text = unicodedata.normalize("NFKC", text).strip()
    if not text:
        raise ValueError("there is no text inside")
    if kind in ("characters", "spell-out"):
        return _characters(text, arpabet)
    if kind == "digits":
        if not _DIGITS.fullmatch(text):
            raise ValueError(f"'{_short(text)}' holds more than digits")
        return digits(text)
    if kind in ("cardinal", "number"):
        return _cardinal(text)
    if kind == "ordinal":
        value = roman_value(text.rstrip("."))
        if value is not None:
            return ordinal(str(value))
        match = re.fullmatch(r"(\d[\d,]*)(?:st|nd|rd|th|\.)?", text, re.IGNORECASE | re.ASCII)
        if match is None:
            raise ValueError(f"'{_short(text)}' is no whole number")
        return ordinal_of(cardinal(match[1].replace(",", "")))
    if kind == "date":
        return _date(text, date_format)
    if kind == "telephone":
        return _telephone(text)
    raise ValueError(f"interpret-as '{_short(kind)}' is not known; known: {', '.join(KINDS)}")


def _characters(text: str, arpabet: bool) -> str:
    words: list[str] = []
    for character in unicodedata.normalize("NFD", text):
        lower = character.lower()
        if lower in _LETTERS:
            words.append("{" + _LETTERS[lower] + "}" if arpabet else character.upper())
        elif character.isdecimal():
            words.append(digits(str(unicodedata.decimal(character))))
        elif character in _SIGNS:
            words.append(_SIGNS[character])
        elif character.isspace() and words:
            words.append(",")
    if not any(word != "," for word in words):
        raise ValueError(f"'{_short(text)}' holds no character that has a name")
    return " ".join(words)


def _cardinal(text: str) -> str:
    value = roman_value(text)
    if value is not None:
        return cardinal(str(value))
    match = re.fullmatch(r"([+\-−]?)\s?(\d[\d,]*|(?=\.\d))(?:\.(\d+))?", text, re.ASCII)
    if match is None:
        raise ValueError(f"'{_short(text)}' is no number")
    words = [{"-": "minus", "−": "minus", "+": "plus"}.get(match[1], ""), cardinal(match[2].replace(",", "") or "0")]
    if match[3]:
        words.append("point " + digits(match[3]))
    return " ".join(word for word in words if word)


def _date(text: str, date_format: str | None) -> str:
    parts = re.split(r"[\s/.,-]+", text)
    if date_format is not None:
        date_format = re.sub(r"(.)\1+", r"\1", date_format.lower())  # "yyyymmdd" is "ymd"
        if date_format not in _DATE_FORMATS:
            raise ValueError(f"date format '{_short(date_format)}' is not known; known: {', '.join(_DATE_FORMATS)}")
    if not all(part.isascii() and part.isdigit() for part in parts):
        if date_format is None:
            return text  # "5 March 2024": the front-end reads it
        raise ValueError(f"'{_short(text)}' is no date of digits, as format '{date_format}' needs")
    if date_format == "ymd" and len(parts) == 1 and len(text) == 8:
        parts = [text[:4], text[4:6], text[6:]]
    if date_format is None:
        date_format = {1: "y", 2: "md"}.get(len(parts)) or ("ymd" if len(parts[0]) == 4 else "mdy")
    if len(parts) != len(date_format):
        raise ValueError(f"'{_short(text)}' does not have the {len(date_format)} parts of date format '{date_format}'")
    fields = dict(zip(date_format, parts))
    words = []
    if "m" in fields:
        if len(fields["m"]) > 4 or not 1 <= int(fields["m"]) <= 12:
            raise ValueError(f"'{_short(fields['m'])}' is no month (1 to 12)")
        words.append(_MONTHS[int(fields["m"]) - 1])
    if "d" in fields:
        if len(fields["d"]) > 4 or not 1 <= int(fields["d"]) <= 31:
            raise ValueError(f"'{_short(fields['d'])}' is no day of a month (1 to 31)")
        words.append(ordinal(fields["d"]))
    said = " ".join(words)
    if "y" in fields:
        if len(fields["y"]) > 4:
            raise ValueError(f"'{_short(fields['y'])}' is no year of at most four digits")
        number = fields["y"].lstrip("0") if len(fields["y"]) != 2 else fields["y"]
        spoken = _short_year(number) if len(number) == 2 else year(number or "0")
        said = f"{said}, {spoken}" if said else spoken
    return said


def _short_year(number: str) -> str:
    return cardinal(number) if number[0] != "0" else "oh " + cardinal(number[1])


def _telephone(text: str) -> str:
    match = _TELEPHONE.fullmatch(text)
    if match is None:
        raise ValueError(f"'{_short(text)}' is no telephone number")
    groups = [digits(group) for group in re.findall(r"\d+", match[2])]
    spoken = ("plus " if match[1] else "") + ", ".join(groups)
    return spoken + (f", extension {digits(match[3])}" if match[3] else "")


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:40] + "…"
