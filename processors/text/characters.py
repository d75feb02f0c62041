"""Any Unicode text as plain characters: ASCII letters, digits and marks, and a few signs that later steps read."""

from __future__ import annotations

import html
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from processors.text.arpabet import in_braces
from processors.text.ipa import ipa_to_arpabet
from processors.text.tokens import IPA_SYMBOLS
from processors.text.written.cues import rows
from utils.errors import UserError

# What is read for a character, and for those that mean the same in every language.
_READ = {ord(char): row[0] for row in rows("plain.tsv") for char in row[1]}
_EVERYWHERE = {ord(char): row[0] for row in rows("plain.tsv") if len(row) > 2 for char in row[1]}
# What the later steps read besides letters, digits and spaces.
_KEPT = frozenset("!\"#$%&'()*+,-./:;<=>?@[]^_|~\\{}§°±÷≈≠≤≥¶μΩ‰–…—")
# IPA in braces, told by signs that little else has: it becomes ARPAbet, in other languages its signs one by one.
_IPA_MEANT = r"\{(?=[^{}]{0,200}[ˈˌːəɐɑɒɔʌɛɜɝɚɪɨʊʃʒŋɹɾʔɡ])[^{}]{1,200}\}"
# Entities, what typists make of dashes and dots, a word cut at a line's end, and all that is not ASCII.
_ODD = re.compile(
    _IPA_MEANT + r"|&(?:#\d{1,6}|#[xX][0-9a-fA-F]{1,5}|[A-Za-z]{2,8});|(?<!<!)--+(?![->])|\.{3,}|(?:\. ){2,}\."
    r"|(?<=[a-z])[-\u2010\u00ad][ \t]*\r?\n[ \t]*(?=[a-z])|[A-Za-z]?[^\x00-\x7f]+|[\x00-\x20\x7f]{2,}|[\x00-\x1f\x7f]"
)


IPA_SPAN = re.compile(_IPA_MEANT)


class TextError(UserError):
    """A text that holds nothing to speak, or phones that do not exist; the message says which."""


class Plain(NamedTuple):
    """A text of plain characters, and where each of its pieces stood in what was written."""

    text: str
    # Beginnings of pieces in `text` and in the written text, ascending; every other piece was replaced.
    starts: list[int]
    places: list[int]

    def written(self, start: int, end: int) -> tuple[int, int]:
        """Where `text[start:end]` was written."""
        first = bisect_right(self.starts, start) - 1
        last = max(first, bisect_right(self.starts, end - 1) - 1)
        begin = self.places[first] + (0 if first % 2 else start - self.starts[first])
        return begin, self.places[last + 1] if last % 2 else self.places[last] + end - self.starts[last]


def plain_characters(text: str, every_script: bool = False) -> Plain:
    """Quotes, dashes, full-width forms, controls and emoji as plain text, in one pass.

    The result holds ASCII, Latin letters with accents, and signs that are read (currency, degree, comparison, "–" and
    "—" for dashes, "…"), and nothing else; letters, digits and signs of all scripts with `every_script`.
    """
    kept = _any_letter if every_script else _letter
    pieces, starts, places = [], [], []
    length = place = 0
    for match in _ODD.finditer(text):
        for piece, start in ((text[place : match.start()], place), (_plain(match[0], kept), match.start())):
            pieces.append(piece)
            starts.append(length)
            places.append(start)
            length += len(piece)
        place = match.end()
    pieces.append(text[place:])
    return Plain("".join(pieces), [*starts, length], [*places, place])


def _plain(odd: str, kept: Callable[[str], str]) -> str:
    """A stretch of odd characters as plain text; TextError for IPA with a sign that US English lacks."""
    if odd[0] == "{":
        signs = unicodedata.normalize("NFD", "".join(odd[1:-1].split()))
        if kept is _any_letter and set(signs) <= set(IPA_SYMBOLS):
            return "{" + " ".join(signs) + "}"
        if kept is _letter:
            try:
                return in_braces(ipa_to_arpabet(signs))
            except ValueError as error:
                meant = "write phones as {HH AH0 L OW1} or {həˈloʊ}"
                raise TextError(f"{str(error)!r} in {odd[:40]!r} is no IPA sign of US English; {meant}") from None
    if odd[0] == "&":
        said = html.unescape(odd)
        return odd if said == odd else said if said.isascii() and said.isprintable() else _plain(said, kept)
    if odd[0] == "-" and odd.strip("-") == "":
        # A dash of typewriters parts what it is glued to: "1899--he".
        return " — "
    if odd[0] == ".":
        return "…"
    if "\n" in odd and odd[0] in "-\u2010\u00ad":
        return ""
    if odd[0] <= " " or odd[0] == "\x7f":
        return " "
    return "".join(map(kept, unicodedata.normalize("NFC", odd)))


@lru_cache(maxsize=1 << 14)
def _letter(char: str) -> str:
    """One character as text that later steps know."""
    if char.isascii():
        return char if char.isprintable() else " "
    char = _READ.get(ord(char), char)
    if len(char) != 1 or char in _KEPT or char.isascii():
        return char
    category = unicodedata.category(char)
    if category in ("Mn", "Me", "Cf"):
        # Combining accents, joiners, direction marks.
        return ""
    latin = category in ("Ll", "Lu") and unicodedata.name(char, "").startswith("LATIN") and ord(char) < 0x1F00
    if latin or category == "Sc":
        return char
    if category == "Nd":
        return str(unicodedata.decimal(char))
    compatible = unicodedata.normalize("NFKC", char)
    gap = " " if "\u2044" in compatible else ""
    return gap + "".join(map(_letter, compatible)) if compatible != char else " "


@lru_cache(maxsize=1 << 14)
def _any_letter(char: str) -> str:
    """The same for a text of another language: letters, digits and signs of any script stay."""
    char = _EVERYWHERE.get(ord(char), char)
    category = unicodedata.category(char)
    if category in ("Cf", "Co", "Cn", "Cs"):
        return ""
    return char if category[0] in "LMNPS" and (category != "So" or char == "°") else " "


@lru_cache(maxsize=1 << 14)
def survives(letter: str) -> bool:
    """Whether `plain_characters` leaves anything of a letter."""
    return plain_characters(letter).text.strip() != ""
