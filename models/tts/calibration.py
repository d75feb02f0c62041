"""How far a voice's pitch moves when it is asked to: measured once, for models.tts.pitch_response to invert.

A separate file, because measuring pitch imports much that speaking does without.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.tts.pitch_response import PitchResponse
from models.tts.voice import Voice
from processors.audio.pitch import extract_f0_batch
from utils.errors import UserError

# What is asked for, in semitones.
SHIFTS = (-12.0, -9.0, -6.0, -4.0, -3.0, -2.0, 2.0, 3.0, 4.0, 6.0, 9.0, 12.0)
WIDEST = 6.0  # semitones that F0 may leave the range that stage 1 looks for
# Where this share of the voiced frames is no longer voiced, the range has ended, too: far below it a voice creaks.
MOST_UNVOICED = 0.2
SENTENCES = (
    "The lamp by the window hums when the evening grows cold.",
    "We measured the bridge twice and wrote the numbers down.",
    "My uncle keeps a pair of wooden oars above the fireplace.",
    "Several large boxes were shipped to the wrong address.",
    "On Thursday the weather turned, and rain fell for hours.",
    "He was sure that nobody had seen him leave the old house.",
)


def frame_shifts(voice: Voice, plain: Sequence[np.ndarray], moved: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Semitones between two versions of each utterance, of every frame (T,), NaN where either is unvoiced."""
    preprocess = voice.config.preprocess
    reach = 2 ** (WIDEST / 12)
    # The same wide range for both, so that the search does not favour what is expected.
    bounds = (preprocess.f0_min / reach, preprocess.f0_max * reach)
    f0 = extract_f0_batch([*plain, *moved], voice.sample_rate, voice.hop_size, *bounds)
    shifts = []
    for before, after in zip(f0[: len(plain)], f0[len(plain) :]):
        voiced = (before > 0) & (after > 0)
        ratio = np.divide(after, before, out=np.full(len(before), np.nan), where=voiced)
        shifts.append(12 * np.log2(ratio))
    return shifts


def measure(voice: Voice, checkpoint: str) -> PitchResponse:
    """Speak SENTENCES at every one of SHIFTS and see; `voice` must not know of a response.

    :raises UserError: there is no pitch in what it says.
    """
    settings = voice.config.inference
    ids = [line.ids for text in SENTENCES for line in voice.script.lines(text, settings)]

    def spoken(semitones: float) -> list[np.ndarray]:
        return voice.synthesize_ids(ids, pitch=semitones, speed=1.0, energy=0.0, target_level_db=None)

    plain = spoken(0.0)
    voiced = sum(np.isfinite(frames).sum() for frames in frame_shifts(voice, plain, plain))
    if voiced == 0:
        raise UserError(f"{checkpoint}: nothing that this voice says is voiced; it needs more training")
    found = []
    for semitones in SHIFTS:
        frames = np.concatenate(frame_shifts(voice, plain, spoken(semitones)))
        frames = frames[np.isfinite(frames)]
        kept = len(frames) >= (1 - MOST_UNVOICED) * voiced
        found.append(float(np.median(frames)) if kept else float("nan"))
    return PitchResponse.from_measured(checkpoint, SHIFTS, found)
