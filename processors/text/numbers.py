"""Numbers in running text: which of the ways to say it a number wants."""

from __future__ import annotations

import re

from processors.text.number_words import cardinal, digits, fraction, hundreds, ordinal, pairs, year
from processors.text.units import decimal

_START = r"(?<!\d)(?<!\d[.,])"
_WHOLE = r"(\d{1,3}(?:,\d{3})+(?!\d)|\d+)"
_VERSION = re.compile(r"(?<![\d.])\d{1,6}(?:\.\d{1,6}){2,20}(?!\.?\d)")
_PHONE = re.compile(
    r"(?<![\w-])(\+?\d{1,3}[ .-])?(?:\((\d{3})\) ?|(\d{3})[ .-])(\d{3})[-. ](\d{4})(?![\w-])|(?<![\w.,-])(\d{3})-(\d{4})(?![\w-])"
)
_ORDINAL = re.compile(rf"{_START}{_WHOLE}(?:st|nd|rd|th|d)\b", re.IGNORECASE)
_MIXED = re.compile(r"(?<![\d/.,])(\d{1,9})(?: |-| and )(\d{1,2})/(\d{1,3})(?![\d/])")
_FRACTION = re.compile(r"(?<![\w/.,])(\d{1,9})/(\d{1,9})(?![\d/])")
_DECIMAL = re.compile(rf"{_START}{_WHOLE}?\.(\d+)(?!\d)")
_RANGE = re.compile(r"(?<![\w.,-])(\d{1,3}(?:,\d{3})+|\d{1,9}) ?[-–] ?(\d{1,3}(?:,\d{3})+|\d{1,9})(?![\w-]|[.,]\d)")
_SCALED = re.compile(rf"{_START}{_WHOLE} (hundred|thousand|million|billion|trillion)\b")
_CODE = re.compile(r"(?<![A-Za-z0-9])(?=[A-Za-z-]{0,40}\d)(?=[\d-]{0,40}[A-Za-z])[A-Za-z0-9]{1,40}(?:-[A-Za-z0-9]{1,40}){0,5}(?![A-Za-z0-9])")
_PART = re.compile(r"\d+|[A-Za-z]+")
_NEGATIVE = re.compile(r"(?<![\w)\]-])-(?=\d|\.\d)")
_SIGNED = re.compile(r"(?<!\w)\+(?=\d)")
_NUMBER = re.compile(_WHOLE)
# "post office box 2915", "serial number 12345": digits that identify are read one by one.
_BEFORE_DIGITS = re.compile(r"\b(?:box|code|pin|zip|extension|ext|serial number|account number|license|flight)(?: number)?,? $", re.I)
_BEFORE_YEAR = re.compile(
    r"\b(?:in|of|since|until|till|til|by|from|year|years|to|before|after|about|around|during|circa|early|late|mid|and|or|dated|"
    r"spring|summer|autumn|fall|winter|january|february|march|april|may|june|july|august|september|october|november|december|the|"
    r"between|for|through|on|a|at|that|ending|christmas|easter|michaelmas|act|class|edition|[,;:(\"'-]),? ?$",
    re.I,
)
_QUANTITY = re.compile(r"\b(?:than|over|under|nearly|almost|approximately|some|only|total of|number|contained|exactly|another|were|was"
                       r"|are|amounted to|upwards of|exceed|least|most) $", re.I)  # fmt: skip
# A counted thing: a plural that is no verb or function word.
_COUNTED = re.compile(r" (?!(?:was|is|has|his|its|this|as|does|goes|us|always|perhaps|thus|plus|across|less|unless|towards|besides|"
                      r"riots|elections|census|games|series|census|olympics|news)\b)(?:[a-z]+ )?[a-z]{2,}s\b(?!')")  # fmt: skip
_COUNTED_ONE = re.compile(
    r" (?:people|men|women|children|feet|percent|per|persons|prisoners|sleeping|dollars|pounds|words|votes|tons|acres)\b"
)
_ERA = re.compile(r",? ?(?:B ?C|A ?D|BCE|CE|B\.C|A\.D)\b")
_AFTER_YEAR3 = re.compile(r"(?:,|\)|;|\.?$| (?:[A-Z]|he|she|it|they|when|the|his|after|before)\b)")
_IN = re.compile(r"(?:^|\W)(?:in|year|since|until|till) $", re.I)
_CALIBER = re.compile(r"(?:-| )?(?:caliber|calibre|magnum|special|revolver|automatic|pistol|rifle|winchester)\b", re.I)
_HOUSE = re.compile(r" (?:North|South|East|West|[NSEW]\b|[A-Z][a-z]+ (?:Street|Avenue|Road|Drive|Lane|Boulevard|Place|Court|Way)\b)")


def _version(match: re.Match[str]) -> str:
    return " point ".join(cardinal(part) for part in match[0].split("."))


def _phone(match: re.Match[str]) -> str:
    parts = [digits(part) for part in match.groups() if part]
    return ("plus " if (match[1] or "").startswith("+") else "") + ", ".join(parts)


def _mixed(match: re.Match[str]) -> str:
    words = fraction(match[2], match[3])
    words = f"a {words[4:]}" if words.startswith("one ") and match[3] in ("2", "4") else words
    return f"{cardinal(match[1])} and {words}"


def _fraction(match: re.Match[str]) -> str:
    if match[0] == "9/11":
        return "nine eleven"
    if match[0] == "24/7":
        return "twenty-four seven"
    return fraction(match[1], match[2])


def _decimal(match: re.Match[str]) -> str:
    if not match[1]:
        before = match.string[max(0, match.start() - 1) : match.start()]
        if before.isalpha() or before in (".", ")"):
            # A stop without a space after it: "end.5 men".
            return f". {cardinal(match[2])}"
        if len(match[2]) == 2 and _CALIBER.match(match.string, match.end()):
            return cardinal(match[2])
    return decimal(match[1], match[2])


def _range(match: re.Match[str]) -> str:
    first, second = match[1], match[2]
    return f"{_plain(first, match.string, match.start(), match.end())} to {_plain(second, match.string, match.end(), match.end())}"


def _code_part(part: str, alone: bool) -> str:
    if part.isdigit():
        if len(part) <= 2 and not part.startswith("0"):
            return cardinal(part)
        if len(part) == 3 and not alone and part[1] != "0" and part[0] != "0":
            return pairs(part)
        return digits(part)
    if len(part) <= 3 and part.isupper() or len(part) == 1:
        return " ".join(part.upper())
    return part


def _code(match: re.Match[str]) -> str:
    text = match[0]
    pieces = text.split("-")
    if len(pieces) > 1 and pieces[0].isdigit() and all(len(p) > 1 and p.isalpha() for p in pieces[1:]):
        # "1-day", "45-minute": a number and words.
        if pieces[1].islower() or len(pieces[1]) > 3:
            return "-".join([_plain(pieces[0], match.string, match.start(), match.end()), *pieces[1:]])
    words = []
    for piece in pieces:
        parts = _PART.findall(piece)
        for part in parts:
            if part.isdigit() and len(pieces) > 1 and len(parts) == 1 and len(part) == 3 and "0" not in part:
                words.append(pairs(part))
            else:
                words.append(_code_part(part, len(pieces) == 1))
    return " ".join(words)


def _plain(text: str, whole: str, start: int, end: int) -> str:
    """A whole number by its neighbours: year, quantity, identifier."""
    if "," in text:
        value = text.replace(",", "")
        return cardinal(value)
    if len(text) > 1 and text[0] == "0":
        return digits(text, "oh" if len(text) < 4 else "zero")
    if len(text) > 12 and text.rstrip("0") != text[:1]:
        return digits(text)
    before = whole[max(0, start - 24) : start]
    if len(text) >= 3 and _BEFORE_DIGITS.search(before):
        return digits(text)
    if len(text) == 4 and "1000" <= text <= "2999":
        if _ERA.match(whole, end):
            return year(text)
        if _HOUSE.match(whole, end):
            return pairs(text)
        counted = _COUNTED_ONE.match(whole, end) or _COUNTED.match(whole, end)
        if "1100" <= text <= "2099" and not _QUANTITY.search(before):
            if not counted or re.search(r"\b(?:the|in) $", before, re.I):
                if _BEFORE_YEAR.search(before) or not before or not counted:
                    return year(text)
        if text.endswith("00") and text[1] != "0":
            return hundreds(text)
    elif len(text) == 3:
        if _ERA.match(whole, end):
            return pairs(text)
        if _IN.search(before) and text[1:] != "00" and _AFTER_YEAR3.match(whole, end):
            return pairs(text)
        if _HOUSE.match(whole, end) and text[1:] != "00":
            return pairs(text)
    return cardinal(text)


def _number(match: re.Match[str]) -> str:
    whole, start, end = match.string, match.start(), match.end()
    words = _plain(match[0], whole, start, end)
    # Letters and brackets may touch a number; the words must not.
    if start and whole[start - 1].isalnum():
        words = " " + words
    if end < len(whole) and whole[end].isalnum():
        words += " "
    return words


def expand_numbers(text: str) -> str:
    """Every digit that is left as words: "11.2" -> "eleven point two", "22nd" -> "twenty-second", "in 1805" -> ..."""
    text = _VERSION.sub(_version, text)
    text = _PHONE.sub(_phone, text)
    text = _ORDINAL.sub(lambda m: ordinal(m[1].replace(",", "")), text)
    if "/" in text:
        text = _MIXED.sub(_mixed, text)
        text = _FRACTION.sub(_fraction, text)
    text = _SCALED.sub(lambda m: f"{cardinal(m[1].replace(',', ''))} {m[2]}", text)
    text = _RANGE.sub(_range, text)
    text = _NEGATIVE.sub("minus ", text)
    text = _SIGNED.sub("plus ", text)
    if "." in text:
        text = _DECIMAL.sub(_decimal, text)
    text = _CODE.sub(_code, text)
    return _NUMBER.sub(_number, text)
