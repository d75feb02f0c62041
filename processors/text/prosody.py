"""Rate, pitch and volume as SSML writes them, and who speaks in which language."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from processors.text.tables import rows

MIN_RATE, MAX_RATE = 0.25, 4.0
MAX_SEMITONES = 24.0
MAX_GAIN_DB = 24.0
_NUMBER = re.compile(r"([+-]?)(\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})\s*(%|st|hz|db|)", re.IGNORECASE | re.ASCII)
# Attribute or element -> value by name.
VALUES = {
    row[1]: {name: float(number) for name, number in zip(row[2].split()[::2], row[2].split()[1::2])}
    for row in rows("ssml.txt")
    if row[0] == "value"
}


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
        value, unit, sign = _read(attributes, "rate", ("%", ""), "80%, +20%, 1.2 or slow")
        rate *= _ratio(value, 100, sign) if unit == "%" else value
    if "pitch" in attributes:
        value, unit, sign = _read(attributes, "pitch", ("st", "%", "hz"), "+2st, -10%, +20Hz or high")
        if unit in ("%", "hz"):
            ratio = _ratio(value, 100 if unit == "%" else mean_f0, sign)
            if ratio <= 0:
                raise ValueError(f"pitch '{attributes['pitch']}' leaves no pitch")
            value = 12 * math.log2(ratio)
        semitones = value if unit == "hz" and not sign else semitones + value
    if "volume" in attributes:
        value, unit, sign = _read(attributes, "volume", ("db", "%", ""), "+6dB, 50% or loud")
        if unit in ("%", ""):
            # A percentage of the amplitude; SSML 1.0's bare numbers run from 0 to 100.
            ratio = _ratio(value, 100, sign)
            value = 20 * math.log10(ratio) if ratio > 0 else -math.inf
        gain_db += value
    if not MIN_RATE <= rate <= MAX_RATE:
        raise ValueError(f"rate {rate:g} is not between {MIN_RATE:g} and {MAX_RATE:g}")
    if abs(semitones) > MAX_SEMITONES:
        raise ValueError(f"pitch {semitones:+.3g}st is not between -{MAX_SEMITONES:g}st and +{MAX_SEMITONES:g}st")
    if gain_db > MAX_GAIN_DB:
        raise ValueError(f"volume {gain_db:+.3g}dB is above +{MAX_GAIN_DB:g}dB")
    return replace(outer, rate=rate, semitones=semitones, gain_db=gain_db)


def _ratio(value: float, whole: float, sign: str) -> float:
    """What a value makes of the whole; with a sign it is added to it."""
    return 1 + value / whole if sign else value / whole


def _read(attributes: Mapping[str, str], what: str, units: tuple[str, ...], examples: str) -> tuple[float, str, str]:
    """An attribute's signed value, its unit ("name": it is a word) and sign."""
    text = attributes[what].strip().lower()
    if text in VALUES[what]:
        return VALUES[what][text], "name", ""
    match = _NUMBER.fullmatch(text)
    if match is None or match[3] not in units:
        raise ValueError(f"{what} '{text[:40]}' is not understood; write for instance {examples}")
    return float(match[1] + match[2]), match[3], match[1]
