"""What is read by digits, by letters or in pieces: telephone numbers, addresses, versions, codes."""

from __future__ import annotations

import re

from processors.text.number_words import cardinal, digits, ordinal, pairs, plural_of
from processors.text.written.cues import spoken, words
from processors.text.written.numbers import integer
from processors.text.written.scan import Scan

_PIECE = re.compile(r"[^\W\d_]+|\d+|\W|_")


def letters(text: str) -> str:
    """ "Ph.D." -> "P H D"."""
    return " ".join(letter.upper() for letter in text if letter.isalnum())


def groups(text: str) -> str:
    """Groups of digits with a pause between them; an extension is said to be one."""
    said = [digits(group) for group in re.findall(r"\d+", text.replace("(0)", ""))]
    if re.search("x", text, re.I):
        said[-1] = f"extension {said[-1]}"
    return ("plus " if "+" in text else "") + ", ".join(said)


def dotted(text: str) -> str:
    """The address of a machine."""
    return " dot ".join(map(digits, text.split(".")))


def version(text: str) -> str:
    """ "Python 3.10" is a later release than 3.9."""
    return " point ".join(digits(part, "oh") if part[0] == "0" < part else cardinal(part) for part in text.split("."))


def house(number: str) -> str:
    """ "1211" -> "twelve eleven", "708" -> "seven oh eight"."""
    return pairs(number) if len(number) in (3, 4) and number[0] != "0" else cardinal(number)


def names(text: str) -> str:
    """The name of a street: "12th" is "twelfth"."""
    return " ".join(ordinal(name[:-2]) if name[0].isdigit() else name.rstrip(".") for name in text.split())


def spelt(text: str) -> str:
    """An address in words, letters, digits and the names of signs."""
    said = []
    for piece in _PIECE.findall(text):
        if piece.isalpha():
            by_letters = piece.isupper() and len(piece) < 5 or piece.lower() in words("spelt.txt")
            said.append(letters(piece) if by_letters else piece)
        elif piece.isdigit():
            said.append(cardinal(piece) if piece.endswith("000") else digits(piece))
        else:
            said.append(spoken("characters.tsv").get(piece, ""))
    return " ".join(word for word in said if word)


_PLURAL = re.compile(r"[A-Z]{1,5}-?\d{1,4}s")
_PART = re.compile(r"\d+|[A-Za-z]+")


def code(match: re.Match[str], scan: Scan) -> str | None:
    """ "C2766", "133-A", "F-16", "B-52s"; "1-day" is a number and words."""
    text = match[0]
    plural = _PLURAL.fullmatch(text) is not None
    pieces = text.removesuffix("s" if plural else "").split("-")
    if len(pieces) > 1 and pieces[0].isdigit() and all(len(piece) > 1 and piece.isalpha() for piece in pieces[1:]):
        return "-".join([integer(pieces[0], scan, match.start() + len(pieces[0])), *pieces[1:]])
    said = []
    for piece in pieces:
        parts = _PART.findall(piece)
        word = len(pieces) > 1 and piece.isalpha() and len(piece) > 3
        said += [piece] if word else [_piece(part, len(pieces) > 1 and len(parts) == 1) for part in parts]
    return plural_of(" ".join(said)) if plural else " ".join(said)


def _piece(part: str, in_chain: bool) -> str:
    if not part.isdigit():
        return letters(part) if len(part) == 1 or len(part) <= 3 and part.isupper() else part
    if len(part) <= 2 and part[0] != "0":
        return cardinal(part)
    in_pairs = len(part) == 3 and (in_chain and "0" not in part or part[1] != "0" and part[2] == "0")
    return pairs(part) if in_pairs else digits(part)
