"""Written English to spoken words: the order in which the parts work."""

from __future__ import annotations

import re
from typing import NamedTuple

from processors.text.abbreviations import expand_abbreviations
from processors.text.arpabet import SPAN, complete_stress
from processors.text.characters import PLACEHOLDER, plain_characters
from processors.text.internet import expand_internet
from processors.text.money import expand_money
from processors.text.numbers import expand_numbers
from processors.text.roman import expand_roman
from processors.text.symbols import expand_number_signs, expand_powers, expand_symbols, settle_punctuation
from processors.text.text_error import TextError
from processors.text.times import expand_times
from processors.text.units import expand_units

_DIGIT = re.compile(r"\d")


class Reading(NamedTuple):
    """A piece of a written text, `text[start:end]`, what it was taken for, and the words (or the mark) said for it."""

    start: int
    end: int
    written: str
    kind: str
    spoken: str


_ADDRESS = re.compile(r"[@#]|\w\.\w|//")


def check_spans(text: str) -> list[str]:
    """The spans of phones in a text, each as "{HH AH0 L OW1}" with its stresses complete.

    :raises TextError: an unknown symbol, an empty span or a brace without its partner, with its position (from 1).
    """
    spans = []
    position = 0
    for match in SPAN.finditer(text):
        _no_brace(text, position, match.start())
        symbols = match[1].split()
        if not symbols:
            raise TextError(
                f"the braces at character {match.start() + 1} hold no phones; write them as {{HH AH0 L OW1}}"
            )
        try:
            spans.append("{" + " ".join(complete_stress(symbols)) + "}")
        except ValueError as error:
            raise TextError(
                f"{str(error)[:20]!r} in the braces at character {match.start() + 1} is no ARPAbet phone; "
                "write phones as {HH AH0 L OW1}"
            ) from None
        position = match.end()
    _no_brace(text, position, len(text))
    return spans


def _no_brace(text: str, start: int, end: int) -> None:
    for index in range(start, end):
        if text[index] in "{}":
            raise TextError(
                f"the brace {text[index]!r} at character {index + 1} has no partner; write phones as {{HH AH0 L OW1}}"
            )


def normalise(text: str) -> str:
    """Written text as spoken words and marks of prosody.

    The result holds letters, apostrophes, hyphens inside words, spaces, the marks , . ! ? ; : - … and the input's spans
    of phones. It is empty if nothing can be spoken. Linear in the length of the text.

    :raises TextError: braces that hold no phones.
    """
    spans: list[str] = []
    if "{" in text or "}" in text:
        spans = check_spans(text)
        text = SPAN.sub(f" {PLACEHOLDER} ", text.replace(PLACEHOLDER, " "))
        text = PLACEHOLDER.join(plain_characters(f" {part} ") for part in text.split(PLACEHOLDER))
        text = text.replace(PLACEHOLDER, f" {PLACEHOLDER} ").strip()
    else:
        text = plain_characters(text)
    if _ADDRESS.search(text):
        text = expand_internet(text)
    text = expand_abbreviations(text)
    text = expand_roman(text)
    if _DIGIT.search(text):
        text = expand_number_signs(text)
        text = expand_money(text)
        text = expand_times(text)
        text = expand_units(text)
        text = expand_powers(text)
        text = expand_numbers(text)
    text = settle_punctuation(expand_symbols(text))
    if spans:
        restored = iter(spans)
        text = re.sub(PLACEHOLDER, lambda _: next(restored), text)
    return text


def joined(spoken: list[Reading]) -> str:
    """The text that readings say: a blank between words, marks at the words before them, dashes free."""
    return re.sub(r" (?=[,.!?;:…])", "", " ".join(reading.spoken for reading in spoken))


def readings(text: str) -> list[Reading]:
    """`normalise` piece by piece, in the order of the text, so that each spoken word knows where it is written.

    `joined(readings(text)) == normalise(text)`; what is silent has no reading.

    :raises TextError: braces that hold no phones.
    """
    spoken = normalise(text)
    return [Reading(0, len(text), text, "text", spoken)] if spoken else []
