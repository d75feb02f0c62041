"""What is read digit by digit or in pieces: telephone numbers, addresses of machines, versions, serial numbers."""

from __future__ import annotations

import re

from processors.text.number_words import cardinal, digits, pairs, plural_of, year
from processors.text.written.cues import said_before
from processors.text.written.numbers import counts_many, integer
from processors.text.written.scan import Scan, Written

_MACHINE = re.compile(r"(?<![\w.])(\d{1,3}(?:\.\d{1,3}){3})(?::(\d{1,5}))?(?![\w:]|\.\d)")
_TELEPHONE = re.compile(
    r"(?<![\w-])(?:\+?\d{1,3}[ .-]?)?(?:\(\d{3}\)[ .-]?|(?<!\d)\d{3}[ .-])\d{3}[-. ]\d{4}"
    r"(?:,? ?(?:ext\.?|x|extension) ?(?P<extension>\d{1,6}))?(?![\w-])|(?<![\w.,-])\d{3}-\d{4}(?![\w-])",
    re.I,
)
_ABROAD = re.compile(
    r"(?<![\w+])\+\d{1,4}(?: ?\(0\) ?|[ -])\d{2,6}(?:[ -]\d{2,6}){0,6}(?![\w-])"
    r"|(?<![\w.,+-])0\d{2,4}[ -]\d{3,4}[ -]\d{3,4}(?![\w-])"
)
_CARD = re.compile(r"(?<![\w.,-])\d{4}(?:[ -]\d{4}){3}(?![\w-]|[.,]\d)")
_CHAIN = re.compile(r"(?<![\w.-])\d{1,20}(?:-\d{1,20}){2,20}(?![\w-])")
_TWO_GROUPS = re.compile(r"(?<![\w.-])\d{3,20}-\d{3,20}(?![\w-])")


def _groups(match: re.Match[str], scan: Scan) -> str | None:
    """Groups of digits with a pause between them."""
    extension = match.groupdict().get("extension")
    number = match[0][: match.start("extension") - match.start()] if extension else match[0]
    said = ", ".join(digits(group) for group in re.findall(r"\d+", number.replace("(0)", "")))
    return ("plus " if "+" in number else "") + said + (f", extension {digits(extension)}" if extension else "")


def _machine(match: re.Match[str], scan: Scan) -> str | None:
    said, port = " dot ".join(map(digits, match[1].split("."))), match[2]
    return said + (f" colon {pairs(port) if len(port) == 4 else cardinal(port)}" if port else "")


_VERSION = re.compile(r"(?<![\w.])(?!\d{1,3}(?:\.000)+\b)\d{1,6}(?:\.\d{1,6}){2,20}(?!\.?\w)")
# "Python 3.10" is a later release than 3.9.
_RELEASE = re.compile(r"(?<![\w.])\d{1,4}\.\d{2}(?![\w.]*\w)")
_TABLE = re.compile(r"(?<![\w-])(\d{1,2})-(\d{1,2})(?![\w-])")
# "a 401(k) plan", "1080p".
_PAIRS_AND_LETTER = re.compile(r"(?<![\w.,-])(?:(401|403|501)\(([kbc])\)|(480|720|1080|1440|2160)([pi])\b)")


def _version(match: re.Match[str], scan: Scan) -> str | None:
    return " point ".join(
        digits(part, "oh") if part[0] == "0" < part else cardinal(part) for part in match[0].split(".")
    )


def _table(match: re.Match[str], scan: Scan) -> str | None:
    return f"{cardinal(match[1])} dash {cardinal(match[2])}" if said_before("table", scan.said) else None


_CODE = re.compile(
    r"(?<![^\W_])(?=[A-Za-z-]{0,40}\d)(?=[\d-]{0,40}[A-Za-z])[A-Za-z0-9]{1,40}(?:-[A-Za-z0-9]{1,40}){0,5}(?![^\W_])"
)
_PLURAL = re.compile(r"[A-Z]{1,5}-?\d{1,4}s")
_COUNT = re.compile(r"\d+[kKM]")
_A_YEAR = r"(1[1-9]\d\d|20\d\d)"
_IN_YEAR = re.compile(rf"(?:(pre|post|mid|circa|early|late)-|(FY|CY)-?){_A_YEAR}", re.I)
_IN_DECADE = re.compile(r"([a-z]+)-((?:1\d|20)\d0|[2-9]0)s", re.I)
_PART = re.compile(r"\d+|[A-Za-z]+")


def _code(match: re.Match[str], scan: Scan) -> str | None:
    """ "C2766", "133-A", "F-16", "B-52s"; "1-day" is a number and words."""
    text = match[0]
    if _COUNT.fullmatch(text) and counts_many(scan.text, match.end()):
        return None
    if found := _IN_YEAR.fullmatch(text):
        return f"{found[1] or ' '.join(found[2])} {year(found[3])}"
    if found := _IN_DECADE.fullmatch(text):
        return f"{found[1]}-{plural_of(year(found[2]))}"
    plural = _PLURAL.fullmatch(text) is not None
    pieces = text.removesuffix("s" if plural else "").split("-")
    if len(pieces) > 1 and pieces[0].isdigit() and all(len(piece) > 1 and piece.isalpha() for piece in pieces[1:]):
        return "-".join([integer(pieces[0], scan, match.start() + len(pieces[0])), *pieces[1:]])
    words = []
    for piece in pieces:
        parts = _PART.findall(piece)
        word = len(pieces) > 1 and piece.isalpha() and len(piece) > 3
        words += [piece] if word else [_piece(part, len(pieces) > 1 and len(parts) == 1) for part in parts]
    return plural_of(" ".join(words)) if plural else " ".join(words)


def _piece(part: str, in_chain: bool) -> str:
    if not part.isdigit():
        return " ".join(part.upper()) if len(part) == 1 or len(part) <= 3 and part.isupper() else part
    if len(part) <= 2 and part[0] != "0":
        return cardinal(part)
    in_pairs = len(part) == 3 and (in_chain and "0" not in part or part[1] != "0" and part[2] == "0")
    return pairs(part) if in_pairs else digits(part)


CLASSES = [
    Written("address", _MACHINE, _machine),
    Written("telephone", _TELEPHONE, _groups),
    Written("telephone", _ABROAD, _groups),
    Written("card", _CARD, _groups),
    Written("digits", _CHAIN, _groups),
    Written(
        "digits",
        _TWO_GROUPS,
        lambda match, scan: _groups(match, scan) if said_before("identifies", scan.said) else None,
    ),
    Written("version", _VERSION, _version),
    Written(
        "version", _RELEASE, lambda match, scan: _version(match, scan) if said_before("released", scan.said) else None
    ),
    Written("table", _TABLE, _table),
    Written("code", _PAIRS_AND_LETTER, lambda m, scan: f"{pairs(m[1] or m[3])} {(m[2] or m[4]).upper()}"),
]
# What is asked behind the numbers: letters and digits in one.
MIXED = [Written("code", _CODE, _code)]
