"""What a client of the speech server may ask for, and errors as OpenAI's clients expect them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from processors.cast import Cast
from processors.controls import Controls

# Names that clients send unless they are told others.
MODELS = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts")
VOICES = frozenset(
    "default alloy ash ballad cedar coral echo fable marin nova onyx sage shimmer verse".split()  # OpenAI's
)
_SHARE = re.compile(r"([^()+]+)\((\d{1,6}(?:\.\d{1,6})?)\)")
Text = Field(max_length=200)


class ApiError(Exception):
    """An answer that is an error."""

    def __init__(
        self, status: int, message: str, param: str | None = None, code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.status, self.headers = status, dict(headers or {})
        kind = "invalid_request_error" if status < 500 else "server_error"
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}


class VoiceId(BaseModel):
    """A voice by its id."""

    id: str = Text


class SpeechRequest(BaseModel):
    """Body of POST /v1/audio/speech; what OpenAI does not know comes last, and keys that nobody knows are ignored."""

    model_config = ConfigDict(allow_inf_nan=False)

    model: str = Text
    input: str
    voice: str | VoiceId = "default"
    instructions: str | None = None
    response_format: Literal["mp3", "opus", "aac", "flac", "wav", "pcm"] = "mp3"
    speed: float = Field(1.0, ge=0.25, le=4.0)
    stream_format: Literal["audio", "sse"] = "audio"
    language: str | None = Field(None, max_length=200)
    pitch: float = 0.0
    energy: float = 0.0
    return_timestamps: bool | None = None  # None: with captions, but not among OpenAI's events

    def controls(self, name: str, cast: Cast) -> Controls:
        """The controls of a voice called `name`, of these speakers; ApiError for a voice that is none of them."""
        controls = Controls(pitch=self.pitch, energy=self.energy)
        if self.speed != 1:
            controls["speed"] = self.speed
        if self.language is not None:
            controls["language"] = self.language
        asked = self.voice if isinstance(self.voice, str) else self.voice.id
        if asked in cast.speakers:
            controls["speaker"] = asked
        elif asked not in VOICES and asked != name:
            controls["speaker"] = _mixture(asked, [*cast.speakers] or [name])
        return controls


def read_request(body: bytes, max_chars: int, model: str) -> SpeechRequest:
    """The request in a body; ApiError for what is none, too long, or for another model than `model`."""
    try:
        request = SpeechRequest.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        param = ".".join(str(part) for part in first["loc"]) or None
        raise ApiError(400, f"{param}: {first['msg']}" if param else first["msg"], param) from None
    if request.model not in (*MODELS, model):
        raise ApiError(
            404, f"the model {request.model!r} does not exist here; use {model!r}", "model", "model_not_found"
        )
    if len(request.input) > max_chars:
        raise ApiError(400, f"input: at most {max_chars} characters", "input", "string_above_max_length")
    return request


def _mixture(asked: str, names: list[str]) -> str:
    """ "anna(2)+ben(1)", as Kokoro-FastAPI writes mixtures, as shares of one."""
    parts = [_SHARE.fullmatch(part.strip()) for part in asked.split("+")]
    shares = {part[1].strip(): float(part[2]) for part in parts if part is not None}
    total = sum(shares.values())
    if None in parts or total <= 0 or not set(shares) <= set(names):
        raise ApiError(400, f"the voice {asked!r} does not exist here; choose of: {', '.join(names[:50])}", "voice")
    return "+".join(f"{name}:{share / total:.6f}" for name, share in shares.items())


def voices_listed(name: str, cast: Cast) -> dict[str, Any]:
    """Answer of GET /v1/audio/voices, with the languages of all, whose first is spoken if none is asked for."""
    languages = dict.fromkeys([cast.main_language, *cast.languages])
    return {"voices": [{"id": one, "name": one} for one in cast.speakers or [name]], "languages": [*languages]}
