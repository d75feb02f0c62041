"""Home Assistant's protocol, Wyoming: events of one JSON line each, with further JSON and a payload behind it.

Written out here, as the package of that name reads whatever length a client announces.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import ExitStack, aclosing, suppress
from typing import Any

import anyio
from pydantic import ValidationError

from models.tts.serving.reception import Reception, Visit
from models.tts.serving.speech_request import ApiError, SpeechRequest
from processors.controls import Controls
from processors.text.frontend import TextError
from processors.text.sentences import collapse_whitespace, sentence_spans
from processors.text.ssml import begins_ssml
from utils.errors import UserError

LARGEST = 1 << 17  # bytes of a line, of data, of a payload
_CHUNK = 8192  # bytes of samples in an event
_AHEAD = 32  # characters behind the end of a sentence after which it is sure
_KINDS = ("asr", "handle", "intent", "mic", "snd", "tts", "wake")


class Unreadable(Exception):
    """What came is no event."""


class WyomingServer:
    """Speaks for connections, each of which may be silent, or take what it asked for, for `seconds`."""

    def __init__(self, reception: Reception, name: str, seconds: float, max_chars: int) -> None:
        self.reception, self.name, self.seconds, self.max_chars = reception, name, seconds, max_chars
        self._connections: set[asyncio.Task[Any]] = set()

    async def leave(self, seconds: float = 5.0) -> None:
        """End all connections; those that are spoken to may hear the rest for some seconds."""
        if self._connections and self.reception.active:
            await asyncio.wait([*self._connections], timeout=seconds)
        for task in (left := [*self._connections]):
            task.cancel()
        await asyncio.gather(*left)

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer a connection until it ends: by itself, in time, or at what cannot be read or spoken."""
        talk, task = _Talk(self, reader, writer), asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            # Cancelled is what `leave` ends; asyncio would print a traceback of it.
            with suppress(OSError, TimeoutError, EOFError, Unreadable, asyncio.CancelledError):
                try:
                    while True:
                        await talk.answer(*await talk.event())
                except (ApiError, UserError, ValidationError) as error:
                    await talk.fail(str(error), type(error).__name__)
                except (OSError, TimeoutError, EOFError, Unreadable):
                    raise
                except Exception as error:  # a client never sees a traceback
                    await talk.fail(f"the server failed ({type(error).__name__})", "server_error")
        finally:
            self._connections.discard(task)
            writer.close()

    def info(self) -> dict[str, Any]:
        """What is spoken here, by whom."""
        cast = self.reception.voice.script.cast
        artifact = {"attribution": {"name": "JETS toolkit", "url": ""}, "installed": True, "version": None}
        speakers = [{"name": name} for name in cast.speakers] or None
        languages = [*cast.languages] or [cast.language]
        voice = {**artifact, "name": self.name, "description": self.name, "languages": languages, "speakers": speakers}
        program = {"name": "jets", "description": "JETS voices", "voices": [voice]}
        streams = {"supports_synthesize_streaming": True}
        return {**{kind: [] for kind in _KINDS}, "tts": [{**artifact, **program, **streams}]}

    def controls(self, data: dict[str, Any], text: str = "") -> Controls:
        """Who is to speak; ApiError, ValidationError for what cannot be, and for a text that is too long."""
        if len(text) > self.max_chars:
            raise ApiError(400, f"text: at most {self.max_chars} characters")
        asked = data.get("voice") or {}
        if not isinstance(asked, dict):
            raise ApiError(400, "voice: an object with a name, a speaker or a language")
        voice = asked.get("speaker") or asked.get("name") or "default"
        request = SpeechRequest(model="", input=text, voice=voice, speed=1.0, language=asked.get("language"))
        return request.controls(self.name, self.reception.voice.script.cast)


def _tree(line: bytes) -> dict[str, Any]:
    try:
        tree = json.loads(line)
    except (ValueError, RecursionError):
        raise Unreadable from None
    if not isinstance(tree, dict):
        raise Unreadable
    return tree


class _Talk:
    """One connection."""

    def __init__(self, server: WyomingServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server, self._reader, self._writer, self._sounding = server, reader, writer, False
        rate = server.reception.voice.sample_rate
        self._format = {"rate": rate, "width": 2, "channels": 1}

    async def event(self) -> tuple[str, dict[str, Any]]:
        """The next event's type and data; Unreadable for what is none, EOFError behind the last one."""
        with anyio.fail_after(self._server.seconds):
            try:
                head = _tree(await self._reader.readuntil(b"\n"))
                lengths = [head.get(key) or 0 for key in ("data_length", "payload_length")]
                short = all(isinstance(length, int) and 0 <= length <= LARGEST for length in lengths)
                if not short or not isinstance(head.get("type"), str):
                    raise Unreadable
                data, _ = [await self._reader.readexactly(length) for length in lengths]
                given = head.get("data") or {}
                return head["type"], {**given, **(_tree(data) if data else {})}
            except (asyncio.LimitOverrunError, TypeError):
                raise Unreadable from None

    async def fail(self, text: str, code: str) -> None:
        """Tell of an error."""
        self._server.reception.counts['errors_total{status="wyoming"}'] += 1
        await self.tell("error", {"text": text, "code": code})

    async def tell(self, kind: str, data: dict[str, Any], payload: bytes = b"") -> None:
        """Send an event; it must be taken in time."""
        body = json.dumps(data).encode()
        head = {"type": kind, "version": "1.8.0", "data_length": len(body), "payload_length": len(payload)}
        self._writer.write(json.dumps(head).encode() + b"\n" + body + payload)
        with anyio.fail_after(self._server.seconds):
            await self._writer.drain()

    async def answer(self, kind: str, data: dict[str, Any]) -> None:
        """Do what an event asks for; those that are not known ask for nothing."""
        if kind == "describe":
            await self.tell("info", self._server.info())
        elif kind == "ping":
            await self.tell("pong", data)
        elif kind in ("synthesize", "synthesize-start"):
            with anyio.fail_after(self._server.seconds):
                await (self._whole if kind == "synthesize" else self._stream)(data)

    async def _whole(self, data: dict[str, Any]) -> None:
        """Speak a text."""
        text = str(data.get("text", ""))
        if data.get("text_format") == "ssml" and not begins_ssml(text):
            text = f"<speak>{text}</speak>"
        controls = self._server.controls(data, text)
        with self._server.reception.visit() as visit:
            await self._speak(visit, text, controls)
        await self._end()

    async def _stream(self, start: dict[str, Any]) -> None:
        """Speak the sentences of a text that comes in chunks, each as soon as it has surely ended."""
        server, refused = self._server, None
        controls, settings = server.controls(start), server.reception.voice.settings
        manner = server.reception.voice.script.cast.manner(controls.get("speaker"), controls.get("language"))
        language = server.reception.voice.script.frontends(manner.language).language
        text = TextStream(language, settings.max_sentence_chars, server.max_chars)
        with ExitStack() as visiting:  # from the first sentence on: until then this keeps nobody else out
            kind, visit = "", None
            while kind != "synthesize-stop":
                kind, data = await self.event()  # a whole text for those who know no streams comes, too: it is ignored
                chunk = str(data.get("text", "")) if kind == "synthesize-chunk" else ""
                part = text.rest() if kind == "synthesize-stop" else text.add(chunk)
                if not part.strip():
                    continue
                if self._sounding:
                    between = settings.paragraph_silence if "\n\n" in part[:2] else settings.sentence_silence
                    controls["leading_silence"] = between
                controls["trailing_silence"] = settings.trailing_silence if kind == "synthesize-stop" else 0.0
                visit = visit or visiting.enter_context(server.reception.visit())
                try:
                    await self._speak(visit, part, controls)
                except TextError as error:  # a smiley, for instance
                    refused = error
        if refused is not None and not self._sounding:
            raise refused
        await self._end()
        await self.tell("synthesize-stopped", {})

    async def _speak(self, visit: Visit, text: str, controls: Controls) -> None:
        waves = self._server.reception.voice.stream(text, **controls)
        async with aclosing(visit.spoken(waves, "pcm", self._gone)) as chunks:
            async for chunk in chunks:
                if not self._sounding:
                    self._sounding = True
                    await self.tell("audio-start", self._format)
                for start in range(0, len(chunk), _CHUNK):
                    await self.tell("audio-chunk", self._format, chunk[start : start + _CHUNK])

    async def _gone(self) -> bool:
        return self._reader.at_eof() or self._writer.is_closing()

    async def _end(self) -> None:
        if not self._sounding:  # a stream of nothing is silence
            await self.tell("audio-start", self._format)
        self._sounding = False
        await self.tell("audio-stop", {})


class TextStream:
    """A text that grows, which is taken sentence by sentence; SSML only as a whole."""

    def __init__(self, language: str, max_sentence_chars: int, max_chars: int) -> None:
        """ApiError from `add` for more than `max_chars` in all."""
        self._language, self._limit, self._most, self._got = language, max_sentence_chars, max_chars, 0
        self._held = ""
        self._markup: bool | None = None

    def add(self, chunk: str) -> str:
        """What may be spoken now, whole sentences with the white space in front of them, or nothing."""
        self._got += len(chunk)
        if self._got > self._most:  # nothing below has more to go through, blanks that are held included
            raise ApiError(400, f"text: at most {self._most} characters")
        self._held += chunk
        if self._markup is None:
            self._markup = begins_ssml(self._held)
        if self._markup is not False:
            return ""
        body = self._held.rstrip()
        text, behind = "".join(collapse_whitespace([body])), self._held[len(body) :]
        spans = sentence_spans(text, self._limit, lambda place: self._language)
        end = max((stop for _, stop in spans if len(text) - stop >= _AHEAD), default=0)
        self._held = text[end:] + behind
        return text[:end]

    def rest(self) -> str:
        """What is left at the end."""
        held, self._held = self._held, ""
        return held
