"""When each written word and each phone is spoken, by the durations that the voice itself gave its tokens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple

import numpy as np

from processors.script import Line
from processors.text.frontend import TextFrontEnd
from processors.text.tokens import END, PAD, PUNCTUATION, START, WORD_BOUNDARY

FORMATS = {"srt": ".srt", "vtt": ".vtt", "json": ".json", "textgrid": ".TextGrid"}
_NO_PART = frozenset((PAD, START, END, WORD_BOUNDARY, *PUNCTUATION))
_BEFORE, _BEHIND = frozenset("ˈˌ"), frozenset("ːˑ")
_LEVEL_SECONDS, _PAUSE_SECONDS = 0.002, 0.02
_QUIET_DB = -25.0  # below what is loud in a line; more is heard as speech
_CUE = 80  # characters that are read at a glance, two lines


class Timed(NamedTuple):
    """A word as it is written, or a phone, and when it is spoken, in seconds."""

    text: str
    start: float
    end: float


class Caption(NamedTuple):
    """What is spoken at once, as it is written, its words, and the place of each word in it."""

    text: str
    words: list[Timed]
    places: list[int]


@dataclass
class Timeline:
    """What has been spoken so far; `samples` is where the next line begins."""

    sample_rate: int
    hop_size: int
    samples: int = 0
    captions: list[Caption] = field(default_factory=list)
    phones: list[Timed] = field(default_factory=list)

    @property
    def words(self) -> list[Timed]:
        """All written words that are heard, in order; "$5" is one, for as long as "five dollars" lasts."""
        return [word for caption in self.captions for word in caption.words]

    @property
    def seconds(self) -> float:
        """Length of what has been spoken."""
        return self.samples / self.sample_rate

    def add(
        self, line: Line, tokens: Sequence[str], frontend: TextFrontEnd, durations: np.ndarray, silence: int,
        wave: np.ndarray | None = None,
    ) -> None:  # fmt: skip
        """Append a line of `tokens` that last `durations` (T_text,) frames, behind `silence` samples.

        Its `wave` (N,), where there is one, tells where sounds beside pauses really begin and end.
        """
        self.samples += silence
        if line.ids:
            edges = np.concatenate([[0], np.cumsum(durations[: len(tokens)])]) * self.hop_size
            heard = edges if wave is None else heard_edges(edges, tokens, wave, self.sample_rate)
            times = [float(edge) / self.sample_rate for edge in self.samples + heard]
            words = [
                (start, Timed(line.text[start:end], times[first], times[last]))
                for start, end, first, last in word_places(line.text, tokens, frontend)
            ]
            self.captions.append(Caption(line.text, [word for _, word in words], [place for place, _ in words]))
            self.phones += [
                Timed("".join(tokens[first:last]), times[first], times[last]) for first, last in sounds(tokens)
            ]
            self.samples += int(edges[-1])

    def written(self, kind: str) -> str:
        """Contents of a file of one of the FORMATS."""
        return {"srt": self._srt, "vtt": self._vtt, "json": self._json, "textgrid": self._textgrid}[kind]()

    def _cues(self) -> list[Caption]:
        """Captions that are not too long to be read at once."""
        cues = []
        for text, words, places in self.captions:
            starts = [0]
            for i, place in enumerate(places):
                if place + len(words[i].text) - (places[starts[-1]] if starts[-1] else 0) > _CUE:
                    starts.append(i)
            for first, last in zip(starts, [*starts[1:], len(words)]):
                begin = places[first] if first else 0
                part = text[begin : places[last] if last < len(words) else len(text)]
                if first < last:
                    cues.append(Caption(part.strip(), words[first:last], [p - begin for p in places[first:last]]))
        return cues

    def _srt(self) -> str:
        return "\n".join(
            f"{number}\n{_clock(cue.words[0].start, ',')} --> {_clock(cue.words[-1].end, ',')}\n{cue.text}\n"
            for number, cue in enumerate(self._cues(), 1)
        )

    def _vtt(self) -> str:
        cues = ["WEBVTT\n"]
        for text, words, places in self._cues():
            ends = [*places[1:], len(text)]
            parts = [text[: places[1] if len(places) > 1 else None]]
            parts += [text[place:end] for place, end in zip(places[1:], ends[1:])]
            escaped = [part.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") for part in parts]
            marks = ["", *(f"<{_clock(word.start)}>" for word in words[1:])]
            body = "".join(mark + part for mark, part in zip(marks, escaped))
            cues.append(f"{_clock(words[0].start)} --> {_clock(words[-1].end)}\n{body}\n")
        return "\n".join(cues)

    def _json(self) -> str:
        tiers = {"word": self.words, "phone": self.phones}
        rows = {
            f"{name}s": [{name: text, "start": round(start, 4), "end": round(end, 4)} for text, start, end in tier]
            for name, tier in tiers.items()
        }
        return json.dumps({"seconds": round(self.seconds, 4), **rows}, ensure_ascii=False) + "\n"

    def _textgrid(self) -> str:
        lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "0", repr(self.seconds), "<exists>", "2"]
        for name, tier in (("words", self.words), ("phones", self.phones)):
            rows, last = [], 0.0
            for text, start, end in [*tier, Timed("", self.seconds, self.seconds)]:
                rows += [("", last, start)] * (start > last) + [(text, start, end)] * (end > start)
                last = max(last, end)
            lines += ['"IntervalTier"', f'"{name}"', "0", repr(self.seconds), str(len(rows))]
            for text, start, end in rows:
                lines += [repr(start), repr(end), '"' + text.replace('"', '""') + '"']
        return "\n".join(lines) + "\n"


def word_places(text: str, tokens: Sequence[str], frontend: TextFrontEnd) -> list[tuple[int, int, int, int]]:
    """Start and end of each written word in `text`, and the first of its `tokens` and the one behind its last.

    Where espeak-ng draws words together, or nothing parts the words of a voice, places are shared out by length.
    """
    parted = WORD_BOUNDARY in frontend.tokens
    groups: list[tuple[int, int]] = []
    for i, token in enumerate(tokens):
        if token in _NO_PART:
            continue
        if parted and groups and groups[-1][1] == i:
            groups[-1] = groups[-1][0], i + 1
        else:
            groups.append((i, i + 1))
    written = frontend.written(text)
    total, count, places = sum(size for _, size in written), 0, []
    for piece, size in written:
        first, count = count, count + size
        mine = groups[round(first * len(groups) / total) : round(count * len(groups) / total)]
        if mine:
            places.append((piece.start, piece.end, mine[0][0], mine[-1][1]))
    return places


def heard_edges(edges: np.ndarray, tokens: Sequence[str], wave: np.ndarray, rate: int) -> np.ndarray:
    """Samples (T_text + 1,) between which tokens are heard, from the `edges` by their durations.

    A voice gives the fading of a last sound, and the closure of a first one, to the pause beside it: there the edge is
    where the wave (N,) is no longer, or not yet, loud.
    """
    size = round(_LEVEL_SECONDS * rate)
    total = np.concatenate([[0.0], np.cumsum(np.square(wave, dtype=np.float64))])
    if len(total) <= 2 * size:
        return edges
    power = (total[size:] - total[:-size]) / size
    quiet = power <= np.percentile(power, 90) * 10 ** (_QUIET_DB / 10)
    changes = np.flatnonzero(np.diff(quiet, prepend=False, append=False)).reshape(-1, 2) + size // 2
    heard, last = edges.copy(), len(tokens)
    gaps = groupby(range(last), lambda i: tokens[i] in _NO_PART)
    for gap in (list(places) for silent, places in gaps if silent):
        first, behind = gap[0], gap[-1] + 1
        if all(tokens[i] == WORD_BOUNDARY for i in gap):
            continue
        # Not beyond the sounds next to it.
        low, high = edges[max(first - 1, 0)], edges[min(behind + 1, last)]
        runs = np.clip(changes, low, high)
        runs = runs[(runs[:, 1] > edges[first]) & (runs[:, 0] < edges[behind])]
        if len(runs):
            begin, end = runs[np.argmax(runs[:, 1] - runs[:, 0])]
            if end - begin >= _PAUSE_SECONDS * rate:
                heard[first : behind + 1] = np.clip(edges[first : behind + 1], begin, end)
                heard[first], heard[behind] = (begin if first else 0), (end if behind < last else edges[last])
    return heard


def sounds(tokens: Sequence[str]) -> list[tuple[int, int]]:
    """Where each sound stands among tokens, with the marks of its stress and length."""
    found: list[tuple[int, int]] = []
    stress = None
    for i, token in enumerate(tokens):
        if token in _NO_PART:
            stress = None
        elif token in _BEFORE:
            stress = i
        elif found and found[-1][1] == i and (token in _BEHIND or "\u0300" <= token < "\u0370"):
            found[-1] = found[-1][0], i + 1
        else:
            found.append((i if stress is None else stress, i + 1))
            stress = None
    return found


def _clock(seconds: float, point: str = ".") -> str:
    """Hours, minutes, seconds and milliseconds, as captions have them."""
    ms = round(seconds * 1000)
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}{point}{ms % 1000:03}"
