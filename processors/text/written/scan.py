"""What the classes of written things see of a text, and what they are."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from processors.text.written.cues import follows, said_before, words

_REMEMBERED = 60  # characters
_CLOSES = re.compile(r"[\"')]*(?:\s*$|\s+[\"'(]*[A-Z])")
STARTER = re.compile(rf"\s*[\"'(]*(?:{'|'.join(sorted(words('starters.txt')))})\b(?!(?<=\bA)\.)")


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
        self._said = ""
        # Quotation marks that are open.
        self.singles = 0
        self.doubles = 0

    def add(self, start: int, end: int, kind: str, spoken: str) -> None:
        """Say `text[start:end]` as `spoken`."""
        self.found.append(Reading(start, end, self.text[start:end], kind, spoken))
        self._said = ""

    @property
    def said(self) -> str:
        """The end of what was said, behind a blank."""
        if not self._said:
            last = " ".join([reading.spoken[-_REMEMBERED:] for reading in self.found[-12:]])
            self._said = f" {last}"[-_REMEMBERED:]
        return self._said

    @property
    def last(self) -> str:
        """What was written last, and nothing at the start of a text."""
        return self.found[-1].written if self.found else ""

    def closes(self, end: int) -> bool:
        """Whether a full stop before `end` also closes a sentence: nothing, or a capital, follows."""
        return _CLOSES.match(self.text, end) is not None

    def ends(self, end: int) -> bool:
        """The same for a stop that names may follow: nothing, or a word that begins sentences, does."""
        text = self.text
        return not text[end : end + 16].strip("\"') ") or text[end].isspace() and STARTER.match(text, end) is not None


class Written(NamedTuple):
    """A class of written things: `speak` says what `pattern` matched, or None if it is something else."""

    begins: str
    kind: str
    pattern: re.Pattern[str]
    speak: Callable[[re.Match[str], Scan], str | None]


# Places of conditions.
_TESTS: dict[str, Callable[[str, Scan, int], bool]] = {
    "before": lambda cue, scan, end: said_before(cue, scan.said),
    "after": lambda cue, scan, end: follows(cue, scan.text, end),
    "behind": lambda name, scan, end: (
        scan.last.lower() in words(f"{name}.txt") if name != "A" else scan.last[:1].isupper()
    ),
    "recent": lambda kind, scan, end: any(reading.kind == kind for reading in scan.found[-3:]),
    "last": lambda kind, scan, end: any(reading.kind == kind for reading in scan.found[-1:]),
    "open": lambda _, scan, end: scan.doubles % 2 == 1,
}
_CONDITION = re.compile(r"(!?)(before|after|behind|recent|last|open):(.+?)(?= !?[a-z]+:|$)")


class Condition(NamedTuple):
    """What must stand beside a written thing, or, `negated`, must not."""

    place: str
    name: str
    negated: bool

    def holds(self, scan: Scan, end: int) -> bool:
        """Whether it does; the thing ends at `end`."""
        found = _TESTS[self.place](self.name, scan, end)
        return found != self.negated


def conditions(when: str) -> list[Condition]:
    """ "before:a !after:many" -> conditions; "-" is none."""
    return [Condition(place, name, negated == "!") for negated, place, name in _CONDITION.findall(when)]
