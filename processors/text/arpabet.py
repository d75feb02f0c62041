"""ARPAbet: the phones of CMUdict, phones that people write by hand, and the same as IPA."""

from __future__ import annotations

import re
from collections.abc import Iterable

from processors.text.tables import rows

VOWELS = ("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW")
CONSONANTS = (
    "B", "CH", "D", "DH", "F", "G", "HH", "JH", "K", "L", "M", "N",
    "NG", "P", "R", "S", "SH", "T", "TH", "V", "W", "Y", "Z", "ZH",
)  # fmt: skip
# Every vowel carries its stress: 0 none, 1 primary, 2 secondary.
PHONES: tuple[str, ...] = tuple(sorted([v + s for v in VOWELS for s in "012"] + list(CONSONANTS)))
_PHONE_SET = frozenset(PHONES)
_VOWEL_SET = frozenset(VOWELS)

# As espeak-ng's US English writes them, one character a token, so that voices of both share their tokens; three vowels
# are another sound, or a shorter one, without stress.
_IPA = {phone: ipa for phone, ipa, _ in rows("sounds.txt") if ipa}
_STRESS_MARKS = {"1": "ˈ", "2": "ˌ"}

# One span of phones in a text: {HH AH0 L OW1}.
SPAN = re.compile(r"\{([^{}]*)\}")
# A sentence is never cut within braces, so that a word of many phones gets several pairs.
_PHONES_IN_BRACES = 32


def is_vowel(phone: str) -> bool:
    """Whether a phone (with or without stress) is a vowel."""
    return phone[:2] in _VOWEL_SET


def arpabet_to_ipa(phones: list[str]) -> list[str]:
    """IPA symbols, one character each, of one word: HH AH0 L OW1 -> h ə l ˈ o ʊ.

    A stress mark stands before its vowel, not before the syllable; long vowels have a mark of their own, diphthongs
    and affricates are two symbols.
    """
    symbols: list[str] = []
    for phone in phones:
        if phone[-1] in _STRESS_MARKS:
            symbols.append(_STRESS_MARKS[phone[-1]])
        symbols += _IPA.get(phone) or _IPA[phone.rstrip("012")]
    return symbols


def complete_stress(symbols: list[str]) -> list[str]:
    """Phones of one word with a stress on every vowel.

    Vowels without a digit get 0; if no vowel of the word has a digit, the first one gets 1.

    :raises ValueError: a symbol that is no phone; its text is the only argument.
    """
    phones = [symbol.upper() for symbol in symbols]
    for symbol, phone in zip(symbols, phones):
        if phone not in _PHONE_SET and phone not in _VOWEL_SET:
            raise ValueError(symbol)
    stressed = any(phone[-1].isdigit() for phone in phones)
    for index, phone in enumerate(phones):
        if phone in _VOWEL_SET:
            phones[index] = phone + ("0" if stressed else "1")
            stressed = True
    return phones


def in_braces(words: Iterable[list[str]]) -> str:
    """The phones of words as spans of a text."""
    size = _PHONES_IN_BRACES
    parts = [word[start : start + size] for word in words for start in range(0, len(word), size)]
    return " ".join("{" + " ".join(part) + "}" for part in parts)
