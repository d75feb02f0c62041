"""What is read digit by digit or in pieces: telephone and card numbers, addresses of machines, versions, serial numbers."""

from __future__ import annotations

import re

from processors.text.number_words import cardinal, digits, pairs, plural_of, year
from processors.text.written.numbers import IDENTIFIES, counts_many, integer
from processors.text.written.scan import Scan, Written

_PART = re.compile(r"\d+|[^\W\d_]+")
_PLURAL = re.compile(r"[A-Z]{1,5}-?\d{1,4}s")


def _groups(match: re.Match[str], scan: Scan) -> str | None:
    """Groups of digits with a pause between them."""
    plus = "plus " if "+" in match[0] else ""
    extension = re.search(r"(?:ext\.?|x|extension) ?(\d+)$", match[0], re.I)
    number = match[0][: extension.start()] if extension else match[0]
    said = plus + ", ".join(digits(group) for group in re.findall(r"\d+", number.replace("(0)", "")))
    return said + (f", extension {digits(extension[1])}" if extension else "")


def _machine(match: re.Match[str], scan: Scan) -> str | None:
    said = " dot ".join(digits(part) for part in match[1].split("."))
    return said + (f" colon {pairs(match[2]) if len(match[2]) == 4 else cardinal(match[2])}" if match[2] else "")


def _version(match: re.Match[str], scan: Scan) -> str | None:
    return " point ".join(
        digits(part, "oh") if part[0] == "0" and len(part) > 1 else cardinal(part) for part in match[0].split(".")
    )


def _release(match: re.Match[str], scan: Scan) -> str | None:
    # "Python 3.10" is a later release than 3.9.
    return (
        _version(match, scan)
        if re.search(r"\b(?:[Vv]ersion|Python|Ubuntu|macOS|Android|Linux|iOS|[Vv])$", scan.said)
        else None
    )


def _table(match: re.Match[str], scan: Scan) -> str | None:
    named = re.search(r"\b(?:Table|Figure|Listing|Exhibit|Example)$", scan.said)
    return f"{cardinal(match[1])} dash {cardinal(match[2])}" if named else None


def _piece(part: str, in_chain: bool) -> str:
    if part.isdigit():
        if len(part) <= 2 and part[0] != "0":
            return cardinal(part)
        if len(part) == 3 and (in_chain and "0" not in part or part[1] != "0" and part[2] == "0"):
            return pairs(part)
        return digits(part)
    return " ".join(part.upper()) if len(part) == 1 or len(part) <= 3 and part.isupper() else part


def _code(match: re.Match[str], scan: Scan) -> str | None:
    """ "C2766", "133-A", "F-16", "B-52s"; "1-day" is a number and words."""
    text = match[0]
    if re.fullmatch(r"\d+[kKM]", text) and counts_many(scan.text, match.end()):
        return None
    plural = _PLURAL.fullmatch(text) is not None
    pieces = text.removesuffix("s" if plural else "").split("-")
    if len(pieces) > 1 and pieces[0].isdigit() and all(len(piece) > 1 and piece.isalpha() for piece in pieces[1:]):
        return "-".join([integer(pieces[0], scan, match.start() + len(pieces[0])), *pieces[1:]])
    if (
        len(pieces) == 2
        and re.fullmatch(r"pre|post|mid|circa|early|late|FY|CY", pieces[0], re.I)
        and re.fullmatch(r"1[1-9]\d\d|20\d\d", pieces[1])
    ):
        return f"{_piece(pieces[0], False)} {year(pieces[1])}"
    decade = re.fullmatch(r"((?:1\d|20)\d0|[2-9]0)s", pieces[-1])
    if len(pieces) == 2 and decade and pieces[0].isalpha():
        return f"{pieces[0]}-{plural_of(year(decade[1]))}"
    short = re.fullmatch(r"(FY|CY)(1[1-9]\d\d|20\d\d)", text)
    if short:
        return f"{' '.join(short[1])} {year(short[2])}"
    words = []
    for piece in pieces:
        parts = _PART.findall(piece)
        if len(pieces) > 1 and piece.isalpha() and len(piece) > 3:
            words.append(piece)
            continue
        words += [_piece(part, len(pieces) > 1 and len(parts) == 1) for part in parts]
    return plural_of(" ".join(words)) if plural else " ".join(words)


def _screen(match: re.Match[str], scan: Scan) -> str | None:
    return f"{pairs(match[1])} {match[2].upper()}"


CLASSES = [
    Written("address", re.compile(r"(?<![\w.])(\d{1,3}(?:\.\d{1,3}){3})(?::(\d{1,5}))?(?![\w:]|\.\d)"), _machine),
    Written("telephone", re.compile(
        r"(?<![\w-])(?:\+?\d{1,3}[ .-]?)?(?:\(\d{3}\)[ .-]?|(?<!\d)\d{3}[ .-])\d{3}[-. ]\d{4}(?:,? ?(?:ext\.?|x|extension) ?\d{1,6})?(?![\w-])"
        r"|(?<![\w.,-])\d{3}-\d{4}(?![\w-])", re.I), _groups),
    Written("telephone", re.compile(r"(?<![\w+])\+\d{1,4}(?: ?\(0\) ?|[ -])\d{2,6}(?:[ -]\d{2,6}){0,6}(?![\w-])"), _groups),
    Written("telephone", re.compile(r"(?<![\w.,+-])0\d{2,4}[ -]\d{3,4}[ -]\d{3,4}(?![\w-])"), _groups),
    Written("card", re.compile(r"(?<![\w.,-])\d{4}(?:[ -]\d{4}){3}(?![\w-]|[.,]\d)"), _groups),
    Written("digits", re.compile(r"(?<![\w.-])\d{1,20}(?:-\d{1,20}){2,20}(?![\w-])"), _groups),
    Written("digits", re.compile(r"(?<![\w.-])\d{3,20}-\d{3,20}(?![\w-])"), lambda m, s: _groups(m, s) if IDENTIFIES.search(s.said) else None),
    Written("version", re.compile(r"(?<![\w.])(?!\d{1,3}(?:\.000)+\b)\d{1,6}(?:\.\d{1,6}){2,20}(?!\.?\w)"), _version),
    Written("version", re.compile(r"(?<![\w.])\d{1,4}\.\d{2}(?![\w.]*\w)"), _release),
    Written("table", re.compile(r"(?<![\w-])(\d{1,2})-(\d{1,2})(?![\w-])"), _table),
    Written("code", re.compile(r"\b(401|403|501)\(([kbc])\)"), _screen),
    Written("code", re.compile(r"(?<![\w.,-])(480|720|1080|1440|2160)([pi])\b"), _screen),
    Written("code", re.compile(
        r"(?<![^\W_])(?=[^\W\d_-]{0,40}-?\d|[\d-]{1,40}[^\W\d_])(?=[A-Za-z-]{0,40}\d)(?=[\d-]{0,40}[A-Za-z])[A-Za-z0-9]{1,40}(?:-[A-Za-z0-9]{1,40}){0,5}(?![^\W_])"), _code),
]  # fmt: skip
