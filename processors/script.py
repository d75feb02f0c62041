"""From a text, plain or SSML, to the lines that are spoken: tokens, their prosody, and the silence before each line.

Needs no torch: voices of any model speak lines, and so does the runner of exported ones.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby

from config.schema import InferenceConfig
from processors.cast import Cast
from processors.text.frontend import Explained, TextError, TextFrontEnd
from processors.text.prosody import NEUTRAL, Prosody
from processors.text.sentences import sentence_spans, split_sentences
from processors.text.ssml import Boundary, Pause, Span, begins_ssml, is_ssml, parse_ssml
from processors.text.tokens import NO_SOUND, PUNCTUATION, RARE, WORD_BOUNDARY

_MARKS = frozenset(PUNCTUATION)
_SPEAKABLE = re.compile(r"[^\W_]")
_HEAD = 1 << 16  # characters within which an SSML document must show what it is
# A sentence of 250 signs with long names can be minutes of speech: a line has this many tokens for each character that
# a sentence may have.
_TOKENS_PER_CHARACTER = 6
# A text may ask for this many seconds of silence, and for some more with every token that it speaks.
_SILENCE, _SILENCE_PER_TOKEN = 600.0, 0.2


@dataclass(frozen=True)
class Line:
    """What is synthesised at once, and the silence in front of it; without tokens it is that silence alone."""

    text: str
    ids: tuple[int, ...]
    prosody: tuple[Prosody, ...]  # of each token
    silence: float  # seconds


@dataclass(frozen=True)
class _Gap:
    """Silence between two lines; explicit ones add up and stand in place of the usual ones."""

    seconds: float
    explicit: bool


_Item = Line | _Gap | TextError


class BraceError(TextError):
    """Phones in braces that cannot be read; the message quotes the sentence."""


class Scriptwriter:
    """Turns texts into lines for one voice; threads may use it at once."""

    def __init__(
        self, frontend: TextFrontEnd, tokens: list[str], mean_f0: float, arpabet: bool, cast: Cast | None = None,
        frontends: Callable[[str], TextFrontEnd] | None = None,
    ) -> None:  # fmt: skip
        """`tokens` is the voice's own table, `mean_f0` its mean pitch in Hz, `arpabet` says what its phones are.

        `frontends` gives the front-ends of the cast's languages, where there is more than one.
        """
        self.frontend, self.mean_f0, self.arpabet = frontend, mean_f0, arpabet
        self.cast, self.frontends = cast or Cast(), frontends or (lambda language: frontend)
        self.speaker_f0: dict[str, float] = {}  # mean pitch in Hz of those whose own is known
        self._tokens = tokens
        self.ids = {token: index for index, token in enumerate(tokens)}
        # Hears of each word that is left out because the voice cannot read it, while lines are made.
        self.on_left_out: Callable[[str], None] | None = None
        # Hears of what has no effect in a document, in a sentence.
        self.on_note: Callable[[str], None] = logging.getLogger(__name__).warning
        self._no_sound = {self.ids[token] for token in NO_SOUND if token in self.ids}
        self._within: dict[str, str] = {}  # what is spoken for marks that the voice does not know, within a line ...
        self._at_end: dict[str, str] = {}  # ... and at its end

    def hear(self, counts: Mapping[str, int] | None) -> None:
        """Speak marks that the voice, by its `counts`, has hardly heard as commas, or full stops at a line's end."""
        unheard = {mark for mark in PUNCTUATION if counts is not None and counts.get(mark, 0) < RARE}
        self._within = dict.fromkeys(unheard, ",") if "," not in unheard else {}
        self._at_end = dict.fromkeys(unheard, ".") if "." not in unheard else {}

    def lines(
        self,
        text: str | Iterable[str],
        settings: InferenceConfig,
        on_refused: Callable[[TextError], None] | None = None,
    ) -> Iterator[Line]:
        """Lines of a text of any length; of an iterable of pieces no more than a few sentences are in memory.

        A text whose first element is `<speak>` is SSML. Sentences without anything to speak are left out; so are, if
        `on_refused` is given to hear of them, those whose phones in braces are wrong.

        :raises TextError: nothing at all can be spoken, or phones in braces are wrong.
        :raises SsmlError: malformed markup.
        """
        text, markup = _examined(text)
        manner = self.cast.manner(settings.speaker, settings.language)
        items = self._plain(text, settings, manner) if markup is None else self._ssml(markup, settings, manner)
        spoken, refused = False, None
        usual, explicit = 0.0, None
        allowed = _SILENCE
        for item in items:
            if isinstance(item, _Gap):
                if item.explicit:
                    explicit = (explicit or 0.0) + item.seconds
                else:
                    usual = max(usual, item.seconds)
            elif isinstance(item, Line):
                between = usual if explicit is None else explicit
                silence = between if spoken else settings.leading_silence + (explicit or 0.0)
                allowed = _checked_silence(allowed, silence) + _SILENCE_PER_TOKEN * len(item.ids)
                yield replace(item, silence=silence)
                spoken, usual, explicit = True, 0.0, None
            else:
                refused = refused or item
                if isinstance(item, BraceError):
                    if on_refused is None:
                        raise item
                    on_refused(item)
        if not spoken:
            raise refused or TextError("the text is empty")
        trailing = settings.trailing_silence + (explicit or 0.0)
        _checked_silence(allowed, trailing)
        if trailing > 0:
            yield Line("", (), (), trailing)

    def _plain(self, text: str | Iterable[str], settings: InferenceConfig, manner: Prosody) -> Iterator[_Item]:
        limit = settings.max_sentence_chars
        for sentence in split_sentences(text, limit, self.frontends(manner.language).language):
            # A part that was cut from an overlong sentence goes on; anything else without a mark ends.
            goes_on = len(sentence.text) > limit // 2 and not sentence.ends_paragraph
            yield from self._cut([(sentence.text, manner)], "," if goes_on else ".", limit)
            yield _Gap(settings.paragraph_silence if sentence.ends_paragraph else settings.sentence_silence, False)

    def _ssml(self, markup: str, settings: InferenceConfig, manner: Prosody) -> Iterator[_Item]:
        spans: list[Span] = []
        mean_f0 = self.speaker_f0.get(manner.speaker, self.mean_f0)
        asked = (settings.speaker is not None, settings.language is not None)
        items = parse_ssml(markup, mean_f0, self.arpabet, self.on_note, self.cast, manner, asked)
        for item in [*items, Boundary(paragraph=False)]:
            if isinstance(item, Span):
                spans.append(item)
                continue
            yield from self._stretch(spans, settings, "," if isinstance(item, Pause) else ".")
            spans = []
            if isinstance(item, Pause):
                yield _Gap(item.seconds, True)
            else:
                yield _Gap(settings.paragraph_silence if item.paragraph else settings.sentence_silence, False)

    def _stretch(self, spans: list[Span], settings: InferenceConfig, mark: str) -> Iterator[_Item]:
        """Sentences of a stretch of text whose prosody may change anywhere in it."""
        text, manners = "", []
        for span in spans:
            piece = re.sub(r"\s+", " ", span.text)
            piece = piece.lstrip() if not text or text.endswith(" ") else piece
            text += piece
            manners += [span.prosody] * len(piece)
        limit = settings.max_sentence_chars
        bounds = sentence_spans(text, limit, lambda at: self.frontends(manners[at].language).language)
        for number, (start, end) in enumerate(bounds, 1):
            pieces = _pieces(text[start:end], manners[start:end])
            yield from self._cut(pieces, mark if number == len(bounds) else ".", limit)
            if number < len(bounds):
                yield _Gap(settings.sentence_silence, False)

    def _cut(self, pieces: list[tuple[str, Prosody]], mark: str, limit: int) -> Iterator[Line | TextError]:
        """The line of a sentence in pieces, or, if that gets too long, the lines of its halves."""
        line = self._line(pieces, mark)
        halves = None
        if isinstance(line, Line) and len(line.ids) > _TOKENS_PER_CHARACTER * limit:
            halves = _halves(pieces)
        if halves is None:
            yield line
        else:
            yield from self._cut(halves[0], ",", limit)
            yield from self._cut(halves[1], mark, limit)

    def _line(self, pieces: list[tuple[str, Prosody]], mark: str) -> Line | TextError:
        """A line of pieces of text, each with its own prosody, or the reason why it cannot be spoken."""
        text = "".join(piece for piece, _ in pieces)
        start, end = self.frontend.start, self.frontend.end
        tokens: list[str] = []
        prosody: list[Prosody] = []
        for piece, manner in pieces:
            frontend = self.frontends(manner.language)
            self._tell_left_out(piece, frontend)
            try:
                phones = frontend.phonemise(piece)
            except TextError as error:
                return BraceError(f"{error} (in {text[:80]!r})") if "{" in text or "}" in text else error
            # The start and end tokens stand once, around the whole line.
            phones = phones[len(start) : len(phones) - len(end)]
            if tokens and WORD_BOUNDARY in self.ids and phones[0] not in _MARKS:
                phones = [WORD_BOUNDARY, *phones]
            tokens += phones
            prosody += [manner] * len(phones)
        if tokens[-1] not in _MARKS and end:
            # A voice has rarely heard a sentence without a mark at its end. (One from ESPnet is left as ESPnet has it.)
            tokens.append(mark)
            prosody.append(prosody[-1])
        prosody = [*prosody[:1] * len(start), *prosody, *prosody[-1:] * len(end)]
        return Line(text, self.encode([*start, *tokens, *end]), tuple(prosody), 0.0)

    def line_of(self, text: str, tokens: Sequence[str], manner: Prosody = NEUTRAL) -> Line:
        """A line of given tokens, start and end included; TextError for one that the voice does not know."""
        if self.on_left_out is not None:
            self._tell_left_out(text, self.frontends(manner.language))
        return Line(text, self.encode(tokens), (manner,) * len(tokens), 0.0)

    def _tell_left_out(self, text: str, frontend: TextFrontEnd) -> None:
        if self.on_left_out is not None:
            for word in frontend.left_out(text):
                self.on_left_out(word)

    def encode(self, tokens: Iterable[str]) -> tuple[int, ...]:
        """Ids of tokens, marks as the voice knows them; TextError for a token that it does not know."""
        tokens = list(tokens)
        last = len(tokens) - len(self.frontend.end) - 1
        try:
            spoken = [(self._at_end if i == last else self._within).get(token, token) for i, token in enumerate(tokens)]
            return tuple(self.ids[token] for token in spoken)
        except KeyError as error:
            raise TextError(f"this voice has no token {error}: it was trained with another text front-end") from None

    def tokens_of(self, line: Line) -> list[str]:
        """The tokens of a line, as the voice has them."""
        return [self._tokens[token] for token in line.ids]

    def frontend_of(self, line: Line) -> TextFrontEnd:
        """The front-end that has read a line, or its beginning."""
        return self.frontends(line.prosody[0].language) if line.ids else self.frontend

    def count_phones(self, ids: Iterable[int]) -> int:
        """How many of these tokens are sounds, not marks of prosody, stress or length."""
        return sum(1 for token in ids if token not in self._no_sound)


def explained(
    frontends: Callable[[str], TextFrontEnd], text: str | Iterable[str], cast: Cast | None = None,
    manner: Prosody = NEUTRAL,
) -> Iterator[Explained]:  # fmt: skip
    """What every piece of a text, plain or SSML, was taken for, and what is said for it. TextError, SsmlError.

    Front-ends are by language; a text without markup is in that of the `manner`.
    """
    text, markup = _examined(text)
    texts: list[tuple[str, str | Iterable[str]]] = [(manner.language, text)]
    if markup is not None:
        items = parse_ssml(markup, cast=cast, manner=manner)
        stretches = groupby(items, lambda item: item.prosody.language if isinstance(item, Span) else None)
        texts = [
            (language, "".join(item.text for item in spans if isinstance(item, Span)))
            for language, spans in stretches
            if language is not None
        ]
    for language, stretch in texts:
        frontend = frontends(language)
        for sentence in split_sentences(stretch, language=frontend.language):
            yield from frontend.explain(sentence.text)


def _examined(text: str | Iterable[str]) -> tuple[str | Iterable[str], str | None]:
    """The text, and the whole of it if it is SSML, as its end may change what its start means."""
    if isinstance(text, str):
        return text, text if is_ssml(text) else None
    if isinstance(text, (bytes, bytearray)) or not isinstance(text, Iterable):
        raise TypeError(f"a text is a str, or an iterable of pieces of one, not {type(text).__name__}")
    pieces = map(_piece, text)
    head, next_look = "", 0
    ssml: bool | None = None
    for piece in pieces:
        head += piece
        # A head that grows by single signs is looked at more and more seldom.
        if len(head) >= next_look:
            ssml, next_look = begins_ssml(head), 2 * len(head)
        if ssml is not None or len(head) > _HEAD:
            break
    return chain((head,), pieces), head + "".join(pieces) if ssml or is_ssml(head) else None


def _piece(piece: object) -> str:
    if not isinstance(piece, str):
        raise TypeError(f"the pieces of a text are str, not {type(piece).__name__}")
    return piece


def _pieces(text: str, manners: list[Prosody]) -> list[tuple[str, Prosody]]:
    """Runs of one prosody; those without a letter or digit join a neighbour, as nobody can speak a comma alone."""
    runs: list[tuple[str, Prosody]] = []
    for character, manner in zip(text, manners):
        if runs and runs[-1][1] == manner:
            runs[-1] = (runs[-1][0] + character, manner)
        else:
            runs.append((character, manner))
    joined: list[tuple[str, Prosody]] = []
    before = ""
    for run, manner in runs:
        if _SPEAKABLE.search(run):
            joined.append((before + run, manner))
            before = ""
        elif joined:
            joined[-1] = (joined[-1][0] + run, joined[-1][1])
        else:
            before += run
    return joined or [(before, manners[0])]


def _halves(pieces: list[tuple[str, Prosody]]) -> tuple[list[tuple[str, Prosody]], list[tuple[str, Prosody]]] | None:
    """Pieces of text cut at the space nearest to the middle, or between signs; None where only one, or phones, are."""
    text = "".join(piece for piece, _ in pieces)
    inside, places = 0, []
    for place, character in enumerate(text):
        if not inside and 0 < place:
            places.append((character != " ", abs(2 * place - len(text)), place))
        inside += (character == "{") - (character == "}")
    if not places:
        return None
    middle = min(places)[2]
    first: list[tuple[str, Prosody]] = []
    second: list[tuple[str, Prosody]] = []
    start = 0
    for piece, manner in pieces:
        cut = min(max(middle - start, 0), len(piece))
        first += [(piece[:cut], manner)] if piece[:cut].strip() else []
        second += [(piece[cut:], manner)] if piece[cut:].strip() else []
        start += len(piece)
    return (first, second) if first and second else None


def _checked_silence(allowed: float, seconds: float) -> float:
    """What is left of the silence that a text may ask for; TextError if it asks for more."""
    if seconds > allowed:
        raise TextError(
            f"the pauses of this text add up to more than {_SILENCE:g} s and {_SILENCE_PER_TOKEN:g} s for each sound: "
            "shorten its <break>s, or sentence_silence and paragraph_silence"
        )
    return allowed - seconds
