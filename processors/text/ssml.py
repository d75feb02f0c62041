"""SSML, read into spans of text with their prosody, pauses and boundaries.

Every element of W3C SSML 1.1 may stand in a document, and so may those of other vocabularies, such as `amazon:effect`
or `mstts:express-as`: what has no effect here is read through, and one note names it. What is malformed is an error
that names line and column. A document type is passed over, one that declares anything is refused, so that no markup can
grow without bounds or read a file.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from xml.parsers import expat

from processors.cast import Cast, Casting
from processors.text.arpabet import complete_stress, in_braces
from processors.text.characters import TextError
from processors.text.ipa import ipa_to_arpabet
from processors.text.prosody import NEUTRAL, VALUES, Prosody, adjusted
from processors.text.speak_as import KINDS, speak_as
from processors.text.tables import rows

MAX_BREAK_SECONDS = 60.0
# Name of an element -> what may stand in it, its attributes; and what the parser finds -> the same for people.
_ELEMENTS = {row[1]: (row[2], row[3].split()) for row in rows("ssml.txt") if row[0] == "element"}
_ERRORS = {getattr(expat.errors, f"XML_ERROR_{row[1]}"): row[2] for row in rows("ssml.txt") if row[0] == "error"}
_NOTED = 8  # so many names at most
_ARPABET_NAMES = ("arpabet", "x-arpabet", "cmu", "x-cmu", "x-cmu-arpabet")
_BLANKS = "\ufeff \t\r\n"
_OPENINGS = ("<speak>", "<ssml:speak>", "<!doctype>", "<?xml ", "<!--")
_MARKUP = re.compile(r"<(?:ssml:)?speak[\s>/]|<!(?i:DOCTYPE)\b|<\?xml\s")
# What may stand before the first element, a piece at a time; of document types only those that declare nothing in [ ].
_PROLOG = re.compile(r"[\s\ufeff]+|<\?.*?\?>|<!--.*?-->|<!(?i:DOCTYPE)\b(?:[^<>\[\"']|\"[^\"]*\"|'[^']*')*>", re.DOTALL)


class SsmlError(TextError):
    """Markup that cannot be read; the message has line and column, both from 1."""


@dataclass(frozen=True)
class Span:
    """Text, and how it is spoken."""

    text: str
    prosody: Prosody


@dataclass(frozen=True)
class Pause:
    """Silence of so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Boundary:
    """A sentence ends here, and a paragraph if `paragraph`."""

    paragraph: bool


@dataclass
class _Element:
    name: str
    holds: str
    attributes: dict[str, str]
    prosody: Prosody
    line: int
    column: int
    text: list[str] = field(default_factory=list)  # of the elements that hold text only


def is_ssml(text: str) -> bool:
    """Whether a text is markup: its first element is `speak`, or it begins as only XML documents do."""
    return begins_ssml(text) or False


def begins_ssml(head: str) -> bool | None:
    """Whether a text that begins like this is markup; None if what follows decides."""
    start = 0
    while not _MARKUP.match(head, start):
        piece = _PROLOG.match(head, start)
        if piece is None:
            rest = head[start : start + 12].lower()
            undecided = rest.startswith(("<?", "<!--")) or any(opening.startswith(rest) for opening in _OPENINGS)
            return None if undecided else False
        start = piece.end()
    return True


def parse_ssml(
    markup: str, mean_f0: float = 200.0, arpabet: bool = True, on_note: Callable[[str], None] | None = None,
    cast: Cast | None = None, manner: Prosody = NEUTRAL, asked: tuple[bool, bool] = (False, False),
) -> list[Span | Pause | Boundary]:  # fmt: skip
    """Read a document whose root is `speak`.

    `mean_f0` is the voice's mean pitch in Hz, to which pitches in Hz refer; `arpabet` says that the text front-end
    reads phones in `{ARPAbet}` braces; `on_note` hears once of all that has no effect. Texts keep their white space.
    Elements `voice`, and xml:lang of any, choose from the `cast`; the document begins in `manner`, whose speaker and
    language somebody has `asked` for, or not.

    :raises SsmlError: malformed markup, or a value that means nothing.
    """
    reader = _Reader(mean_f0, arpabet, Casting(cast or Cast(), *asked), manner)
    items = reader.read(markup)
    if reader.noted and on_note is not None:
        more = " and more" if len(reader.noted) > _NOTED else ""
        on_note(f"SSML without effect here: {', '.join(list(reader.noted)[:_NOTED])}{more}")
    return items


class _Reader:
    def __init__(self, mean_f0: float, arpabet: bool, casting: Casting, manner: Prosody) -> None:
        self.mean_f0, self.arpabet, self.casting, self.manner = mean_f0, arpabet, casting, manner
        self.items: list[Span | Pause | Boundary] = []
        self.stack: list[_Element] = []
        self.open: Counter[str] = Counter()  # how many elements of each name, or that hold something, are open
        self.noted: dict[str, None] = {}
        self.parser = parser = expat.ParserCreate("utf-8")
        parser.buffer_text = True
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.CharacterDataHandler = self.characters
        parser.StartDoctypeDeclHandler = self.doctype
        parser.SkippedEntityHandler = self.entity

    def read(self, markup: str) -> list[Span | Pause | Boundary]:
        """Everything in the document, in order."""
        # The text has been decoded already: whatever encoding an XML declaration names no longer holds.
        document = markup.lstrip(_BLANKS)
        skipped = markup[: len(markup) - len(document)]
        self.first_line = skipped.count("\n")
        self.first_column = len(skipped) - skipped.rfind("\n") - 1
        try:
            self.parser.Parse(document.encode("utf-8", errors="replace"), True)
        except expat.ExpatError as error:
            inside = self.stack[-1] if self.stack else None
            where = (
                f"<{inside.name}> opened in line {inside.line}, column {inside.column + 1}" if inside else "any element"
            )
            found = expat.ErrorString(error.code)
            raise self.error(_ERRORS.get(found, found).replace("{where}", where), error.lineno, error.offset) from None
        return self.items

    def error(self, message: str, line: int | None = None, column: int | None = None) -> SsmlError:
        """An error at a position that expat counts: lines from 1, columns from 0."""
        line = self.parser.CurrentLineNumber if line is None else line
        column = self.parser.CurrentColumnNumber if column is None else column
        column += self.first_column if line == 1 else 0
        return SsmlError(f"SSML, line {line + self.first_line}, column {column + 1}: {message}")

    def doctype(self, name: str, system: str | None, public: str | None, declares: int) -> None:
        """Refuse document types that declare something: entities can grow without bounds."""
        if declares:
            raise self.error("a document type with declarations (<!DOCTYPE ... [...]>) is not allowed; remove it")

    def entity(self, *_: object) -> None:
        """Refuse what only the files of a document type could declare, which nobody reads."""
        raise self.error(_ERRORS[expat.errors.XML_ERROR_UNDEFINED_ENTITY])

    def note(self, what: str) -> None:
        """Keep what has no effect, as far as it will be told."""
        if len(self.noted) <= _NOTED and not self.open["unheard"]:
            self.noted[what[:80]] = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Open an element."""
        name = name.removeprefix("ssml:")
        self.check_place(name)
        holds, known = _ELEMENTS.get(name, ("ignored", list(attributes)))
        self.check_attributes(name, attributes, known)
        before = self.stack[-1].prosody if self.stack else self.manner
        prosody = self.casting.open(name, attributes, before)
        if holds == "ignored" and not self.casting.understood:
            self.note(f"<{name}>{self.casting.hint}")
        if self.stack and prosody.speaker != before.speaker and not self.open["unheard"]:
            self.items.append(Boundary(paragraph=False))
        try:
            if name == "prosody":
                prosody = adjusted(prosody, attributes, self.mean_f0)
            elif name == "emphasis":
                louder = _named("emphasis", "level", attributes.get("level", "moderate"))
                prosody = adjusted(prosody, {"volume": f"{louder:+}dB"}, self.mean_f0)
        except ValueError as error:
            raise self.error(str(error)) from None
        if name in ("p", "s") and not self.open["unheard"]:
            self.items.append(Boundary(paragraph=name == "p"))
        line, column = self.parser.CurrentLineNumber, self.parser.CurrentColumnNumber
        self.stack.append(_Element(name, holds, attributes, prosody, line, column))
        self.open.update((name, holds))

    def check_place(self, name: str) -> None:
        """Raise if an element may not stand where it does."""
        around = self.stack[-1] if self.stack else None
        outer = next((outer for outer in ("s", "p") if name in ("p", outer) and self.open[outer]), None)
        if around is None and name != "speak":
            raise self.error(f"the first element must be <speak>, not <{name}>")
        if around and around.name in _ELEMENTS and name == "speak":  # other vocabularies put documents into documents
            raise self.error("<speak> may stand only at the start")
        if around and around.holds == "nothing":
            raise self.error(f"<{around.name}> must be empty: write <{around.name}/>")
        if around and around.holds == "text":
            raise self.error(f"<{around.name}> may hold text only, not <{name}>")
        if outer:
            raise self.error(f"<{name}> may not stand inside <{outer}>")

    def check_attributes(self, name: str, attributes: dict[str, str], known: list[str]) -> None:
        """Raise if an element has an attribute that is not known, or lacks one that it needs."""
        allowed = [attribute.lstrip("!-") for attribute in known]
        for attribute in attributes:
            if attribute not in allowed and ":" not in attribute:
                names = ", ".join([*allowed, "xml:lang"])
                raise self.error(f"<{name}> has no attribute '{attribute}'; it has: {names}")
            if "-" + attribute in known:
                self.note(f"{attribute} of <{name}>")
        for attribute in known:
            if attribute[0] == "!" and not attributes.get(attribute[1:], "").strip():
                raise self.error(f"<{name}> needs the attribute '{attribute[1:]}'")

    def characters(self, text: str) -> None:
        """Text between tags."""
        element = self.stack[-1]
        if element.holds == "text":
            element.text.append(text)
        elif element.holds == "nothing":
            if text.strip():
                raise self.error(f"<{element.name}> must be empty: write <{element.name}/>")
        elif not self.open["unheard"]:
            self.items.append(Span(text, element.prosody))

    def end(self, name: str) -> None:
        """Close an element."""
        element = self.stack.pop()
        self.open.subtract((element.name, element.holds))
        self.casting.close()
        if self.open["unheard"]:
            return
        if self.stack and element.prosody.speaker != self.stack[-1].prosody.speaker:
            self.items.append(Boundary(paragraph=False))
        try:
            if element.name in ("p", "s"):
                self.items.append(Boundary(paragraph=element.name == "p"))
            elif element.name == "break":
                seconds = _break_seconds(element.attributes)
                self.items += [] if seconds is None else [Pause(seconds)]
            elif element.holds == "text":
                self.items.append(Span(self.replaced(element), element.prosody))
        except ValueError as error:
            raise self.error(f"<{element.name}>: {error}", element.line, element.column) from None

    def replaced(self, element: _Element) -> str:
        """What is read instead of the text of a phoneme, sub or say-as element."""
        attributes = element.attributes
        if element.name == "sub":
            return attributes["alias"]
        if element.name == "say-as":
            kind, text = attributes["interpret-as"].strip(), "".join(element.text)
            if kind not in KINDS:
                self.note(f"<say-as> of '{kind}'")
                return text
            return speak_as(kind, text, attributes.get("format"), attributes.get("detail"), self.arpabet)
        if not self.arpabet:
            raise ValueError("this voice's text front-end reads no phones; use <sub> with a spelling that sounds right")
        return _phones(attributes["ph"], attributes.get("alphabet", "ipa").strip().lower())


def _phones(ph: str, alphabet: str) -> str:
    if alphabet != "ipa" and alphabet not in _ARPABET_NAMES:
        raise ValueError(f"alphabet '{alphabet[:40]}' is not known; known: arpabet, ipa")
    try:
        words = ipa_to_arpabet(ph) if alphabet == "ipa" else [complete_stress(word.split()) for word in ph.split("|")]
    except ValueError as error:
        kind = "IPA sign" if alphabet == "ipa" else "ARPAbet phone"
        raise ValueError(f"'{error}' is no {kind} of US English") from None
    if not any(words):
        raise ValueError("ph holds no phone")
    return in_braces(words)


def _named(what: str, attribute: str, text: str) -> float:
    """The value of an attribute that has names for them."""
    if text.strip() not in VALUES[what]:
        raise ValueError(f"{attribute} '{text.strip()[:40]}' is not known; known: {', '.join(VALUES[what])}")
    return VALUES[what][text.strip()]


def _break_seconds(attributes: dict[str, str]) -> float | None:
    strength = attributes.get("strength", "medium")
    seconds = _named("break", "strength", strength)
    if "time" not in attributes:
        return None if strength.strip() == "none" else seconds
    match = re.fullmatch(r"\+?(\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})(ms|s)", attributes["time"].strip(), re.ASCII)
    if match is None:
        raise ValueError(f"time '{attributes['time'][:40]}' is no time such as 500ms or 1.5s")
    seconds = float(match[1]) / (1000 if match[2] == "ms" else 1)
    if seconds > MAX_BREAK_SECONDS:
        raise ValueError(f"time '{attributes['time'][:40]}' is longer than {MAX_BREAK_SECONDS:g}s")
    return seconds
