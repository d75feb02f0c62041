"""Those who want to hear a voice: how many there may be, whose turn it is, and what is counted for the metrics."""

from __future__ import annotations

import heapq
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import anyio
import numpy as np
from anyio.to_thread import run_sync

from models.tts.serving.audio_formats import encoded
from models.tts.serving.shared_voice import SharedVoice
from models.tts.serving.speech_request import ApiError
from processors.speaker import Speaker

# Prometheus' type of each metric.
_TYPES = {
    "active": "gauge", "audio_seconds_total": "counter", "batches_total": "counter", "batch_lines_total": "counter",
    "errors_total": "counter", "first_audio_seconds": "summary", "requests_total": "counter",
}  # fmt: skip


class Reception:
    """Lets at most `clients` at once to a voice, which speaks for `voice.at_once` of them at a time, piece by piece."""

    def __init__(self, voice: Speaker, clients: int) -> None:
        self.voice, self.clients, self.active = voice, clients, 0
        self.counts: defaultdict[str, float] = defaultdict(float)
        self.turn = Turn(voice.at_once)
        self.threads: anyio.CapacityLimiter | None = None  # made within an event loop

    @contextmanager
    def visit(self) -> Iterator[Visit]:
        """One client's; ApiError 429 where there are too many."""
        if self.active >= self.clients:
            later = {"Retry-After": "2"}
            raise ApiError(429, f"{self.active} clients are waiting; try again", code="busy", headers=later)
        self.active += 1
        self.counts["requests_total"] += 1
        try:
            yield Visit(self)
        finally:
            self.active -= 1

    def metrics(self) -> str:
        """The counts as Prometheus reads them."""
        rows = {**self.counts, "active": self.active}
        if isinstance(self.voice, SharedVoice):
            rows |= {"batches_total": self.voice.batches, "batch_lines_total": self.voice.lines}
        lines = []
        for family, kind in _TYPES.items():
            lines.append(f"# TYPE jets_{family} {kind}")
            lines += [f"jets_{name} {rows[name]!r}" for name in sorted(rows) if name.startswith(family)]
        return "\n".join(lines) + "\n"


class Visit:
    """What one client hears; `seconds` of speech so far."""

    def __init__(self, reception: Reception) -> None:
        self._reception, self.seconds = reception, 0.0
        self._heard = 0.0  # when the first sound was there, later by each pause in which all had been heard

    async def spoken(
        self, waves: Iterator[np.ndarray], kind: str, gone: Callable[[], Awaitable[bool]] | None = None,
        always: bool = False,
    ) -> AsyncGenerator[bytes, None]:  # fmt: skip
        """Waves as bytes of a format, each made in this client's turn; ApiError 499 for a client who has `gone`.

        That is asked before the first sound, or `always`: an answer that has begun notices by itself.
        """
        reception, rate = self._reception, self._reception.voice.sample_rate
        self._heard = max(self._heard, time.monotonic() - self.seconds)
        if reception.threads is None:
            reception.threads = anyio.CapacityLimiter(reception.voice.at_once)

        def counted() -> Iterator[np.ndarray]:
            for wave in waves:
                self.seconds += len(wave) / rate
                reception.counts["audio_seconds_total"] += len(wave) / rate
                yield wave

        chunks: Any = encoded(counted(), kind, rate)
        try:
            while True:
                first = self.seconds == 0
                async with reception.turn.at(self._heard + self.seconds):
                    if gone is not None and (first or always) and await gone():
                        raise ApiError(499, "the client has gone")
                    # Not abandoned when this is cancelled: the voice is one client's at a time.
                    chunk = await run_sync(next, chunks, None, limiter=reception.threads)
                if chunk is None:
                    return
                if first:
                    asked, self._heard = self._heard, time.monotonic()
                    reception.counts["first_audio_seconds_sum"] += self._heard - asked
                    reception.counts["first_audio_seconds_count"] += 1
                yield chunk
        finally:
            chunks.close()


class Turn:
    """Who may use the voice: of those who wait, whoever's audio, played from its first sound on, ends first."""

    def __init__(self, places: int = 1) -> None:
        self._free, self._number = places, 0
        self._waiting: list[tuple[float, int, anyio.Event]] = []

    @asynccontextmanager
    async def at(self, end: float) -> AsyncIterator[None]:
        """Wait for one's turn, and have it."""
        if self._free:
            self._free -= 1
        else:
            self._number += 1
            mine = (end, self._number, anyio.Event())
            heapq.heappush(self._waiting, mine)
            try:
                await mine[2].wait()
            except BaseException:
                if mine in self._waiting:
                    self._waiting.remove(mine)
                    heapq.heapify(self._waiting)
                else:  # the turn came together with the end
                    self._pass_on()
                raise
        try:
            yield
        finally:
            self._pass_on()

    def _pass_on(self) -> None:
        if self._waiting:
            heapq.heappop(self._waiting)[2].set()
        else:
            self._free += 1
