"""Pronunciation dictionaries: our tables, CMUdict behind them, and the user's own file."""

from __future__ import annotations

import gzip
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from processors.text.arpabet import complete_stress
from processors.text.tables import DATA, lines, rows
from processors.text.tokens import IPA_SYMBOLS
from utils.errors import UserError
from utils.files import regular

_NO_ACCENTS = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ı": "i", "ß": "ss", "æ": "ae", "œ": "oe"})


@lru_cache(maxsize=1)
def _cmudict() -> str:
    return gzip.decompress((DATA / "cmudict.txt.gz").read_bytes()).decode("ascii")


@lru_cache(maxsize=1 << 16)
def cmudict_phones(word: str) -> str | None:
    """Phones of a lower-case word in CMUdict, None if it lacks the word.

    The lines are sorted: bisecting the text spares the start of a program a dict of 126,000 words.
    """
    text = _cmudict()

    def word_at(place: int) -> str:
        start = text.rfind("\n", 0, place) + 1
        return text[start : text.find(" ", start)]

    place = bisect_left(range(len(text)), word, key=word_at)
    return text[place + len(word) + 1 : text.find("\n", place)] if text.startswith(word + " ", place) else None


def plain_cmudict() -> dict[str, str]:
    """All of CMUdict, without our corrections: lower-case word -> phones."""
    return dict(line.split(" ", 1) for line in _cmudict().splitlines())


@lru_cache(maxsize=1)
def our_words() -> dict[str, str]:
    """Lower-case word -> phones of our tables of names and corrections, which go before CMUdict."""
    return dict(line.split(" ", 1) for name in ("names.txt", "overrides.txt") for line in lines(name))


def dictionary(word: str) -> str | None:
    """Phones of a lower-case word, None if no dictionary has it."""
    return our_words().get(word) or cmudict_phones(word)


@lru_cache(maxsize=1)
def _phrases() -> dict[str, list[tuple[list[str], list[str]]]]:
    """First word -> words and their phones of each phrase that begins with it, the longest first."""
    found: dict[str, list[tuple[list[str], list[str]]]] = {}
    for phrase, *phones in sorted(rows("phrases.txt"), key=len, reverse=True):
        words = phrase.split()
        found.setdefault(words[0], []).append((words, phones))
    return found


def phrase_phones(words: list[str], index: int) -> list[list[str]]:
    """Phones of each word of the phrase that begins at `words[index]` (in small letters); empty if there is none."""
    for phrase, phones in _phrases().get(without_accents(words[index]), ()):
        if [without_accents(word) for word in words[index : index + len(phrase)]] == phrase:
            return [one.split() for one in phones]
    return []


def without_accents(word: str) -> str:
    """A lower-case word in the letters a to z, as far as accents are what is beyond them."""
    if word.isascii():
        return word
    parts = unicodedata.normalize("NFD", word.translate(_NO_ACCENTS))
    return "".join(letter for letter in parts if not unicodedata.combining(letter))


def read_lexicon(path: Path | str, english: bool = True) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """A user's file ("#" starts a comment): lower-case word -> phones, and abbreviation -> spoken words.

    Its lines are `word PHONES` and `written = spoken words`. Phones are ARPAbet with or without stresses (see
    `complete_stress`), or, for words of other languages, IPA, with or without blanks between its symbols; the last of
    several lines for a word wins.

    :raises UserError: the file cannot be read, or a line is wrong; names file and line.
    """
    entries: dict[str, tuple[str, ...]] = {}
    own: dict[str, str] = {}
    for where, left, equals, said in _user_lines(path):
        if equals:
            if not (left and said):
                way = "write abbreviations as `written = spoken words`, like `approx. = approximately`"
                raise UserError(f"{where}: {way}")
            own[left] = said
            continue
        word, *symbols = left.split()
        if not symbols:
            raise UserError(
                f"{where}: {word!r} has no phones; write lines as `word PHONES`, like `kyoto K IY0 OW1 T OW0`, "
                "or as `abbreviation = words`"
            )
        key = word.lower().replace("’", "'")
        letters = "".join(c for c in key if c not in "'-" and unicodedata.category(c)[0] != "M")
        if not letters.isalpha() or (english and not key.isascii()):
            kind = "the letters a to z" if english else "letters"
            raise UserError(f"{where}: {word!r} is no single word of {kind} (apostrophes and hyphens are fine)")
        ipa = tuple(unicodedata.normalize("NFD", "".join(symbols)))
        if not english and set(ipa) <= set(IPA_SYMBOLS):
            entries[key] = ipa
            continue
        try:
            entries[key] = tuple(complete_stress(symbols))
        except ValueError as error:
            other = "" if english else ", or IPA as in `haus h aʊ s`"
            raise UserError(
                f"{where}: {str(error)!r} is no ARPAbet phone; write phones as in `hello HH AH0 L OW1`{other}"
            ) from None
    return entries, own


def _user_lines(path: Path | str) -> Iterator[tuple[str, str, str, str]]:
    """Place, left side, equals sign and right side of each line that says something."""
    try:
        text = regular(Path(path)).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(
            f"lexicon {path} cannot be read ({error.strerror}); correct preprocess.lexicon_path or set it to null"
        ) from None
    except UnicodeDecodeError:
        raise UserError(f"lexicon {path} is not UTF-8 text; save it as UTF-8") from None
    for number, line in enumerate(text.splitlines(), 1):
        if line := line.split("#", 1)[0].strip():
            left, equals, right = f" {line} ".partition(" = ")
            yield f"{path}, line {number}", left.strip(), equals, right.strip()
