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
from processors.text.arpabet import complete_stress
from processors.text.ipa import ipa_to_arpabet
from processors.text.prosody import NEUTRAL, Prosody, adjusted
from processors.text.speak_as import KINDS, speak_as
from processors.text.text_error import TextError

MAX_BREAK_SECONDS = 60.0
BREAK_STRENGTHS = {"none": 0.0, "x-weak": 0.1, "weak": 0.2, "medium": 0.4, "strong": 0.8, "x-strong": 1.2}
_LEVELS = {"strong": "+4dB", "moderate": "+2dB", "none": "+0dB", "reduced": "-3dB"}  # of emphasis
# Elements of SSML, and their attributes; any may have those with a prefix besides, such as xml:lang.
_ATTRIBUTES = {
    name: attributes.split()
    for name, attributes in {
        "speak": "version xmlns onlangfailure startmark endmark", "p": "", "s": "", "token": "role", "w": "role",
        "break": "time strength", "emphasis": "level", "mark": "name",
        "prosody": "rate pitch volume contour range duration", "phoneme": "alphabet ph type", "sub": "alias",
        "say-as": "interpret-as format detail language", "lexicon": "uri type fetchtimeout maxage maxstale",
        "lookup": "ref", "lang": "onlangfailure", "meta": "name content http-equiv", "metadata": "", "desc": "",
        "voice": "name gender age variant language languages required ordering onvoicefailure effect",
        "audio": "src fetchtimeout fetchhint maxage maxstale clipBegin clipEnd repeatCount repeatDur soundLevel speed",
    }.items()
}  # fmt: skip
# What these say is told to programs and readers, not to listeners.
_SILENT = ("metadata", "desc")
# Besides all that are not in the table: elements, and attributes of prosody, that are read through with a note.
_WITHOUT_EFFECT = ("audio", "lang", "lexicon", "lookup", "voice", "contour", "range", "duration")
_NOTED = 8  # so many names at most
_EMPTY = ("break", "mark")
_REQUIRED = {"phoneme": "ph", "sub": "alias", "say-as": "interpret-as"}
_TEXT_ONLY = ("phoneme", "sub", "say-as")
_ARPABET_NAMES = ("arpabet", "x-arpabet", "cmu", "x-cmu", "x-cmu-arpabet")
# A sentence is never cut within braces, so that a word of many phones gets several pairs.
_PHONES_IN_BRACES = 32
_BLANKS = "\ufeff \t\r\n"
_OPENINGS = ("<speak>", "<ssml:speak>", "<!doctype>", "<?xml ", "<!--")
_MARKUP = re.compile(r"<(?:ssml:)?speak[\s>/]|<!(?i:DOCTYPE)\b|<\?xml\s")
# What may stand before the first element, a piece at a time; of document types only those that declare nothing in [ ].
_PROLOG = re.compile(
    r"[\s\ufeff]+|<\?.*?\?>|<!--.*?-->|(?P<doctype><!(?i:DOCTYPE)\b(?:[^<>\[\"']|\"[^\"]*\"|'[^']*')*>)", re.DOTALL
)


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
        self.open: Counter[str] = Counter()  # how many elements of each name are open
        self.silent = 0  # how many elements are open whose contents nobody hears
        self.noted: dict[str, None] = {}
        self.parser = parser = expat.ParserCreate("utf-8")
        parser.buffer_text = True
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.CharacterDataHandler = self.characters
        parser.StartDoctypeDeclHandler = self.doctype

    def read(self, markup: str) -> list[Span | Pause | Boundary]:
        """Everything in the document, in order."""
        # The text has been decoded already: whatever encoding an XML declaration names no longer holds.
        document = markup.lstrip(_BLANKS)
        skipped = markup[: len(markup) - len(document)]
        self.first_line = skipped.count("\n")
        self.first_column = len(skipped) - skipped.rfind("\n") - 1
        try:
            self.parser.Parse(_without_doctype(document).encode("utf-8", errors="replace"), True)
        except expat.ExpatError as error:
            raise self.error(_sentence(error, self.stack), error.lineno, error.offset) from None
        return self.items

    def error(self, message: str, line: int | None = None, column: int | None = None) -> SsmlError:
        """An error at a position that expat counts: lines from 1, columns from 0."""
        line = self.parser.CurrentLineNumber if line is None else line
        column = self.parser.CurrentColumnNumber if column is None else column
        column += self.first_column if line == 1 else 0
        return SsmlError(f"SSML, line {line + self.first_line}, column {column + 1}: {message}")

    def doctype(self, *_: object) -> None:
        """Refuse document types that declare something: entities can grow without bounds."""
        raise self.error("a document type with declarations (<!DOCTYPE ... [...]>) is not allowed; remove it")

    def note(self, what: str) -> None:
        """Keep what has no effect, as far as it will be told."""
        if len(self.noted) <= _NOTED and not self.silent:
            self.noted[what[:80]] = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Open an element."""
        name = name.removeprefix("ssml:")
        self.check_place(name)
        if name in _ATTRIBUTES:
            self.check_attributes(name, attributes)
        before = self.stack[-1].prosody if self.stack else self.manner
        outer = self.casting.open(name, attributes, before)
        if name not in _ATTRIBUTES or (name in _WITHOUT_EFFECT and not self.casting.understood):
            self.note(f"<{name}>{self.casting.hint}")
        if self.stack and outer.speaker != before.speaker and not self.silent:
            self.items.append(Boundary(paragraph=False))
        try:
            if name == "prosody":
                for attribute in [key for key in attributes if key in _WITHOUT_EFFECT]:
                    self.note(f"{attribute} of <prosody>")
                outer = adjusted(outer, attributes, self.mean_f0)
            elif name == "emphasis":
                level = attributes.get("level", "moderate").strip()
                if level not in _LEVELS:
                    raise ValueError(f"level '{level[:40]}' is not known; known: {', '.join(_LEVELS)}")
                outer = adjusted(outer, {"volume": _LEVELS[level]}, self.mean_f0)
        except ValueError as error:
            raise self.error(str(error)) from None
        if name in ("p", "s") and not self.silent:
            self.items.append(Boundary(paragraph=name == "p"))
        line, column = self.parser.CurrentLineNumber, self.parser.CurrentColumnNumber
        self.stack.append(_Element(name, attributes, outer, line, column))
        self.open[name] += 1
        self.silent += name in _SILENT

    def check_place(self, name: str) -> None:
        """Raise if an element may not stand where it does."""
        if not self.stack:
            if name != "speak":
                raise self.error(f"the first element must be <speak>, not <{name}>")
            return
        around = self.stack[-1].name
        if name == "speak" and around in _ATTRIBUTES:  # other vocabularies put documents into documents
            raise self.error("<speak> may stand only at the start")
        if around in _EMPTY:
            raise self.error(f"<{around}> must be empty: write <{around}/>")
        if around in _TEXT_ONLY:
            raise self.error(f"<{around}> may hold text only, not <{name}>")
        if name in ("p", "s") and self.open["s"]:
            raise self.error(f"<{name}> may not stand inside <s>")
        if name == "p" and self.open["p"]:
            raise self.error("<p> may not stand inside <p>")

    def check_attributes(self, name: str, attributes: dict[str, str]) -> None:
        """Raise if an element has an attribute that is not known, or lacks one that it needs."""
        allowed = _ATTRIBUTES[name]
        for attribute in attributes:
            if attribute not in allowed and ":" not in attribute:
                raise self.error(
                    f"<{name}> has no attribute '{attribute}'; it has: {', '.join([*allowed, 'xml:lang'])}"
                )
        required = _REQUIRED.get(name)
        if required and not attributes.get(required, "").strip():
            raise self.error(f"<{name}> needs the attribute '{required}'")

    def characters(self, text: str) -> None:
        """Text between tags."""
        element = self.stack[-1]
        if element.name in _TEXT_ONLY:
            element.text.append(text)
        elif element.name in _EMPTY:
            if text.strip():
                raise self.error(f"<{element.name}> must be empty: write <{element.name}/>")
        elif not self.silent:
            self.items.append(Span(text, element.prosody))

    def end(self, name: str) -> None:
        """Close an element."""
        element = self.stack.pop()
        name = element.name
        self.open[name] -= 1
        self.silent -= name in _SILENT
        self.casting.close()
        if self.stack and element.prosody.speaker != self.stack[-1].prosody.speaker and not self.silent:
            self.items.append(Boundary(paragraph=False))
        if self.silent:
            return
        try:
            if name in ("p", "s"):
                self.items.append(Boundary(paragraph=name == "p"))
            elif name == "break":
                seconds = _break_seconds(element.attributes)
                if seconds is not None:
                    self.items.append(Pause(seconds))
            elif name in _TEXT_ONLY:
                self.items.append(Span(self.replaced(element), element.prosody))
        except ValueError as error:
            raise self.error(f"<{name}>: {error}", element.line, element.column) from None

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


def _without_doctype(document: str) -> str:
    """The document with blanks in place of a document type that declares nothing; the program reads no files for it."""
    start = 0
    while piece := _PROLOG.match(document, start):
        if piece["doctype"]:
            blanks = re.sub(r"[^\n]", " ", piece[0])
            return document[:start] + blanks + document[piece.end() :]
        start = piece.end()
    return document


def _phones(ph: str, alphabet: str) -> str:
    if alphabet != "ipa" and alphabet not in _ARPABET_NAMES:
        raise ValueError(f"alphabet '{alphabet[:40]}' is not known; known: arpabet, ipa")
    try:
        words = ipa_to_arpabet(ph) if alphabet == "ipa" else [complete_stress(word.split()) for word in ph.split("|")]
    except ValueError as error:
        kind = "IPA sign" if alphabet == "ipa" else "ARPAbet phone"
        raise ValueError(f"'{error}' is no {kind} of US English") from None
    size = _PHONES_IN_BRACES
    parts = [word[start : start + size] for word in words for start in range(0, len(word), size)]
    if not parts:
        raise ValueError("ph holds no phone")
    return " ".join("{" + " ".join(part) + "}" for part in parts)


def _break_seconds(attributes: dict[str, str]) -> float | None:
    strength = attributes.get("strength", "medium").strip()
    if strength not in BREAK_STRENGTHS:
        raise ValueError(f"strength '{strength[:40]}' is not known; known: {', '.join(BREAK_STRENGTHS)}")
    if "time" not in attributes:
        return BREAK_STRENGTHS[strength] if strength != "none" else None
    match = re.fullmatch(r"\+?(\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})(ms|s)", attributes["time"].strip(), re.ASCII)
    if match is None:
        raise ValueError(f"time '{attributes['time'][:40]}' is no time such as 500ms or 1.5s")
    seconds = float(match[1]) / (1000 if match[2] == "ms" else 1)
    if seconds > MAX_BREAK_SECONDS:
        raise ValueError(f"time '{attributes['time'][:40]}' is longer than {MAX_BREAK_SECONDS:g}s")
    return seconds


def _sentence(error: expat.ExpatError, stack: list[_Element]) -> str:
    """What expat found, for people."""
    inside = stack[-1] if stack else None
    where = f"<{inside.name}> opened in line {inside.line}, column {inside.column + 1}" if inside else ""
    messages = {
        "XML_ERROR_NO_ELEMENTS": f"the text ends before {where or 'any element'} is closed",
        "XML_ERROR_TAG_MISMATCH": f"this closing tag does not match {where}",
        "XML_ERROR_UNDEFINED_ENTITY": "unknown entity; known: &amp; &lt; &gt; &quot; &apos; and &#160; by number",
        "XML_ERROR_DUPLICATE_ATTRIBUTE": "an attribute stands twice in one tag",
        "XML_ERROR_JUNK_AFTER_DOC_ELEMENT": "nothing may follow </speak>",
        "XML_ERROR_INVALID_TOKEN": "this character may not stand here; write & as &amp; and < as &lt;",
        "XML_ERROR_UNCLOSED_TOKEN": "a tag is not finished: '>' is missing",
        "XML_ERROR_BAD_CHAR_REF": "this number is no character that XML allows",
    }
    names = {getattr(expat.errors, name): message for name, message in messages.items()}
    text = expat.ErrorString(error.code)
    return names.get(text, text)
