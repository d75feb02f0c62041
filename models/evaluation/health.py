"""Whether an utterance failed: its alignment, its durations, its audio, and what the measures say."""

from __future__ import annotations

import numpy as np

from config.schema import PreprocessConfig
from models.evaluation.items import AlignmentRecord
from models.evaluation.report import Value, parts
from models.evaluation.signal_measures import correlation
from processors.audio.recording import FULL_SCALE, active_level_db
from processors.text.tokens import NO_SOUND

LONGEST_TOKEN = 0.6  # seconds: longer than read speech holds one sound
WORST_CER = 0.5
DURATION_RATIOS = (0.5, 2.0)
WORST_DIAGONALITY = 0.7
MOST_UNSPOKEN = 0.2


def alignment_health(alignment: AlignmentRecord, seconds_per_frame: float) -> dict[str, Value]:
    """Measures of an alignment: of the recording, where it has been aligned, and of the synthesis' durations."""
    values: dict[str, Value] = {}
    if alignment.log_p_attn is not None and alignment.path is not None:
        values["diagonality"] = diagonality(alignment.log_p_attn)
        values["sharpness"] = float(np.exp(alignment.log_p_attn.max(1)).mean())
        # Geometric mean along the path: near the sharpness where the two agree.
        chosen = alignment.log_p_attn[np.arange(len(alignment.path)), alignment.path]
        values["path_probability"] = float(np.exp(chosen.mean()))
    # Pauses, boundaries of words, and marks of stress and length may vanish or last.
    spoken = alignment.durations[~np.isin(alignment.tokens, tuple(NO_SOUND))]
    values["zero_durations"] = float(np.mean(spoken <= 0)) if len(spoken) else 0.0
    values["long_durations"] = float(np.mean(spoken * seconds_per_frame > LONGEST_TOKEN)) if len(spoken) else 0.0
    return values


def diagonality(log_p_attn: np.ndarray) -> float:
    """Correlation of time with the expected token of soft alignment log_p_attn (T, T_text), rows log-normalised.

    1 for a straight diagonal, near 0 for an alignment that has not formed (every frame looks at the same mixture of
    tokens), negative where it runs backwards. Natural speech reaches about 0.98, as tokens differ in length.
    """
    probability = np.exp(log_p_attn)
    expected = probability @ np.arange(probability.shape[1]) / probability.sum(1)
    value = correlation(np.arange(len(expected), dtype=np.float64), expected)
    return 0.0 if np.isnan(value) else value


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
    pairs = {key: parts(value) for key, value in values.items()}
    figures = {key: pair[0] / pair[1] for key, pair in pairs.items() if pair is not None and pair[1]}
    found = []
    if (cer := figures.get("cer", 0.0)) > WORST_CER:
        found.append(f"not understood: CER {cer:.0%}")
    if not DURATION_RATIOS[0] <= (duration := figures.get("duration_ratio", 1.0)) <= DURATION_RATIOS[1]:
        found.append(f"{duration:.2f} times as long as the recording")
    if (straight := figures.get("diagonality", 1.0)) < WORST_DIAGONALITY:
        found.append(f"the alignment has not formed: diagonality {straight:.2f}")
    if (unspoken := figures.get("zero_durations", 0.0)) > MOST_UNSPOKEN:
        found.append(f"{unspoken:.0%} of the tokens got no frame")
    return found
