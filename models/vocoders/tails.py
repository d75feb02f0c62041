"""Waveforms of a padded batch, each as if its utterance were alone.

A generator knows no masks: near an utterance's end, what lies in the padding would change its samples. Only the last
`receptive_field` frames are concerned, so those are made once more from windows that end where the utterance ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor


class FrameGenerator(Protocol):
    """What a waveform generator offers."""

    hop_size: int
    receptive_field: int

    def __call__(self, frames: Tensor) -> Tensor: ...


def generate_each(generator: FrameGenerator, frames: Tensor, frame_lengths: Tensor | Sequence[int]) -> Tensor:
    """Waveform (B, T * hop_size) of frames (B, T, C) with frame_lengths (B,), zero behind each end.

    Lengths that are numbers on the host save a wait for the device.
    """
    lengths = frame_lengths.tolist() if isinstance(frame_lengths, Tensor) else list(frame_lengths)
    n_frames, hop, reach = frames.shape[1], generator.hop_size, generator.receptive_field
    waveform = generator(frames)
    shorter = [i for i, length in enumerate(lengths) if length < n_frames]
    # A window must hold the whole left context too; an utterance too short for that is simply made alone.
    windowed = [i for i in shorter if lengths[i] > 2 * reach]
    if windowed:
        windows = torch.stack([frames[i, lengths[i] - 2 * reach : lengths[i]] for i in windowed])
        for i, tail in zip(windowed, generator(windows)):
            waveform[i, (lengths[i] - reach) * hop : lengths[i] * hop] = tail[reach * hop :]
    for i in set(shorter) - set(windowed):
        waveform[i, : lengths[i] * hop] = generator(frames[i : i + 1, : lengths[i]])[0]
    for i in shorter:
        waveform[i, lengths[i] * hop :] = 0
    return waveform
