"""What a caller may change from one text to the next."""

from __future__ import annotations

from typing import TypedDict

from pydantic import ValidationError

from config.schema import InferenceConfig
from utils.errors import UserError

# Argument of the Python interface -> key of config.inference, where they differ.
_KEYS = {"pitch": "pitch_semitones", "energy": "energy_db", "temperature": "prosody_temperature"}
_KEYS["seed"] = "prosody_seed"


class Controls(TypedDict, total=False):
    """What a caller may change from one text to the next; what is not given has the config's value."""

    speed: float  # tempo: 2.0 is twice as fast
    pitch: float  # semitones
    energy: float  # vocal effort in dB
    temperature: float  # how freely durations, pitch and energy vary, in a voice that has learned it: 0 to about 1
    seed: int  # of that: each one is another reading
    speaker: str | None  # a name, or a mixture such as "anna:0.6+ben:0.4"; None: the first one of the language
    language: str | None  # such as "de"; None: the speaker's own
    leading_silence: float  # seconds before the first sentence
    trailing_silence: float  # seconds after the last one
    sentence_silence: float  # seconds between sentences
    paragraph_silence: float  # seconds between paragraphs
    target_level_db: float | None  # level of the active speech in dBFS; None: as the voice gives it


def controlled(inference: InferenceConfig, controls: Controls) -> InferenceConfig:
    """`inference` with the given controls; TypeError for what is none, UserError for a value outside the limits."""
    for name in controls:
        if name not in Controls.__annotations__:
            raise TypeError(f"unknown argument {name!r}; known: {', '.join(Controls.__annotations__)}")
    if not controls:
        return inference
    given = {_KEYS.get(name, name): value for name, value in controls.items()}
    try:
        return InferenceConfig.model_validate({**inference.model_dump(), **given})
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0])
        name = next((name for name, known in _KEYS.items() if known == key), key)
        raise UserError(f"{name}: {first['msg'][0].lower()}{first['msg'][1:]}, but {given[key]!r} is given") from None
