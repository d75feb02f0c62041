"""From a text, plain or SSML, to the lines that are spoken: tokens, their prosody, and the silence before each line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from processors.prosody import NEUTRAL, Prosody
from processors.sentences import sentence_spans, split_sentences
from processors.ssml import Boundary, Pause, Span, is_ssml, parse_ssml
from processors.text.frontend import TextError, TextFrontEnd
from processors.text.tokens import NO_SOUND, PUNCTUATION, WORD_BOUNDARY
from utils.config.schema import InferenceConfig

_MARKS = frozenset(PUNCTUATION)
_SPEAKABLE = re.compile(r"[^\W_]")
_HEAD = 4096  # characters within which an SSML document must show what it is


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
    """Turns texts into lines for one voice."""

    def __init__(self, frontend: TextFrontEnd, tokens: list[str], mean_f0: float, arpabet: bool) -> None:
        """`tokens` is the voice's own table, `mean_f0` its mean pitch in Hz, `arpabet` says what its phones are."""
        self.frontend, self.mean_f0, self.arpabet = frontend, mean_f0, arpabet
        self.ids = {token: index for index, token in enumerate(tokens)}
        # Hears of each word that is left out because the voice cannot read it, while lines are made.
        self.on_left_out: Callable[[str], None] | None = None
        self._no_sound = {self.ids[token] for token in NO_SOUND if token in self.ids}

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
        text, ssml = _examined(text)
        items = self._ssml(text, settings) if ssml else self._plain(text, settings)
        spoken, refused = False, None
        usual, explicit = 0.0, None
        for item in items:
            if isinstance(item, _Gap):
                if item.explicit:
                    explicit = (explicit or 0.0) + item.seconds
                else:
                    usual = max(usual, item.seconds)
            elif isinstance(item, Line):
                between = usual if explicit is None else explicit
                yield replace(item, silence=between if spoken else settings.leading_silence + (explicit or 0.0))
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
        if trailing > 0:
            yield Line("", (), (), trailing)

    def _plain(self, text: str | Iterable[str], settings: InferenceConfig) -> Iterator[_Item]:
        limit = settings.max_sentence_chars
        for sentence in split_sentences(text, limit):
            # A part that was cut from an overlong sentence goes on; anything else without a mark ends.
            goes_on = len(sentence.text) > limit // 2 and not sentence.ends_paragraph
            yield self._line([(sentence.text, NEUTRAL)], "," if goes_on else ".")
            yield _Gap(settings.paragraph_silence if sentence.ends_paragraph else settings.sentence_silence, False)

    def _ssml(self, markup: str, settings: InferenceConfig) -> Iterator[_Item]:
        spans: list[Span] = []
        for item in [*parse_ssml(markup, self.mean_f0, self.arpabet), Boundary(paragraph=False)]:
            if isinstance(item, Span):
                spans.append(item)
                continue
            pause = isinstance(item, Pause)
            yield from self._stretch(spans, settings, "," if pause else ".")
            spans = []
            if pause:
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
        bounds = sentence_spans(text, settings.max_sentence_chars)
        for number, (start, end) in enumerate(bounds, 1):
            yield self._line(_pieces(text[start:end], manners[start:end]), mark if number == len(bounds) else ".")
            if number < len(bounds):
                yield _Gap(settings.sentence_silence, False)

    def _line(self, pieces: list[tuple[str, Prosody]], mark: str) -> Line | TextError:
        """A line of pieces of text, each with its own prosody, or the reason why it cannot be spoken."""
        text = "".join(piece for piece, _ in pieces)
        self._tell_left_out(text)
        start, end = self.frontend.start, self.frontend.end
        tokens: list[str] = []
        prosody: list[Prosody] = []
        for piece, manner in pieces:
            try:
                phones = self.frontend.phonemise(piece)
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

    def line_of(self, text: str, tokens: Sequence[str]) -> Line:
        """A line of given tokens, start and end included; TextError for one that the voice does not know."""
        self._tell_left_out(text)
        return Line(text, self.encode(tokens), (NEUTRAL,) * len(tokens), 0.0)

    def _tell_left_out(self, text: str) -> None:
        if self.on_left_out is not None:
            for word in self.frontend.left_out(text):
                self.on_left_out(word)

    def encode(self, tokens: Iterable[str]) -> tuple[int, ...]:
        """Ids of tokens; TextError for one that the voice does not know."""
        try:
            return tuple(self.ids[token] for token in tokens)
        except KeyError as error:
            raise TextError(f"this voice has no token {error}: it was trained with another text front-end") from None

    def count_phones(self, ids: Iterable[int]) -> int:
        """How many of these tokens are sounds, not marks of prosody, stress or length."""
        return sum(1 for token in ids if token not in self._no_sound)


def _examined(text: str | Iterable[str]) -> tuple[str | Iterable[str], bool]:
    """The text, and whether it is SSML, which is read as a whole: its end may change what its start means."""
    if isinstance(text, str):
        return text, is_ssml(text)
    pieces = iter(text)
    head = ""
    for piece in pieces:
        head += piece
        start = head.lstrip("\ufeff \t\r\n")
        if (start and not start.startswith("<")) or len(head) > _HEAD:
            break
    return (head + "".join(pieces), True) if is_ssml(head) else (_chained(head, pieces), False)


def _chained(head: str, rest: Iterator[str]) -> Iterator[str]:
    yield head
    yield from rest


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
