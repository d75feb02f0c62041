"""The JETS network: text to waveform in one module (Lim, Jung, Kim 2022, arXiv 2203.16852, section 2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.tts.jets.alignment import AlignmentModule
from models.tts.jets.batch import Batch
from models.tts.jets.config import JetsModelConfig
from models.tts.jets.generators import build_generator
from models.tts.jets.masking import length_mask
from models.tts.jets.monotonic import durations_of, search_paths
from models.tts.jets.side_stream import SideStream
from models.tts.jets.transformer import Transformer, initialise_xavier
from models.tts.jets.upsampling import average_by_duration, gaussian_upsample
from models.tts.jets.variance import ValueEmbedding, VariancePredictor, durations_from_log, scale_durations
from models.vocoders.tails import generate_each

STATISTICS = ("log_f0_mean", "log_f0_std", "energy_mean", "energy_std")


@dataclass
class AcousticOutput:
    """Everything in front of the waveform generator, for a batch with recordings."""

    # With a side stream, this must be kept whole, masks included, until the streams have joined. Kernels of one stream
    # read what was made on the other: on the side the encoder states and masks of the main stream, on the main stream
    # the durations, pitch and energy of the side. The allocator does not know: once nothing refers to a tensor, its
    # memory goes to the next one of the stream that made it, even while the other stream has yet to read it. In a
    # captured graph that race would be there at every replay.

    hidden: Tensor  # (B, T_text, C) encoder states
    decoder_states: Tensor  # (B, T, C)
    log_p_attn: Tensor  # (B, T, T_text), prior included
    path: Tensor  # (B, T) token of each frame
    durations: Tensor  # (B, T_text) frames on that path
    log_durations_hat: Tensor  # (B, T_text) predicted log(duration + 1)
    log_f0: Tensor  # (B, T_text) normalised, averaged over durations
    log_f0_hat: Tensor  # (B, T_text) predicted
    energy: Tensor  # (B, T_text) normalised, averaged over durations
    energy_hat: Tensor  # (B, T_text) predicted
    text_mask: Tensor  # (B, T_text)
    frame_mask: Tensor  # (B, T)


@dataclass
class InferenceOutput:
    """Synthesised speech and what it was made of."""

    waveform: Tensor  # (B, T * hop_size), 0 behind an utterance's end
    frame_lengths: Tensor  # (B,)
    host_frame_lengths: tuple[int, ...]
    durations: Tensor  # (B, T_text) frames
    log_f0: Tensor  # (B, T_text) normalised
    energy: Tensor  # (B, T_text) normalised
    decoder_states: Tensor  # (B, T, C)


class JetsNetwork(nn.Module):
    """Text encoder, alignment, variance adaptor, frame decoder and waveform generator."""

    def __init__(
        self, model: JetsModelConfig, n_tokens: int, n_mel: int, statistics: dict[str, float] | None = None
    ) -> None:
        """Build with random weights; `statistics` are the corpus' means and deviations, which travel as buffers."""
        super().__init__()
        channels = model.hidden_channels
        self.upsampling_delta = model.upsampling_delta
        self.pitch_stop_gradient = model.pitch_predictor.stop_gradient
        self.energy_stop_gradient = model.energy_predictor.stop_gradient
        self.embedding = nn.Embedding(n_tokens, channels, padding_idx=0)
        self.encoder = Transformer(channels, model.encoder)
        self.alignment = AlignmentModule(channels, n_mel, model.prior_omega)
        self.duration_predictor = VariancePredictor(channels, model.duration_predictor)
        self.pitch_predictor = VariancePredictor(channels, model.pitch_predictor)
        self.energy_predictor = VariancePredictor(channels, model.energy_predictor)
        self.pitch_embedding = ValueEmbedding(channels, model.pitch_predictor)
        self.energy_embedding = ValueEmbedding(channels, model.energy_predictor)
        self.decoder = Transformer(channels, model.decoder)
        initialise_xavier(self)
        self.generator = build_generator(channels, model.generator_config)
        for name in STATISTICS:
            value = (statistics or {}).get(name, 1.0 if name.endswith("std") else 0.0)
            self.register_buffer(name, torch.tensor(value, dtype=torch.float32))
        # Ours sees plain log-mels; a voice that learned on normalised ones (ESPnet's) brings its own.
        self.register_buffer("mel_mean", torch.zeros(n_mel))
        self.register_buffer("mel_std", torch.ones(n_mel))

    def encode(self, text: Tensor, text_mask: Tensor) -> Tensor:
        """Encoder states (B, T_text, C) of token ids (B, T_text), zero in padding."""
        return self.encoder(self.embedding(text), text_mask)

    def upsample(
        self,
        hidden: Tensor,
        durations: Tensor,
        log_f0: Tensor,
        energy: Tensor,
        text_mask: Tensor,
        frame_mask: Tensor,
        tempo: float | Tensor = 1.0,
    ) -> Tensor:
        """Upsampled states (B, T, C): encoder states plus embedded pitch and energy, spread over the durations.

        The only way from encoder states to frames, in training as in inference. All but `hidden` (B, T_text, C) are
        (B, T_text); frame_mask is (B, T). `tempo`, one number or (B, T_text), says how many times faster than the voice
        speaks `durations` are.
        """
        # Summed in float32: an autocast embedding must not round the residual stream.
        adapted = hidden + self.energy_embedding(energy) + self.pitch_embedding(log_f0)
        # Widths in frames shrink with the tempo, as the distances do: neighbours blend as they did in training.
        delta = self.upsampling_delta * tempo**2
        upsampled = gaussian_upsample(adapted, durations, text_mask, frame_mask.shape[1], delta)
        return upsampled * frame_mask.unsqueeze(-1)

    def predict(self, hidden: Tensor, text_mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Predicted log(duration + 1), normalised log F0 and energy, each (B, T_text), from encoder states alone."""
        mask = text_mask.unsqueeze(-1).to(hidden.dtype)
        for_pitch = hidden.detach() if self.pitch_stop_gradient else hidden
        for_energy = hidden.detach() if self.energy_stop_gradient else hidden
        return (
            self.duration_predictor(hidden, mask),
            self.pitch_predictor(for_pitch, mask),
            self.energy_predictor(for_energy, mask),
        )

    def acoustic(self, batch: Batch) -> AcousticOutput:
        """Align a batch with its recordings and decode it with its own durations, pitch and energy."""
        hidden = self.encode(batch.text, length_mask(batch.text_lengths, batch.text.shape[1]))
        return self.acoustic_of(batch, hidden, hidden, SideStream())

    def acoustic_of(self, batch: Batch, hidden: Tensor, for_decoder: Tensor, side: SideStream) -> AcousticOutput:
        """`acoustic` from encoder states (B, T_text, C), which the decoder gets as `for_decoder`, the same values.

        Alignment and predictions run on the side: the decoder waits for the durations only.
        """
        text_mask = length_mask(batch.text_lengths, batch.text.shape[1])
        frame_mask = length_mask(batch.frame_lengths, batch.mel.shape[1])
        with side.begin():
            mel = (batch.mel - self.mel_mean) / self.mel_std * frame_mask.unsqueeze(-1)
            log_p_attn = self.alignment(hidden, mel, text_mask, frame_mask)
            path = search_paths(log_p_attn, batch.text_lengths, batch.frame_lengths)
            durations = durations_of(path, frame_mask, text_mask.shape[1])
            log_f0 = average_by_duration(batch.log_f0, durations)
            energy = average_by_duration(batch.energy, durations)
            aligned = side.mark()
            log_durations_hat, log_f0_hat, energy_hat = self.predict(hidden, text_mask)
        side.reach(aligned)
        upsampled = self.upsample(for_decoder, durations, log_f0, energy, text_mask, frame_mask)
        return AcousticOutput(
            hidden=hidden,
            decoder_states=self.decoder(upsampled, frame_mask),
            log_p_attn=log_p_attn,
            path=path,
            durations=durations,
            log_durations_hat=log_durations_hat,
            log_f0=log_f0,
            log_f0_hat=log_f0_hat,
            energy=energy,
            energy_hat=energy_hat,
            text_mask=text_mask,
            frame_mask=frame_mask,
        )

    @torch.no_grad()
    def plan(
        self,
        text: Tensor,
        text_lengths: Tensor,
        *,
        speed: float | Tensor = 1.0,
        pitch_shift: float | Tensor = 0.0,
        energy_scale: float | Tensor = 1.0,
        durations: Tensor | None = None,
        log_f0: Tensor | None = None,
        energy: Tensor | None = None,
        predict_from_text: Callable[..., tuple[Tensor, ...]] | None = None,
        decode: Callable[..., Tensor] | None = None,
    ) -> InferenceOutput:
        """Everything of `infer` but the waveform, which is left empty (B, 0).

        `predict_from_text` and `decode` stand in place of the methods of these names, such as CUDA graphs of them;
        they may pad what they return with zeros.
        """
        hidden, log_durations_hat, log_f0_hat, energy_hat = (predict_from_text or self.predict_from_text)(
            text, text_lengths
        )
        n_text = text.shape[1]
        hidden = hidden[:, :n_text]
        text_mask = length_mask(text_lengths, n_text)
        if durations is None:
            durations = durations_from_log(log_durations_hat[:, :n_text], text_mask)
        durations = scale_durations(durations, speed)
        log_f0 = log_f0_hat[:, :n_text] if log_f0 is None else log_f0
        energy = energy_hat[:, :n_text] if energy is None else energy
        if isinstance(pitch_shift, Tensor) or pitch_shift != 0.0:
            log_f0 = (log_f0 + pitch_shift / self.log_f0_std) * text_mask
        if isinstance(energy_scale, Tensor) or energy_scale != 1.0:
            plain = energy * self.energy_std + self.energy_mean
            energy = (plain * energy_scale - self.energy_mean) / self.energy_std * text_mask
        frame_lengths = durations.sum(1)
        # The only time that the host waits for the device.
        host_frame_lengths = tuple(frame_lengths.tolist())
        n_frames = max(host_frame_lengths)
        tempo = speed.float() if isinstance(speed, Tensor) else speed
        states = (decode or self.decode)(
            hidden, durations, log_f0, energy, text_lengths, frame_lengths, n_frames, tempo
        )[:, :n_frames]
        return InferenceOutput(
            states.new_zeros(len(text), 0), frame_lengths, host_frame_lengths, durations, log_f0, energy, states
        )

    def predict_from_text(self, text: Tensor, text_lengths: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Encoder states (B, T_text, C) of token ids (B, T_text), and what `predict` makes of them."""
        text_mask = length_mask(text_lengths, text.shape[1])
        hidden = self.encode(text, text_mask)
        return hidden, *self.predict(hidden, text_mask)

    def decode(
        self,
        hidden: Tensor,
        durations: Tensor,
        log_f0: Tensor,
        energy: Tensor,
        text_lengths: Tensor,
        frame_lengths: Tensor,
        n_frames: int,
        tempo: float | Tensor,
    ) -> Tensor:
        """Decoder states (B, n_frames, C), zero behind frame_lengths (B,); the rest as in `upsample`."""
        text_mask = length_mask(text_lengths, hidden.shape[1])
        frame_mask = length_mask(frame_lengths, n_frames)
        upsampled = self.upsample(hidden, durations, log_f0, energy, text_mask, frame_mask, tempo)
        return self.decoder(upsampled, frame_mask)

    @torch.no_grad()
    def infer(self, text: Tensor, text_lengths: Tensor, **controls: float | Tensor | None) -> InferenceOutput:
        """Speak token ids (B, T_text): the same for each utterance alone and in a batch.

        Controls: `speed` times the tempo; `pitch_shift` added to log F0 (natural log: semitones * ln 2 / 12);
        `energy_scale` times the energy; these three are numbers, or one for each token (B, T_text). And, each
        (B, T_text), `durations` in frames, normalised `log_f0` and `energy` in place of the predicted ones.
        """
        output = self.plan(text, text_lengths, **controls)
        output.waveform = generate_each(self.generator, output.decoder_states, output.host_frame_lengths)
        return output
