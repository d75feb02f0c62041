"""Written English to spoken words: one pass, in which the first class that knows what stands at a place says it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from processors.text.arpabet import SPAN, complete_stress
from processors.text.characters import plain_characters
from processors.text.text_error import TextError
from processors.text.written import (
    abbreviations,
    clock,
    codes,
    dates,
    electronic,
    measures,
    money,
    numbers,
    places,
    roman,
    signs,
)  # fmt: skip
from processors.text.written.cues import words
from processors.text.written.german import german
from processors.text.written.scan import Language, Reading, Scan, Written

__all__ = ["Reading", "joined", "normalise", "readings"]

ENGLISH = Language(
    at_letters=[
        *electronic.CLASSES, *dates.CLASSES, *clock.CLASSES, *places.CLASSES, *abbreviations.CLASSES, *roman.CLASSES,
        *measures.CLASSES, *money.CLASSES, *codes.CLASSES, *codes.MIXED, *signs.CLASSES,
    ],
    elsewhere=[
        *electronic.CLASSES, *dates.IN_DIGITS, *codes.CLASSES, *dates.IN_WORDS, *clock.CLASSES, *money.CLASSES,
        *places.CLASSES, *measures.CLASSES, *numbers.CLASSES, *codes.MIXED, *numbers.ANY_NUMBER, *signs.CLASSES,
    ],
    at_marks=signs.CLASSES,
    watched=dates.NAMES | abbreviations.FREE | frozenset(("per", "noon", "midnight", "v", "localhost")),
)  # fmt: skip
_AS_IT_STANDS = re.compile(r"(?:(?<=\d)[.,:]\d|[-']?[^\s,.!?;:…\"'()\[\]—–\\|_{}<>~^`-])+")
_ANY_WORD = [Written("word", _AS_IT_STANDS, lambda match, scan: match[0])]
# A language that nobody wrote classes for: marks are settled, everything else is left to its own reader.
OTHER = Language(_ANY_WORD, _ANY_WORD, [], watched=frozenset(), any_script=True)
LANGUAGES = {"en": ENGLISH, "de": german(OTHER)}
# No written thing but a sign begins with these.
_ONLY_MARKS = frozenset('<>!?,;:"[]{}|*^_\\)')

_LETTER = r"[^\W\d_]"
# Small letters between blanks or marks are a word and nothing else, unless they are watched.
_PLAIN_WORD = re.compile(r"(?<![^\W_])(?![ivx]+\b)[a-z]+(?:[-'][a-z]+){0,8}(?=[ ,;!?]|:(?![/\d])|$)")
_WORD = re.compile(rf"{_LETTER}+(?:['-]{_LETTER}+)*(?:-(?=\d))?|(?<=[^\W_])-{_LETTER}+(?:['-]{_LETTER}+)*")
_ELIDED = re.compile(rf"'(?:{'|'.join(sorted(words('elided.txt')))})\b", re.I)
_ENDING = re.compile(r"(?<=[^\W_])'(?:s|d|ll|re|ve)\b")
_PLURAL_OPTION = re.compile(r"(?<=[a-z])\((e?s)\)")
_HANGING = re.compile(r"(?<=[^\W_])-(?= (?:and|or|to) \w+-\w)")
_MARK = re.compile(r"(?P<bracket>[()\[\]])|(?P<dash>[—–]|-(?=\s|$)|(?<=\s)-)|[,.!?;:…]")
_STRENGTH = {mark: strength for strength, mark in enumerate(",-:;.…!?")}
_PHONES_MEANT = re.compile(r"\{[^{}]*\b(?:A[AEHOWY]|E[HRY]|I[HY]|O[WY]|U[HW])[012]\b", re.I)


def normalise(text: str, own: Mapping[str, str] | None = None, language: Language = ENGLISH) -> str:
    """Written text as spoken words and marks of prosody.

    The result holds letters, apostrophes, hyphens inside words, spaces, the marks , . ! ? ; : - … and the input's spans
    of phones. It is empty if nothing can be spoken. Linear in the length of the text.

    :param own: the user's own abbreviations, written -> spoken.
    :raises TextError: phones in braces with an unknown symbol.
    """
    return joined(readings(text, own, language))


def joined(spoken: list[Reading]) -> str:
    """The text that readings say: a blank between words, marks at the words before them, dashes free."""
    text = " ".join(reading.spoken for reading in spoken)
    # "mid-eighteen", "two thousand-year".
    return re.sub(r" (?=[,.!?;:…])|(?<=[^\W_]-) | (?=-[^\W\d_])", "", text)


def readings(text: str, own: Mapping[str, str] | None = None, language: Language = ENGLISH) -> list[Reading]:
    """`normalise` piece by piece, in the order of the text, so that each spoken word knows where it is written.

    `joined(readings(text)) == normalise(text)`; what is silent has no reading.

    :raises TextError: phones in braces with an unknown symbol.
    """
    plain = plain_characters(text, language.any_script)
    scan = Scan(plain.text)
    spans = phone_spans(scan.text) if "{" in scan.text else {}
    mine = sorted(own or (), key=len, reverse=True)
    position, length = 0, len(scan.text)
    while position < length:
        if scan.text[position].isspace():
            position += 1
        elif position in spans:
            end, phones = spans[position]
            scan.add(position, end, "phones", phones)
            position = end
        elif own and (written := _own_at(scan.text, position, mine)):
            scan.add(position, position + len(written), "own", own[written])
            position += len(written)
        else:
            position = _step(scan, position, language)
    found = []
    for reading in _settled(scan.found):
        start, end = plain.written(reading.start, reading.end)
        found.append(Reading(start, end, text[start:end], reading.kind, reading.spoken))
    return found


def _own_at(text: str, position: int, own: list[str]) -> str | None:
    """The longest of the user's abbreviations that stands alone at a place."""
    for written in own if not text[max(0, position - 1) : position].isalnum() else ():
        end = position + len(written)
        if text.startswith(written, position) and not (written[-1].isalnum() and text[end : end + 1].isalnum()):
            return written
    return None


def phone_spans(text: str) -> dict[int, tuple[int, str]]:
    """Spans of phones in a text: start -> end and "{HH AH0 L OW1}" with its stresses complete; other braces are none.

    :raises TextError: phones with an unknown symbol, or without the closing brace, with their position (from 1).
    """
    spans = {}
    for match in SPAN.finditer(text):
        try:
            if symbols := match[1].split():
                spans[match.start()] = (match.end(), "{" + " ".join(complete_stress(symbols)) + "}")
        except ValueError as error:
            if _PHONES_MEANT.match(match[0]):
                raise TextError(
                    f"{str(error)[:20]!r} in the braces at character {match.start() + 1} is no ARPAbet phone; "
                    "write phones as {HH AH0 L OW1}"
                ) from None
    for match in _PHONES_MEANT.finditer(text):
        if match.start() not in spans:
            where = match.start() + 1
            raise TextError(f"the brace '{{' at character {where} has no partner; write phones as {{HH AH0 L OW1}}")
    return spans


def _step(scan: Scan, position: int, language: Language) -> int:
    """Say what stands at a place that is no blank; where the next thing begins."""
    text = scan.text
    plain = _PLAIN_WORD.match(text, position)
    if plain and plain[0] not in language.watched:
        scan.add(position, plain.end(), "word", plain[0])
        return plain.end()
    char = text[position]
    for kind, pattern, speak in (
        language.at_letters if char.isalpha() else language.at_marks if char in _ONLY_MARKS else language.elsewhere
    ):
        match = pattern.match(text, position)
        if match and match.end() > position and (said := speak(match, scan)) is not None:
            if said:
                scan.add(position, match.end(), kind, said)
            return match.end()
    if word := _ELIDED.match(text, position) or _WORD.match(text, position):
        return _word(scan, word)
    return _mark(scan, position)


def _word(scan: Scan, match: re.Match[str]) -> int:
    """A plain word with its apostrophes."""
    text, end = scan.text, match.end()
    # The apostrophe of "boys'" and "rock 'n'", if no quotation is open.
    if text[end : end + 1] == "'" and not text[end + 1 : end + 2].isalpha():
        if scan.singles:
            scan.singles -= 1
        elif text[end - 1] in "sSnoOfFhH":
            end += 1
    scan.add(match.start(), end, "word", text[match.start() : end])
    return end


def _mark(scan: Scan, position: int) -> int:
    """A mark of prosody; quotation marks are counted, other characters are silent."""
    text, char = scan.text, scan.text[position]
    if (ending := _ENDING.match(text, position) or _PLURAL_OPTION.match(text, position)) and scan.found:
        # "Elizabeth II's", "file(s)"
        last = scan.found[-1]
        scan.found[-1] = last._replace(end=ending.end(), spoken=last.spoken + ending[0].strip("()"))
        return ending.end()
    if char == "'":
        opens = text[position + 1 : position + 2].isalpha() and not text[max(0, position - 1) : position].isalpha()
        scan.singles = scan.singles + 1 if opens else max(0, scan.singles - 1)
    elif char == '"':
        scan.doubles += 1
    elif not _HANGING.match(text, position) and (match := _MARK.match(text, position)):
        scan.add(position, position + 1, "mark", "," if match["bracket"] else "-" if match["dash"] else char)
    return position + 1


def _settled(found: list[Reading]) -> list[Reading]:
    """Marks after one another become the strongest, and none begins a text or follows a dash."""
    settled: list[Reading] = []
    for reading in found:
        before = settled[-1] if settled else None
        if reading.kind != "mark":
            settled.append(reading)
        elif before is None:
            continue
        elif (last := before.spoken[-1]) not in ",.!?;:…" and before.spoken != "-":
            settled.append(reading)
        elif reading.spoken != "-" and _STRENGTH[reading.spoken] > _STRENGTH[last]:
            # "?!" is "?"; the stop of an abbreviation yields to a stronger mark.
            if before.kind == "mark":
                settled.pop()
            else:
                settled[-1] = before._replace(spoken=before.spoken[:-1])
            settled.append(reading)
    while settled and settled[-1].spoken == "-":
        settled.pop()
    return settled
