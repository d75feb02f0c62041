"""What every voice does with a text, whether a network of torch or an exported graph makes its samples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from typing_extensions import Unpack

from config.schema import InferenceConfig
from processors.audio.finish import FADE_SECONDS, fade_edges, gain_of, pause_like
from processors.controls import Controls, controlled
from processors.script import Line, Scriptwriter
from processors.text.characters import TextError
from processors.timestamps import Timeline

Key = TypeVar("Key")


@dataclass(frozen=True)
class Spoken(Generic[Key]):
    """One line's speech."""

    key: Key
    line: Line
    wave: np.ndarray  # (N,) float32, without the silence in front
    seconds_spent: float  # its share of the time that its batch took
    durations: np.ndarray  # (T_text,) frames of each token


class Speaker(ABC):
    """Text in, waveform out; a voice adds `speak_lines` and `pieces`."""

    sample_rate: int
    hop_size: int  # samples of a frame
    settings: InferenceConfig  # for what a caller leaves open
    script: Scriptwriter
    at_once = 1  # threads that may use it

    @abstractmethod
    def speak_lines(self, lines: Iterable[tuple[Key, Line]], settings: InferenceConfig) -> Iterator[Spoken[Key]]:
        """Speak lines, each with whatever key it has, in order."""

    @abstractmethod
    def pieces(self, line: Line, settings: InferenceConfig) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Pieces (n,) of a line's waveform, without soft ends, and each time the frames of its tokens (T_text,)."""

    def comes_in_pieces(self, line: Line, settings: InferenceConfig) -> bool:
        """Whether a line can be made piece by piece: not where its whole must be known."""
        return settings.target_level_db is None and all(p.gain_db <= 0 for p in line.prosody)

    def tts(self, text: str, **controls: Unpack[Controls]) -> tuple[np.ndarray, int]:
        """Speak a text of any length: a waveform (N,) float32 in [-1, 1], and its sample rate in Hz.

        Text that starts with `<speak` is SSML. Controls (default: the config's values): speaker ("anna", or a mixture
        "anna:0.6+ben:0.4"), language, speed (2.0 is twice as fast), pitch (semitones), energy (vocal effort in dB),
        temperature and seed (of a prosody that varies), leading_silence, trailing_silence, sentence_silence,
        paragraph_silence (seconds), target_level_db (level of the active speech of each sentence in dBFS, or None).

        :raises TextError: there is nothing to speak, or phones in braces are wrong.
        :raises UserError: a control is out of range, SSML is malformed, memory ran out.
        """
        return self.tts_batch([text], **controls)[0], self.sample_rate

    def tts_batch(self, texts: Sequence[str], **controls: Unpack[Controls]) -> list[np.ndarray]:
        """Speak several texts at once: a waveform (N,) float32 each, the same as one at a time, but faster on a GPU."""
        settings = controlled(self.settings, controls)
        lines = [(i, line) for i, text in enumerate(texts) for line in self.script.lines(text, settings)]
        parts: list[list[np.ndarray]] = [[] for _ in texts]
        for key, wave in self.with_silences(self.speak_lines(lines, settings)):
            parts[key].append(wave)
        return [np.concatenate(part) for part in parts]

    def narrate(
        self,
        text: str | Iterable[str],
        on_refused: Callable[[TextError], None] | None = None,
        timeline: Timeline | None = None,
        **controls: Unpack[Controls],
    ) -> Iterator[np.ndarray]:
        """Speak a text of any length sentence by sentence: waveforms (N,) float32, silences included.

        `text` may be an iterable of pieces, such as an open file: memory does not grow with its length. Sentences with
        wrong phones in braces are left out if `on_refused` is given to hear of them. For speed, several sentences are
        made at once; for the first sound as soon as possible, use `stream`. `timeline` learns when each word is heard.
        """
        settings = controlled(self.settings, controls)
        lines = ((None, line) for line in self.script.lines(text, settings, on_refused))
        yield from (wave for _, wave in self.with_silences(self.speak_lines(lines, settings), timeline))

    def timeline(self) -> Timeline:
        """An empty one, for `narrate`."""
        return Timeline(self.sample_rate, self.hop_size)

    def timed(self, text: str, **controls: Unpack[Controls]) -> tuple[np.ndarray, Timeline]:
        """The waveform of `tts`, and when each word and phone is heard in it."""
        timeline = self.timeline()
        return np.concatenate(list(self.narrate(text, timeline=timeline, **controls))), timeline

    def stream(
        self, text: str | Iterable[str], timeline: Timeline | None = None, **controls: Unpack[Controls]
    ) -> Iterator[np.ndarray]:
        """Speak a text while it is being made: pieces (n,) float32 whose concatenation is the waveform of `tts`.

        The first piece is short, so that it comes soon. With target_level_db, SSML that raises the volume, or a pitch
        beyond the voice's own range, a sentence comes as one piece. `timeline` learns of a sentence before its first
        piece comes, so that its words end with their frames, not where the sound before a pause fades.
        """
        settings = controlled(self.settings, controls)
        head = np.zeros(0, dtype=np.float32)
        for line in self.script.lines(text, settings):
            if not line.ids:
                yield pause_like(head, line.silence, self.sample_rate)
                continue
            for start, wave, durations in self._in_pieces(line, settings):
                if start == 0:
                    head = wave
                    pause = pause_like(head, line.silence, self.sample_rate)
                    if timeline is not None:
                        self._note(timeline, line, durations, len(pause))
                    if len(pause):
                        yield pause
                yield wave

    def _note(
        self, timeline: Timeline, line: Line, durations: np.ndarray, silence: int, wave: np.ndarray | None = None
    ) -> None:
        timeline.add(line, self.script.tokens_of(line), self.script.frontend_of(line), durations, silence, wave)

    def _in_pieces(self, line: Line, settings: InferenceConfig) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Pieces (n,) of a line's finished waveform, the sample at which each begins, and the frames of its tokens."""
        if not self.comes_in_pieces(line, settings):
            for spoken in self.speak_lines([(None, line)], settings):
                yield 0, checked(spoken.wave), spoken.durations
            return
        start, ramp = 0, round(FADE_SECONDS * self.sample_rate)
        for piece, durations in self.pieces(line, settings):
            samples = durations * self.hop_size
            gain = gain_of(line.prosody, samples, self.sample_rate)
            wave = fade_edges(checked(piece), start, int(samples.sum()), ramp)
            yield start, wave if gain is None else wave * gain[start : start + len(wave)], durations
            start += len(wave)

    def with_silences(
        self, lines: Iterable[Spoken[Key]], timeline: Timeline | None = None
    ) -> Iterator[tuple[Key, np.ndarray]]:
        """Key and waveform (N,) of each line, behind the silence in front of it.

        The silence at a text's end, which is a line without tokens, sounds as the one before its last sentence.
        """
        heard = np.zeros(0, dtype=np.float32)
        for spoken in lines:
            wave = checked(spoken.wave)
            heard = wave if spoken.line.ids else heard
            pause = pause_like(heard, spoken.line.silence, self.sample_rate)
            if timeline is not None:
                self._note(timeline, spoken.line, spoken.durations, len(pause), wave)
            yield spoken.key, np.concatenate([pause, wave])


def checked(wave: np.ndarray) -> np.ndarray:
    """The wave; TextError, so that of a list the others are spoken, if it holds anything but finite numbers."""
    if not np.isfinite(wave).all():
        raise TextError("the voice gave samples that are no numbers; use another checkpoint, or precision fp32")
    return wave
