"""What the classes of written things see of a text, and what they are."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

_REMEMBERED = 60  # characters


class Reading(NamedTuple):
    """A piece of a written text, `text[start:end]`, what it was taken for, and the words (or the mark) said for it."""

    start: int
    end: int
    written: str
    kind: str
    spoken: str


class Scan:
    """A text of plain characters on its way to be spoken, from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.found: list[Reading] = []
        # The end of what was said.
        self.said = ""
        # Quotation marks that are open.
        self.singles = 0
        self.doubles = 0

    def add(self, start: int, end: int, kind: str, spoken: str) -> None:
        """Say `text[start:end]` as `spoken`."""
        self.found.append(Reading(start, end, self.text[start:end], kind, spoken))
        self.said = f"{self.said} {spoken}"[-_REMEMBERED:]

    @property
    def last(self) -> str:
        """What was written last, and nothing at the start of a text."""
        return self.found[-1].written if self.found else ""

    def closes(self, end: int) -> bool:
        """Whether a full stop before `end` also closes a sentence: nothing, or a capital, follows."""
        return _CLOSES.match(self.text, end) is not None


_CLOSES = re.compile(r"[\"')]*(?:\s*$|\s+[\"'(]*[A-Z])")


class Written(NamedTuple):
    """A class of written things: `speak` says what `pattern` matched, or None if it is something else."""

    kind: str
    pattern: re.Pattern[str]
    speak: Callable[[re.Match[str], Scan], str | None]


class Language(NamedTuple):
    """The classes of a language, in the order asked at letters, at digits and most signs, and at marks."""

    at_letters: list[Written]
    elsewhere: list[Written]
    at_marks: list[Written]
    # Words of small letters that are more than words.
    watched: frozenset[str]
    # Whether letters, digits and signs that no class knows are spoken as they stand, by whoever reads on.
    any_script: bool = False
