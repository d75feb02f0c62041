"""A voice for many threads: the lines that wait are spoken in one batch, which is what a GPU is fast at."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future

import numpy as np
from typing_extensions import Unpack

from config.schema import InferenceConfig
from processors.controls import Controls
from processors.script import Line
from processors.speaker import Key, Speaker, Spoken
from processors.timestamps import Timeline

_Asked = tuple[Line, InferenceConfig, Future[Spoken[int]]]
_WRITTEN = {"speaker": None, "language": None, **dict.fromkeys(
    ("leading_silence", "trailing_silence", "sentence_silence", "paragraph_silence"), 0.0
)}  # fmt: skip
_WARM_UP = ("Hello.", "The train to the coast leaves at half past seven.", "We went on and on " * 12)


class SharedVoice(Speaker):
    """Speaks what threads ask of another voice, which one thread of its own uses."""

    def __init__(self, voice: Speaker, threads: int = 64, wait: float = 0.002, lines: int = 128) -> None:
        """A batch has `lines` at most, and is begun `wait` seconds after its first; `threads` at once may ask."""
        self.voice, self.settings = voice, voice.settings
        self.sample_rate, self.hop_size, self.at_once = voice.sample_rate, voice.hop_size, threads
        self.script = voice.script
        self.batches = self.lines = 0
        self._wait, self._most = wait, lines
        self._waiting: list[_Asked] = []
        self._changed, self._writing = threading.Condition(), threading.Lock()
        threading.Thread(target=self._work, daemon=True, name="voice").start()

    def warm_up(self) -> None:
        """Speak texts of several lengths, so that the first client does not wait for what is made once."""
        for text in 2 * _WARM_UP:
            self.tts(text)

    def speak_lines(self, lines: Iterable[tuple[Key, Line]], settings: InferenceConfig) -> Iterator[Spoken[Key]]:
        """Speak lines in order, each in a batch with those of other threads."""
        # What matters when a line is there; who speaks it is written in the line.
        settings = settings.model_copy(update=_WRITTEN)
        written, nothing = iter(lines), np.zeros(0, np.float32)
        while True:
            with self._writing:  # threads that compute at once would only be in each other's way, and the voice's
                item = next(written, None)
            if item is None:
                return
            key, line = item
            if not line.ids:
                yield Spoken(key, line, nothing, 0.0, nothing.astype(np.int64))
                continue
            answer: Future[Spoken[int]] = Future()
            with self._changed:
                self._waiting.append((line, settings, answer))
                self._changed.notify()
            spoken = answer.result()
            yield Spoken(key, line, spoken.wave, spoken.seconds_spent, spoken.durations)

    def stream(
        self, text: str | Iterable[str], timeline: Timeline | None = None, **controls: Unpack[Controls]
    ) -> Iterator[np.ndarray]:
        """Line by line: a GPU makes a whole one as fast as a piece."""
        return self.narrate(text, timeline=timeline, **controls)

    def pieces(self, line: Line, settings: InferenceConfig) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """A line's waveform as one piece (N,), and its tokens' frames (T_text,)."""
        yield from ((one.wave, one.durations) for one in self.speak_lines([(None, line)], settings))

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                self._changed.wait_for(lambda: len(self._waiting) >= self._most, self._wait)
                settings = self._waiting[0][1]
                alike = [one for one in self._waiting if one[1] == settings][: self._most]
                self._waiting = [one for one in self._waiting if not any(one is other for other in alike)]
            self.batches, self.lines = self.batches + 1, self.lines + len(alike)
            self._answer(alike, settings)

    def _answer(self, asked: list[_Asked], settings: InferenceConfig) -> None:
        failure: Exception = RuntimeError("the voice left a line out")
        try:
            for spoken in self.voice.speak_lines(enumerate(line for line, _, _ in asked), settings):
                asked[spoken.key][2].set_result(spoken)
        except Exception as error:
            failure = error
        for one in asked:
            if one[2].done():
                continue
            if len(asked) > 1:  # no client pays for what another one wants
                self._answer([one], settings)
            else:
                one[2].set_exception(failure)
