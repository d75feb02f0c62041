"""What SSML's `say-as` makes of its text: the classes of written things, reached by name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from processors.text.characters import plain_characters
from processors.text.normalise import ENGLISH
from processors.text.number_words import any_year, decimal, digits, ordinal, roman_value
from processors.text.pronounce import spell
from processors.text.written.codes import groups
from processors.text.written.cues import spoken
from processors.text.written.scan import Scan

# Kinds that are read by the classes of written things, and what these call them.
_CLASSES = {
    "time": "time ratio", "duration": "time duration measure", "fraction": "fraction", "currency": "money",
    "unit": "measure", "measure": "measure", "address": "address telephone digits code", "net": "electronic",
}  # fmt: skip
_SPELT = frozenset(("characters", "spell-out", "verbatim"))
_NUMBER = re.compile(r"([+\-−]?)\s?(\d[\d,]*(?:\.\d+)?|\.\d+)", re.ASCII)
_NTH = re.compile(r"(\d[\d,]*)(?:st|nd|rd|th|\.)?", re.IGNORECASE | re.ASCII)
_DIGITS = re.compile(r"[\s.,-]*\d[\d\s.,-]*", re.ASCII)
_TELEPHONE = re.compile(r"\+?(?:[\s().\-/,]*\d)+[\s().\-/]*(?:(?:ext\.?|x|extension)\s*\d+)?", re.IGNORECASE | re.ASCII)
# Kinds that look like one thing: the pattern, what is said, what is wrong with other texts.
_NUMBERS: dict[str, tuple[re.Pattern[str], Callable[[re.Match[str]], str], str]] = {
    "cardinal": (_NUMBER, lambda match: _signed(match[1], match[2]), "is no number"),
    "number": (_NUMBER, lambda match: _signed(match[1], match[2]), "is no number"),
    "ordinal": (_NTH, lambda match: ordinal(match[1]), "is no whole number"),
    "digits": (_DIGITS, lambda match: digits(match[0]), "holds more than digits"),
    "telephone": (_TELEPHONE, lambda match: groups(match[0]), "is no telephone number"),
}
KINDS = (*sorted(_SPELT), *_NUMBERS, "date", "name", *_CLASSES)
_DATE_FORMATS = ("mdy", "dmy", "ymd", "md", "dm", "ym", "my", "y", "m", "d")


def speak_as(kind: str, text: str, format: str | None = None, detail: str | None = None, arpabet: bool = True) -> str:
    """Words for `text` read as `kind` (one of KINDS); letters as `{ARPAbet}` unless `arpabet` is false.

    :param format: the order of a date ("dmy"), or 12 or 24 hours of a time (which the text tells itself).
    :param detail: of a telephone number or digits: how many are said in one breath ("3 3 4").
    :raises ValueError: the text is not what `kind` says, or the format is not known; the message says what.
    """
    text = unicodedata.normalize("NFKC", text).strip()
    if not text:
        raise ValueError("there is no text inside")
    if kind in _SPELT:
        return _characters(text, arpabet)
    if kind == "date":
        return _date(text, format)
    if kind in _NUMBERS:
        if detail and re.fullmatch(r"\d{1,2}(?:[ ,]\d{1,2}){0,9}", detail.strip()):
            text, kind = _in_groups(text, [int(size) for size in re.findall(r"\d+", detail)]), "telephone"
        pattern, said, wrong = _NUMBERS[kind]
        roman = roman_value(text.rstrip(".")) if kind not in ("digits", "telephone") else None
        if (match := pattern.fullmatch(str(roman or text))) is None:
            raise ValueError(f"'{_short(text)}' {wrong}")
        return said(match)
    plain = plain_characters(text).text
    for one in ENGLISH.classes:
        match = one.pattern.fullmatch(plain) if one.kind in _CLASSES.get(kind, "").split() else None
        if match and (known := one.speak(match, Scan(plain))):
            return known
    if kind == "fraction":
        raise ValueError(f"'{_short(text)}' is no {kind}")
    # What no class knows whole is read as any text.
    return text


def _signed(sign: str, number: str) -> str:
    return f"{spoken('shorthand.tsv').get(sign.replace('−', '-'), '')} {decimal('0' + number)}".strip()


def _characters(text: str, arpabet: bool) -> str:
    words: list[str] = []
    names = spoken("characters.tsv") | {"&": "and"}
    for character in unicodedata.normalize("NFD", text):
        if phones := spell(character):
            words.append("{" + " ".join(phones) + "}" if arpabet else character.upper())
        elif character.isdecimal():
            words.append(digits(str(unicodedata.decimal(character))))
        elif character in names:
            words.append(names[character])
        elif character.isspace() and words:
            words.append(",")
    if not any(word != "," for word in words):
        raise ValueError(f"'{_short(text)}' holds no character that has a name")
    return " ".join(words)


def _in_groups(text: str, sizes: list[int]) -> str:
    """ "5551234", [3, 4] -> "555 1234"; what is left over stands at the end."""
    plain, groups = re.sub(r"[\s().-]", "", text), []
    for size in sizes:
        groups.append(plain[: size + plain.startswith("+")])
        plain = plain[len(groups[-1]) :]
    return " ".join(group for group in [*groups, plain] if group)


def _date(text: str, order: str | None) -> str:
    parts = re.split(r"[\s/.,-]+", text)
    in_digits = all(part.isascii() and part.isdigit() for part in parts)
    if order is None:
        if not in_digits:
            return text  # "5 March 2024": the front-end reads it
        order = {1: "y", 2: "md"}.get(len(parts)) or ("ymd" if len(parts[0]) == 4 else "mdy")
    order = re.sub(r"(.)\1+", r"\1", order.lower())  # "yyyymmdd" is "ymd"
    if order not in _DATE_FORMATS:
        raise ValueError(f"date format '{_short(order)}' is not known; known: {', '.join(_DATE_FORMATS)}")
    if not in_digits:
        raise ValueError(f"'{_short(text)}' is no date of digits, as format '{order}' needs")
    if order == "ymd" and len(parts) == 1 and len(text) == 8:
        parts = [text[:4], text[4:6], text[6:]]
    if len(parts) != len(order):
        raise ValueError(f"'{_short(text)}' does not have the {len(order)} parts of date format '{order}'")
    fields = dict(zip(order, parts))
    for key, name, least, most in (("m", "month", 1, 12), ("d", "day of a month", 1, 31), ("y", "year", 0, 9999)):
        if key in fields and (len(fields[key]) > 4 or not least <= int(fields[key]) <= most):
            raise ValueError(f"'{_short(fields[key])}' is no {name} ({least} to {most})")
    said = [spoken("calendar.tsv")[str(int(fields["m"]))]] if "m" in fields else []
    said += [ordinal(fields["d"])] if "d" in fields else []
    year = fields.get("y", "")
    years = [any_year(year if len(year) == 2 else year.lstrip("0") or "0")] if year else []
    return ", ".join([" ".join(said), *years] if said else years)


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:40] + "…"
