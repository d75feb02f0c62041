"""When an utterance counts as failed, whatever its figures are."""

from __future__ import annotations

import numpy as np

from config.schema import PreprocessConfig
from models.evaluation.measures.utterance import Value
from processors.audio.recording import FULL_SCALE, active_level_db

WORST_CER = 0.5
DURATION_RATIOS = (0.5, 2.0)
WORST_DIAGONALITY = 0.7
MOST_UNSPOKEN = 0.2


def audio_failures(audio: np.ndarray, config: PreprocessConfig) -> list[str]:
    """What is wrong with synthesised audio (N,) by itself: silence, or clipping; by the limits stage 1 sets."""
    found = []
    level = active_level_db(audio, config.sample_rate)
    if level < config.silence_level_db:
        found.append("silent" if np.isfinite(level) else "digital silence")
    clipped = float(np.mean(np.abs(audio) >= FULL_SCALE))
    if clipped > config.max_clipped_fraction:
        found.append(f"clipped: {clipped:.1%} of the samples lie at full scale")
    return found


def value_failures(values: dict[str, Value]) -> list[str]:
    """What the measures say went wrong: not understood, far too short or long, no alignment, tokens not spoken."""
    found = []
    errors, characters = _pair(values, "cer")
    if characters and errors / characters > WORST_CER:
        found.append(f"not understood: CER {errors / characters:.0%}")
    spoken, recorded = _pair(values, "duration_ratio")
    if recorded and not DURATION_RATIOS[0] <= spoken / recorded <= DURATION_RATIOS[1]:
        found.append(f"{spoken / recorded:.2f} times as long as the recording")
    diagonality = values.get("diagonality")
    if isinstance(diagonality, float) and diagonality < WORST_DIAGONALITY:
        found.append(f"the alignment has not formed: diagonality {diagonality:.2f}")
    unspoken = values.get("zero_durations")
    if isinstance(unspoken, float) and unspoken > MOST_UNSPOKEN:
        found.append(f"{unspoken:.0%} of the tokens got no frame")
    return found


def _pair(values: dict[str, Value], key: str) -> tuple[float, float]:
    value = values.get(key)
    return (0.0, 0.0) if value is None or isinstance(value, float) else (value[0], value[1])
