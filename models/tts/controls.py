"""What a caller may change from one text to the next, checked against the limits of the config."""

from __future__ import annotations

from typing import TypedDict

from pydantic import ValidationError

from config.schema import InferenceConfig
from utils.errors import UserError

# Argument of the Python interface -> key of config.inference.
_KEYS = {
    "speed": "speed",
    "pitch": "pitch_semitones",
    "energy": "energy_db",
    "leading_silence": "leading_silence",
    "trailing_silence": "trailing_silence",
    "sentence_silence": "sentence_silence",
    "paragraph_silence": "paragraph_silence",
    "target_level_db": "target_level_db",
}


class Controls(TypedDict, total=False):
    """Keyword arguments of `Synthesizer`; one that is not given has the config's value."""

    speed: float  # tempo: 2.0 is twice as fast
    pitch: float  # semitones
    energy: float  # vocal effort in dB
    leading_silence: float  # seconds before the first sentence
    trailing_silence: float  # seconds after the last one
    sentence_silence: float  # seconds between sentences
    paragraph_silence: float  # seconds between paragraphs
    target_level_db: float | None  # level of the active speech in dBFS; None: as the voice gives it


def controlled(inference: InferenceConfig, controls: Controls) -> InferenceConfig:
    """`inference` with the given controls.

    :raises TypeError: an argument that is no control.
    :raises UserError: a value outside the limits.
    """
    unknown = [name for name in controls if name not in _KEYS]
    if unknown:
        raise TypeError(f"unknown argument {unknown[0]!r}; known: {', '.join(_KEYS)}")
    if not controls:
        return inference
    values = {**inference.model_dump(), **{_KEYS[name]: value for name, value in controls.items()}}
    try:
        return InferenceConfig.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0])
        name = next((name for name, known in _KEYS.items() if known == key), key)
        raise UserError(f"{name}: {first['msg'][0].lower()}{first['msg'][1:]}, but {values[key]!r} is given") from None
