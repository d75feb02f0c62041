"""What SSML's `say-as` makes of its text: the classes of written things, reached by name."""

from __future__ import annotations

import re
import unicodedata

from processors.text.characters import plain_characters
from processors.text.normalise import ENGLISH
from processors.text.number_words import any_year, cardinal, digits, ordinal_of, roman_value
from processors.text.pronounce import spell
from processors.text.written import dates
from processors.text.written.cues import spoken
from processors.text.written.scan import Scan

# Kinds that are read by the classes of written things, and what these call them.
_CLASSES = {
    "time": "time ratio", "duration": "time duration measure", "fraction": "fraction", "currency": "money",
    "unit": "measure", "measure": "measure", "address": "address telephone digits code", "net": "electronic",
}  # fmt: skip
_SPELT = frozenset(("characters", "spell-out", "verbatim"))
KINDS = (*sorted(_SPELT), "digits", "cardinal", "number", "ordinal", "date", "telephone", "name", *_CLASSES)
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
    if kind in ("digits", "telephone") and detail and re.fullmatch(r"\d{1,2}(?:[ ,]\d{1,2}){0,9}", detail.strip()):
        text = _in_groups(text, [int(size) for size in re.findall(r"\d+", detail)])
    if kind == "digits":
        if not re.fullmatch(r"[\s.,-]*\d[\d\s.,-]*", text, re.ASCII):
            raise ValueError(f"'{_short(text)}' holds more than digits")
        return ", ".join(digits(group) for group in re.split(r"[\s.,-]+", text) if group) if detail else digits(text)
    if kind in ("cardinal", "number"):
        return _cardinal(text)
    if kind == "ordinal":
        value = roman_value(text.rstrip("."))
        match = re.fullmatch(r"(\d[\d,]*)(?:st|nd|rd|th|\.)?", str(value) if value else text, re.IGNORECASE | re.ASCII)
        if match is None:
            raise ValueError(f"'{_short(text)}' is no whole number")
        return ordinal_of(cardinal(match[1].replace(",", "")))
    if kind == "date":
        return _date(text, format)
    if kind == "telephone":
        match = re.fullmatch(
            r"(\+?)((?:[\s().\-/,]*\d)+)[\s().\-/]*(?:(?:ext\.?|x|extension)\s*(\d+))?", text, re.IGNORECASE | re.ASCII
        )
        if match is None:
            raise ValueError(f"'{_short(text)}' is no telephone number")
        said = ("plus " if match[1] else "") + ", ".join(map(digits, re.findall(r"\d+", match[2])))
        return said + (f", extension {digits(match[3])}" if match[3] else "")
    if (known := _by_classes(kind, plain_characters(text).text)) is None and kind == "fraction":
        raise ValueError(f"'{_short(text)}' is no {kind}")
    # What no class knows whole is read as any text.
    return known or text


def _by_classes(kind: str, text: str) -> str | None:
    """What the first class that knows the whole text says."""
    for one in ENGLISH.classes if kind in _CLASSES else ():
        match = one.pattern.fullmatch(text) if one.kind in _CLASSES[kind].split() else None
        if match and (said := one.speak(match, Scan(text))):
            return said
    return None


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


def _cardinal(text: str) -> str:
    if value := roman_value(text):
        return cardinal(str(value))
    match = re.fullmatch(r"([+\-−]?)\s?(\d[\d,]*|(?=\.\d))(?:\.(\d+))?", text, re.ASCII)
    if match is None:
        raise ValueError(f"'{_short(text)}' is no number")
    words = [{"-": "minus", "−": "minus", "+": "plus"}.get(match[1], ""), cardinal(match[2].replace(",", "") or "0")]
    if match[3]:
        words.append("point " + digits(match[3]))
    return " ".join(word for word in words if word)


def _date(text: str, order: str | None) -> str:
    parts = re.split(r"[\s/.,-]+", text)
    if order is not None:
        order = re.sub(r"(.)\1+", r"\1", order.lower())  # "yyyymmdd" is "ymd"
        if order not in _DATE_FORMATS:
            raise ValueError(f"date format '{_short(order)}' is not known; known: {', '.join(_DATE_FORMATS)}")
    if not all(part.isascii() and part.isdigit() for part in parts):
        if order is None:
            return text  # "5 March 2024": the front-end reads it
        raise ValueError(f"'{_short(text)}' is no date of digits, as format '{order}' needs")
    if order == "ymd" and len(parts) == 1 and len(text) == 8:
        parts = [text[:4], text[4:6], text[6:]]
    if order is None:
        order = {1: "y", 2: "md"}.get(len(parts)) or ("ymd" if len(parts[0]) == 4 else "mdy")
    if len(parts) != len(order):
        raise ValueError(f"'{_short(text)}' does not have the {len(order)} parts of date format '{order}'")
    fields = dict(zip(order, parts))
    for key, name, most in (("m", "month", 12), ("d", "day of a month", 31)):
        if key in fields and (len(fields[key]) > 4 or not 1 <= int(fields[key]) <= most):
            raise ValueError(f"'{_short(fields[key])}' is no {name} (1 to {most})")
    words = [dates.MONTHS[int(fields["m"]) - 1]] if "m" in fields else []
    words += [ordinal_of(cardinal(fields["d"]))] if "d" in fields else []
    said = " ".join(words)
    if "y" in fields:
        if len(fields["y"]) > 4:
            raise ValueError(f"'{_short(fields['y'])}' is no year of at most four digits")
        year = any_year(fields["y"] if len(fields["y"]) == 2 else fields["y"].lstrip("0") or "0")
        said = f"{said}, {year}" if said else year
    return said


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:40] + "…"
