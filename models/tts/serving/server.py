"""A voice as a web service with OpenAI's speech endpoint: one voice, many clients, each piece of speech sent when made.

Clients take turns piece by piece, so that the first sound of one does not wait for the last word of another.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from socket import socket
from typing import Any

import anyio
import numpy as np
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from models.tts.serving.audio_formats import MEDIA, check_format
from models.tts.serving.page import page_routes
from models.tts.serving.reception import Reception
from models.tts.serving.speech_request import MODELS, ApiError, SpeechRequest, read_request, voices_listed
from models.tts.serving.wyoming_server import LARGEST, WyomingServer
from processors.speaker import Speaker
from processors.timestamps import Caption, Timed
from utils.errors import UserError

MAX_CHARACTERS = 4096  # OpenAI's limit
_MAX_BODY = 1 << 18  # bytes: that many characters, however they are escaped
_OPEN_PATHS = ("/health",)  # without a key


class SpeechServer:
    """Answers requests with one voice; at most `clients` at once, each for at most `seconds`."""

    def __init__(
        self, voice: Speaker, name: str, api_key: str | None = None, clients: int = 64, seconds: float = 600.0,
        max_chars: int = MAX_CHARACTERS,
    ) -> None:  # fmt: skip
        """UserError for a voice whose speakers are files: a client could name any file."""
        if voice.script.cast.vector_size:
            raise UserError("a voice that takes speakers from files (model.spk_embed_dim) is not served")
        voice.script.on_note = lambda sentence: None  # a log is not for what clients write
        self.voice, self.name, self.api_key = voice, name, api_key
        self.seconds, self.max_chars, self.started = seconds, max_chars, int(time.time())
        self.reception = Reception(voice, clients)

    def app(self, wyoming: socket | None = None) -> Starlette:
        """The application, for uvicorn; while it runs, Home Assistant is answered at the socket `wyoming`."""
        table = (
            ("/v1/audio/speech", self.speech, "POST"), ("/dev/captioned_speech", self.captioned, "POST"),
            ("/v1/audio/voices", self.voices, "GET"), ("/v1/models", self.models, "GET"),
            ("/v1/models/{model}", self.model, "GET"), ("/health", self.health, "GET"),
            ("/metrics", self.metrics, "GET"),
        )  # fmt: skip
        routes = [Route(path, self._answering(handler), methods=[method]) for path, handler, method in table]

        @asynccontextmanager
        async def running(app: Starlette) -> AsyncIterator[None]:
            other = WyomingServer(self.reception, self.name, self.seconds, self.max_chars)
            if wyoming is None:
                yield
                return
            server = await asyncio.start_server(other.connected, sock=wyoming, limit=LARGEST)
            yield
            server.close()
            await other.leave()

        errors = {HTTPException: _http_error}
        app = Starlette(routes=[*routes, *page_routes()], exception_handlers=errors, lifespan=running)
        app.router.redirect_slashes = False  # such an answer is none of OpenAI's
        return app

    def _answering(self, handler: Callable[[Request], Any]) -> Callable[[Request], Any]:
        """`handler` behind the key, whose errors become OpenAI's."""

        async def answer(request: Request) -> Response:
            try:
                self._check_key(request)
                return await handler(request)
            except ApiError as error:
                failure = error
            except UserError as error:
                failure = ApiError(400, str(error), "input")
            except Exception as error:  # a client never sees a traceback
                failure = ApiError(500, f"the server failed ({type(error).__name__})")
            self.reception.counts[f'errors_total{{status="{failure.status}"}}'] += 1
            return JSONResponse(failure.body, failure.status, failure.headers)

        return answer

    def _check_key(self, request: Request) -> None:
        if self.api_key is None or request.url.path in _OPEN_PATHS:
            return
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not hmac.compare_digest(given.encode(), self.api_key.encode()):
            raise ApiError(401, "give this server's API key: Authorization: Bearer KEY", code="invalid_api_key")

    async def speech(self, request: Request) -> Response:
        """POST /v1/audio/speech: chunks of audio, or events with such chunks."""
        asked = await self._read(request)
        controls = asked.controls(self.name, self.voice.script.cast)
        timed = asked.stream_format == "sse" and asked.return_timestamps
        timeline = self.voice.timeline() if timed else None
        waves = self.voice.stream(asked.input, timeline=timeline, **controls)
        chunks = self._spoken(request, waves, asked.response_format)
        media = MEDIA[asked.response_format]
        first = await anext(chunks)  # what is wrong with a text is told before an answer begins
        body = _after(first, chunks)
        if asked.stream_format == "sse":
            captions = timeline.captions if timeline else []
            body, media = _events(body, len(asked.input), captions), "text/event-stream"
        headers = {"X-Sample-Rate": str(self.voice.sample_rate)}
        if asked.instructions:
            headers["X-Note"] = "instructions have no effect on this voice"
        return _Limited(body, chunks, self.seconds, media, headers)

    async def captioned(self, request: Request) -> Response:
        """POST /dev/captioned_speech: the whole audio, and when each word is heard."""
        asked = await self._read(request)
        controls, timeline = asked.controls(self.name, self.voice.script.cast), self.voice.timeline()
        waves = self.voice.narrate(asked.input, timeline=timeline, **controls)
        chunks = self._spoken(request, waves, asked.response_format, alone=True)
        audio = None
        with anyio.move_on_after(self.seconds):
            audio = b"".join([chunk async for chunk in chunks])
        if audio is None:
            raise ApiError(503, f"this takes longer than {self.seconds:g} s: ask for less at once")
        rows = [] if asked.return_timestamps is False else [_timed(word) for word in timeline.words]
        content = base64.b64encode(audio).decode()
        return JSONResponse({"audio": content, "audio_format": MEDIA[asked.response_format], "timestamps": rows})

    async def voices(self, request: Request) -> Response:
        """GET /v1/audio/voices."""
        return JSONResponse({**voices_listed(self.name, self.voice.script.cast), "sample_rate": self.voice.sample_rate})

    async def models(self, request: Request) -> Response:
        """GET /v1/models: the voice, and the names by which OpenAI's clients ask for one."""
        return JSONResponse({"object": "list", "data": [self._model(name) for name in (self.name, *MODELS)]})

    async def model(self, request: Request) -> Response:
        """GET /v1/models/{id}."""
        name = request.path_params["model"]
        if name not in (self.name, *MODELS):
            raise ApiError(404, f"the model {name[:200]!r} does not exist here", "model", "model_not_found")
        return JSONResponse(self._model(name))

    async def health(self, request: Request) -> Response:
        """GET /health."""
        return JSONResponse({"status": "ok", "voice": self.name, "active": self.reception.active})

    async def metrics(self, request: Request) -> Response:
        """GET /metrics, for Prometheus."""
        return PlainTextResponse(self.reception.metrics(), media_type="text/plain; version=0.0.4")

    def _model(self, name: str) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": self.started, "owned_by": "jets"}

    async def _read(self, request: Request) -> SpeechRequest:
        """The request; ApiError for what is none, or comes too slowly."""
        body = bytearray()
        with anyio.move_on_after(30) as waited:
            async for part in request.stream():
                body += part
                if len(body) > _MAX_BODY:
                    raise ApiError(413, f"a request may have {_MAX_BODY} bytes")
        if waited.cancelled_caught:
            raise ApiError(408, "the request came too slowly")
        asked = read_request(bytes(body), self.max_chars, self.name)
        check_format(asked.response_format)
        return asked

    async def _spoken(
        self, request: Request, waves: Iterator[np.ndarray], kind: str, alone: bool = False
    ) -> AsyncIterator[bytes]:
        """Waves as bytes of a format; nothing more is made for a client who has gone.

        Whether they are `alone` says whether no answer has begun, which would notice that by itself.
        """
        with self.reception.visit() as visit:
            async with aclosing(visit.spoken(waves, kind, request.is_disconnected, alone)) as chunks:
                async for chunk in chunks:
                    yield chunk


class _Limited(StreamingResponse):
    """A stream that ends after some seconds, read or not, and whose source always ends with it."""

    def __init__(
        self, body: AsyncIterator[Any], source: AsyncIterator[bytes], seconds: float, media: str,
        headers: dict[str, str],
    ) -> None:  # fmt: skip
        super().__init__(body, media_type=media, headers=headers)
        self._source, self._seconds = source, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with anyio.move_on_after(self._seconds):
                await super().__call__(scope, receive, send)
        finally:
            with anyio.CancelScope(shield=True):
                streams: tuple[Any, ...] = (self.body_iterator, self._source)
                for stream in streams:
                    await stream.aclose()


async def _after(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk


def _timed(word: Timed) -> dict[str, Any]:
    return {"word": word.text, "start_time": round(word.start, 4), "end_time": round(word.end, 4)}


async def _events(chunks: AsyncIterator[bytes], length: int, captions: list[Caption]) -> AsyncIterator[bytes]:
    """The chunks as OpenAI's server-sent events; a token is a character here.

    In front of each sentence stands an event with its text, its words, and where each is in the text.
    """
    async for chunk in chunks:
        while captions:
            text, words, places = captions.pop(0)
            rows = [{**_timed(word), "offset": place} for word, place in zip(words, places)]
            yield _event({"type": "speech.audio.words", "text": text, "words": rows})
        yield _event({"type": "speech.audio.delta", "audio": base64.b64encode(chunk).decode()})
    usage = {"input_tokens": length, "output_tokens": 0, "total_tokens": length}
    yield _event({"type": "speech.audio.done", "usage": usage})


def _event(content: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(content)}\n\n".encode()


async def _http_error(request: Request, error: Exception) -> Response:
    status, detail = getattr(error, "status_code", 500), getattr(error, "detail", "")
    failure = ApiError(status, f"{request.method} {request.url.path[:200]}: {detail}")
    return JSONResponse(failure.body, status)
