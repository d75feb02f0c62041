"""Copy synthesis: a recording's own durations, pitch and energy through the network (teacher forcing)."""

from __future__ import annotations

import torch

from models.tts.jets.batch import Batch
from models.tts.jets.network import AcousticOutput, InferenceOutput, JetsNetwork


@torch.no_grad()
def copy_synthesis(network: JetsNetwork, batch: Batch) -> tuple[AcousticOutput, InferenceOutput]:
    """Align a batch with its recordings, and speak it with what the recordings do: what the waveform part alone loses.

    The waveform (B, T * hop_size) has the recordings' timing, sample by sample. The network should be in eval mode.
    """
    aligned = network.acoustic(batch)
    spoken = network.infer(
        batch.text, batch.text_lengths, durations=aligned.durations, log_f0=aligned.log_f0, energy=aligned.energy
    )
    return aligned, spoken
