"""The module that becomes the graph: token ids in, waveform out, nothing but tensor arithmetic between."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.tts.exchange.onnx.graph_layers import prepare_network
from models.tts.exchange.onnx.masked import masked_generator
from models.tts.jets.masking import length_mask
from models.tts.jets.network import JetsNetwork
from models.tts.jets.variance import durations_from_log
from models.vocoders.convolutions import fold_weight_norm

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
        prepare_network(network)
        self.network = network
        self.generator = masked_generator(network.generator, network.embedding.embedding_dim)

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

        hidden = network.encode(text, text_mask)
        log_durations, log_f0, plain_energy = network.predict(hidden, text_mask)
        durations = stretch_durations(durations_from_log(log_durations, text_mask), length_scale)
        log_f0 = (log_f0 + pitch * (math.log(2) / 12) / network.log_f0_std) * text_mask
        plain_energy = plain_energy * network.energy_std + network.energy_mean
        loudness = torch.exp(energy * (math.log(10) / 20))
        scaled_energy = (plain_energy * loudness - network.energy_mean) / network.energy_std * text_mask

        frame_lengths = durations.sum(1)
        n_frames = frame_lengths.max()
        frame_mask = length_mask(frame_lengths, n_frames)
        tempo = 1 / length_scale
        upsampled = network.upsample(hidden, durations, log_f0, scaled_energy, text_mask, frame_mask, tempo)
        states = network.decoder(upsampled, frame_mask)
        waveform = self._waveform(states, frame_mask, n_frames, window)

        # Back to where the caller has them: tokens that were dropped take no time.
        given = durations.gather(1, place.clamp(min=0)) * kept
        return waveform[:, None, None], given

    def _waveform(self, states: Tensor, frame_mask: Tensor, n_frames: Tensor, window: Tensor) -> Tensor:
        """Samples (B, n) of the frames in `window`, made with as many frames around them as can change them."""
        hop, reach = self.generator.hop_size, self.generator.receptive_field
        start = torch.minimum(window[0], n_frames)
        end = torch.where(window[1] > 0, torch.minimum(start + window[1], n_frames), n_frames)
        left = (start - reach).clamp(min=0)
        right = torch.minimum(end + reach, n_frames)
        waveform = self.generator(states[:, left:right], frame_mask[:, left:right])
        cut = slice((start - left) * hop, (end - left) * hop)
        mask = frame_mask[:, start:end].unsqueeze(-1).expand(-1, -1, hop).flatten(1)
        return waveform[:, cut] * mask


def stretch_durations(durations: Tensor, factor: Tensor) -> Tensor:
    """Durations (B, T_text) times a factor: `variance.scale_durations` at 1 / factor times the tempo.

    The running maximum in it is one over a triangle here, as graphs have no such operation.
    """
    ends = (durations.double() / (1 / factor.double())).cumsum(1).round().long()
    least = (durations > 0).long().cumsum(1)
    ahead = (ends - least).clamp_min(0)
    position = torch.arange(durations.shape[1], device=durations.device)
    earlier = position.unsqueeze(0) <= position.unsqueeze(1)
    # Nothing is below zero, so that zero stands for what does not count.
    ends = least + (ahead.unsqueeze(1) * earlier).amax(-1)
    return ends - F.pad(ends, (1, 0))[:, :-1]
