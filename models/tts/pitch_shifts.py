"""Another pitch than a voice's own: how far it moves when that is asked for, measured, and what makes up the rest.

A network that has heard one speaker follows a shift of its pitch input only in part, the less the further it leads out
of what that speaker did. How far is a property of the trained weights, so it is measured once: sentences are spoken
at several shifts, and their F0 is compared frame by frame, which is possible because durations stay.

Where the voice's own range ends, the rest of a shift is made from the sound: decoder states are stretched in time, so
that the speech comes out slower, and its waveform is squeezed back to the length that it should have, formants kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from processors.pitch_response import PitchResponse
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


def stretched(states: Tensor, semitones: float) -> Tensor:
    """Decoder states (1, T, C) of speech so much slower, or faster, that undoing it by resampling adds `semitones`."""
    n_frames = max(1, round(states.shape[1] * 2 ** (semitones / 12)))
    return F.interpolate(states.transpose(1, 2), size=n_frames, mode="linear").transpose(1, 2)


def frame_shifts(voice: Any, plain: Sequence[np.ndarray], moved: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Semitones between two versions of each utterance, of every frame (T,), NaN where either is unvoiced."""
    from processors.audio.pitch import extract_f0_batch  # imports much that speaking does without

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


def measure(voice: Any, checkpoint: str) -> PitchResponse:
    """Let a models.tts.voice.Voice that knows of no response speak SENTENCES at every one of SHIFTS, and see.

    :raises UserError: there is no pitch in what it says, or none that follows.
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
    response = PitchResponse.from_measured(checkpoint, SHIFTS, found)
    if len(response.asked) == 1:
        raise UserError(f"{checkpoint}: the pitch of this voice does not follow what is asked; it needs more training")
    return response
