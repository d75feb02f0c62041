"""The module that becomes the graph: token ids in, waveform out, nothing but tensor arithmetic between."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.tts.jets.network import JetsNetwork
from models.tts.jets.variance import durations_from_log, scale_durations
from models.vocoders.convolutions import fold_weight_norm, length_mask

PAD_ID = 0
# noise_scale, length_scale and noise_w; with pitch, energy, first frame and number of frames.
PIPER_SCALES, N_SCALES = 3, 7


class ExportedVoice(nn.Module):
    """Speaks token ids as `JetsNetwork.infer` does; an utterance sounds the same alone and in a batch."""

    def __init__(self, network: JetsNetwork) -> None:
        """Take over a network for good."""
        super().__init__()
        network.eval()
        fold_weight_norm(network)
        self.network, self.generator = network, network.generator

    def forward(self, ids: Tensor, lengths: Tensor, scales: Tensor) -> tuple[Tensor, Tensor]:
        """Waveform (B, 1, 1, N) and frames of each token (B, T_text).

        ids (B, T_text) int64 of which `lengths` (B,) count; id 0 is dropped wherever it stands, since Piper puts it
        between all phonemes. scales (3,) to (7,) float32 holds what Piper gives (noise_scale, length_scale, noise_w),
        of which length_scale acts, as the factor of all durations; then, as far as given, pitch in semitones, energy
        in dB, the first frame and the number of frames that become waveform (0: all). What lies behind an utterance's
        end is zero.
        """
        given_scales = F.pad(scales, (0, N_SCALES - PIPER_SCALES))
        length_scale, pitch, energy = given_scales[1], given_scales[3], given_scales[4]
        window = given_scales[5:N_SCALES].long()
        network, size = self.network, ids.shape[1]
        kept = (ids != PAD_ID) & length_mask(lengths, size)
        place = kept.long().cumsum(1) - 1
        text_lengths = kept.long().sum(1)
        text_mask = length_mask(text_lengths, text_lengths.max())
        # Dropped ids all land in one place too many, which is cut off.
        room = F.pad(torch.zeros_like(ids), (0, 1))
        text = room.scatter(1, torch.where(kept, place, size), ids)[:, : text_mask.shape[1]]

        hidden, predicted = network.read(text, text_lengths)
        tempo = 1 / length_scale.double()
        durations = scale_durations(durations_from_log(predicted.log_durations, text_mask), tempo)
        log_f0, loudness = network.vary(
            predicted.log_f0, predicted.energy, pitch * (math.log(2) / 12), torch.exp(energy * (math.log(10) / 20)),
            text_mask,
        )  # fmt: skip
        frame_lengths = durations.sum(1)
        frame_mask = length_mask(frame_lengths, frame_lengths.max())
        states = network.decode(hidden, durations, log_f0, loudness, text_mask, frame_mask, tempo.float())
        waveform = self._waveform(states, frame_lengths, window)

        # Back to where the caller has them: tokens that were dropped take no time.
        given = durations.gather(1, place.clamp(min=0)) * kept
        return waveform[:, None, None], given

    def _waveform(self, states: Tensor, frame_lengths: Tensor, window: Tensor) -> Tensor:
        """Samples (B, n) of the frames in `window`, made with as many frames around them as can change them."""
        hop, reach, n_frames = self.generator.hop_size, self.generator.receptive_field, frame_lengths.max()
        start = torch.minimum(window[0], n_frames)
        end = torch.where(window[1] > 0, torch.minimum(start + window[1], n_frames), n_frames)
        left = (start - reach).clamp(min=0)
        right = torch.minimum(end + reach, n_frames)
        waveform = self.generator(states[:, left:right], frame_lengths - left)
        return waveform[:, (start - left) * hop : (end - left) * hop]
