"""Written text to spoken words: one pass, in which the first rule that knows what stands at a place says it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from processors.text import number_words
from processors.text.arpabet import SPAN, complete_stress
from processors.text.characters import IPA_SPAN, TextError, plain_characters, survives
from processors.text.tokens import IPA_SYMBOLS
from processors.text.written import abbreviations, codes, german, measures, money, numbers
from processors.text.written.cues import words
from processors.text.written.grammar import ENGLISH_RULES, GERMAN_RULES, OTHER_RULES, Language
from processors.text.written.scan import Reading, Scan

__all__ = ["Reading", "joined", "normalise", "readings"]


def _functions(*modules: Any) -> dict[str, Any]:
    return {"capitalised": str.capitalize} | {k: v for one in modules for k, v in vars(one).items() if callable(v)}


ENGLISH = Language(
    ENGLISH_RULES,
    _functions(number_words, abbreviations, codes, measures, money, numbers),
    watched=numbers.NAMES | abbreviations.FREE | frozenset(("per", "noon", "midnight", "v", "localhost")),
    around=numbers.AROUND,
)
OTHER = Language(OTHER_RULES, {}, watched=frozenset(), any_script=True)
LANGUAGES = {"en": ENGLISH, "de": Language(GERMAN_RULES, _functions(german), watched=german.WATCHED, any_script=True)}

_LETTER = r"[^\W\d_]"
# Small letters between blanks or marks are a word and nothing else, unless they are watched.
_PLAIN_WORD = re.compile(r"(?<![^\W_])(?![ivx]+\b)[a-z]+(?:[-'][a-z]+){0,8}(?=[ ,;!?]|:(?![/\d])|$)")
_WORD = re.compile(rf"{_LETTER}+(?:['-]{_LETTER}+)*(?:-(?=\d))?|(?<=[^\W_])-{_LETTER}+(?:['-]{_LETTER}+)*")
_ELIDED = re.compile(rf"'(?:{'|'.join(sorted(words('elided.txt')))})\b", re.I)
_ENDING = re.compile(r"(?<=[^\W_])'(?:s|d|ll|re|ve)\b|(?<=[a-z])\(e?s\)")
_HANGING = re.compile(r"(?<=[^\W_])-(?= (?:and|or|to) \w+-\w)")
_DASH = re.compile(r"[—–]|-(?=\s|$)|(?<=\s)-")
_STRENGTH = {mark: strength for strength, mark in enumerate(",-:;.…!?")}
_PHONES_MEANT = re.compile(r"\{[^{}]*\b(?:A[AEHOWY]|E[HRY]|I[HY]|O[WY]|U[HW])[012]\b", re.I)


class Normaliser:
    """What the front-ends that read written text by rules share."""

    tokens: list[str]

    def __init__(
        self, user: Mapping[str, tuple[str, ...]] | None, own: Mapping[str, str] | None, language: str = "en"
    ) -> None:
        """`user`: the phones of the user's words; `own`: the user's abbreviations, written -> spoken."""
        self.user, self.own, self.language = dict(user or {}), dict(own or {}), language

    def normalise(self, text: str) -> str:
        """Written text as spoken words and punctuation; in languages without rules, numbers and signs as written."""
        return joined(self.readings(text))

    def readings(self, text: str) -> list[Reading]:
        """The same piece by piece."""
        return readings(text, self.own, self._rules)

    def reads(self, letter: str) -> bool:
        """Whether a letter, or an accent, makes any difference to what is spoken."""
        return self._rules.any_script or survives(letter)

    @property
    def _rules(self) -> Language:
        return LANGUAGES.get(self.language.split("-")[0], OTHER)


def normalise(text: str, language: Language = ENGLISH) -> str:
    """Written text as spoken words and marks of prosody.

    The result holds letters, apostrophes, hyphens inside words, spaces, the marks , . ! ? ; : - … and the input's spans
    of phones. It is empty if nothing can be spoken. Linear in the length of the text.

    :raises TextError: phones in braces with an unknown symbol.
    """
    return joined(readings(text, None, language))


def joined(spoken: list[Reading]) -> str:
    """The text that readings say: a blank between words, marks at the words before them, dashes free."""
    text = " ".join([reading.spoken for reading in spoken])
    # "mid-eighteen", "two thousand-year".
    return re.sub(r" (?=[,.!?;:…])|(?<=[^\W_]-) | (?=-[^\W\d_])", "", text)


def readings(text: str, own: Mapping[str, str] | None = None, language: Language = ENGLISH) -> list[Reading]:
    """`normalise` piece by piece, in the order of the text, so that each spoken word knows where it is written.

    `joined(readings(text)) == normalise(text)`; what is silent has no reading. `own` are the user's own abbreviations,
    written -> spoken.

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
    while scan.found and scan.found[-1].spoken == "-":
        scan.found.pop()
    if plain.text == text:
        return scan.found
    places = [plain.written(reading.start, reading.end) for reading in scan.found]
    return [Reading(start, end, text[start:end], one.kind, one.spoken) for one, (start, end) in zip(scan.found, places)]


def _own_at(text: str, position: int, own: list[str]) -> str | None:
    """The longest of the user's abbreviations that stands alone at a place."""
    for written in own if not text[max(0, position - 1) : position].isalnum() else ():
        end = position + len(written)
        if text.startswith(written, position) and not (written[-1].isalnum() and text[end : end + 1].isalnum()):
            return written
    return None


def phone_spans(text: str) -> dict[int, tuple[int, str]]:
    """Spans of phones in a text: start -> end and "{HH AH0 L OW1}" with its stresses complete; other braces are none.

    In languages without ARPAbet they may be IPA, sign by sign, as `plain_characters` leaves them.

    :raises TextError: phones with an unknown symbol, or without the closing brace, with their position (from 1).
    """
    spans = {}
    for match in SPAN.finditer(text):
        try:
            if symbols := match[1].split():
                spans[match.start()] = (match.end(), "{" + " ".join(complete_stress(symbols)) + "}")
        except ValueError as error:
            if IPA_SPAN.fullmatch(match[0]) and set(symbols) <= set(IPA_SYMBOLS):
                spans[match.start()] = (match.end(), match[0])
            elif _PHONES_MEANT.match(match[0]):
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
    for written in language.classes_at(text[position]):
        match = written.pattern.match(text, position)
        if match and match.end() > position and (said := written.speak(match, scan)) is not None:
            if said:
                scan.add(position, match.end(), written.kind, said)
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
    if (ending := _ENDING.match(text, position)) and scan.found:
        # "Elizabeth II's", "file(s)"
        last = scan.found[-1]
        scan.found.pop()
        scan.add(last.start, ending.end(), last.kind, last.spoken + ending[0].strip("()"))
        return ending.end()
    if char == "'":
        opens = text[position + 1 : position + 2].isalpha() and not text[max(0, position - 1) : position].isalpha()
        scan.singles = scan.singles + 1 if opens else max(0, scan.singles - 1)
    elif char == '"':
        scan.doubles += 1
    elif not _HANGING.match(text, position):
        mark = "-" if _DASH.match(text, position) else "," if char in "()[]" else char if char in ",.!?;:…" else ""
        if mark:
            _settle(scan, position, mark)
    return position + 1


def _settle(scan: Scan, position: int, mark: str) -> None:
    """Of marks after one another the strongest stays, and none begins a text or follows a dash."""
    if not scan.found:
        return
    before = scan.found[-1]
    last = before.spoken[-1]
    if last in ",.!?;:…" or before.spoken == "-":
        if mark == "-" or _STRENGTH[mark] <= _STRENGTH[last]:
            return
        # "?!" is "?"; the stop of an abbreviation yields to a stronger mark.
        scan.found.pop()
        if before.kind != "mark":
            scan.found.append(before._replace(spoken=before.spoken[:-1]))
    scan.add(position, position + 1, "mark", mark)
