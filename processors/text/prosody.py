"""Rate, pitch and volume as SSML writes them, and who speaks in which language."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

MIN_RATE, MAX_RATE = 0.25, 4.0
MAX_SEMITONES = 24.0
MAX_GAIN_DB = 24.0
_RATES = {"x-slow": 0.5, "slow": 0.75, "medium": 1.0, "default": 1.0, "fast": 1.25, "x-fast": 1.6}
_PITCHES = {"x-low": -6.0, "low": -3.0, "medium": 0.0, "default": 0.0, "high": 3.0, "x-high": 6.0}
_VOLUMES = {
    "silent": -math.inf, "x-soft": -12.0, "soft": -6.0, "medium": 0.0, "default": 0.0, "loud": 6.0, "x-loud": 12.0,
}  # fmt: skip
_NUMBER = re.compile(r"([+-]?)(\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})\s*(%|st|hz|db|)", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True)
class Prosody:
    """Tempo (1: as it is), pitch shift in semitones, gain in dB (-inf: silent), and who speaks in which language."""

    rate: float = 1.0
    semitones: float = 0.0
    gain_db: float = 0.0
    speaker: str = ""  # a speaker's name or a mixture of some, as processors.cast has them; "": the only one
    language: str = ""


NEUTRAL = Prosody()


def adjusted(outer: Prosody, attributes: Mapping[str, str], mean_f0: float) -> Prosody:
    """Prosody inside an element with these attributes (rate, pitch, volume) that stands inside `outer`.

    Relative values add up over nested elements; pitches in Hz refer to the voice's `mean_f0`.

    :raises ValueError: a value that cannot be read, or is out of range; the message says which.
    """
    rate, semitones, gain_db = outer.rate, outer.semitones, outer.gain_db
    if "rate" in attributes:
        rate *= _rate(attributes["rate"].strip().lower())
    if "pitch" in attributes:
        value, absolute = _pitch(attributes["pitch"].strip().lower(), mean_f0)
        semitones = value if absolute else semitones + value
    if "volume" in attributes:
        gain_db += _volume(attributes["volume"].strip().lower())
    if not MIN_RATE <= rate <= MAX_RATE:
        raise ValueError(f"rate {rate:g} is not between {MIN_RATE:g} and {MAX_RATE:g}")
    if abs(semitones) > MAX_SEMITONES:
        raise ValueError(f"pitch {semitones:+.3g}st is not between -{MAX_SEMITONES:g}st and +{MAX_SEMITONES:g}st")
    if gain_db > MAX_GAIN_DB:
        raise ValueError(f"volume {gain_db:+.3g}dB is above +{MAX_GAIN_DB:g}dB")
    return replace(outer, rate=rate, semitones=semitones, gain_db=gain_db)


def _rate(text: str) -> float:
    if text in _RATES:
        return _RATES[text]
    sign, value, unit = _split(text, "rate", ("%", ""), "80%, +20%, 1.2 or slow")
    if unit == "%":
        return (1 + value / 100) if sign else value / 100
    return value


def _pitch(text: str, mean_f0: float) -> tuple[float, bool]:
    if text in _PITCHES:
        return _PITCHES[text], False
    sign, value, unit = _split(text, "pitch", ("st", "%", "hz"), "+2st, -10%, +20Hz or high")
    if unit == "st":
        return value, False
    if unit == "%":
        ratio = 1 + value / 100 if sign else value / 100
    else:
        ratio = 1 + value / mean_f0 if sign else value / mean_f0
    if ratio <= 0:
        raise ValueError(f"pitch '{text}' leaves no pitch")
    return 12 * math.log2(ratio), unit == "hz" and not sign


def _volume(text: str) -> float:
    if text in _VOLUMES:
        return _VOLUMES[text]
    sign, value, unit = _split(text, "volume", ("db", "%", ""), "+6dB, 50% or loud")
    if unit == "db":
        return value
    # A percentage of the amplitude; SSML 1.0's bare numbers run from 0 to 100.
    ratio = 1 + value / 100 if sign else value / 100
    return 20 * math.log10(ratio) if ratio > 0 else -math.inf


def _split(text: str, what: str, units: tuple[str, ...], examples: str) -> tuple[str, float, str]:
    """Sign, signed value and unit of a number."""
    match = _NUMBER.fullmatch(text)
    if match is None or match[3] not in units:
        raise ValueError(f"{what} '{text[:40]}' is not understood; write for instance {examples}")
    return match[1], float(match[1] + match[2]), match[3]
