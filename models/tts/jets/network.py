"""The JETS network: text to waveform in one module (Lim, Jung, Kim 2022, arXiv 2203.16852, section 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from models.kernels.monotonic import search_paths
from models.tts.jets import variance
from models.tts.jets.alignment import AlignmentModule
from models.tts.jets.conditioning import UNNAMED, Conditioning, Encoded, Film, Roles, chosen_rows, condition_size
from models.tts.jets.config import JetsModelConfig
from models.tts.jets.prosody_flow import ProsodyFlow
from models.tts.jets.transformer import Transformer, initialise_xavier
from models.vocoders.convolutions import length_mask

STATISTICS = ("log_f0_mean", "log_f0_std", "energy_mean", "energy_std")


@dataclass
class Batch:
    """Utterances of mixed lengths, padded, on one device.

    The lengths are carried twice: on the device for the step, which never waits for it, and on the host (the sampler
    knows them anyway) for those who cut utterances out of a batch, as validation does.
    """

    text: Tensor  # (B, T_text) token ids, 0 in padding
    text_lengths: Tensor  # (B,) int64
    mel: Tensor  # (B, T, n_mel) natural log
    frame_lengths: Tensor  # (B,) int64
    log_f0: Tensor  # (B, T) normalised, 0 in padding
    energy: Tensor  # (B, T) normalised, 0 in padding
    audio: Tensor  # (B, T * hop_size) in [-1, 1], 0 in padding
    host_text_lengths: tuple[int, ...]
    host_frame_lengths: tuple[int, ...]
    ids: tuple[str, ...]
    speaker_ids: Tensor | None = None  # (B,), where there are several
    language_ids: Tensor | None = None  # (B, T_text), or (B,)
    speaker_vectors: Tensor | None = None  # (B, spk_embed_dim)

    @property
    def roles(self) -> Roles:
        """Who speaks, and in which language."""
        return Roles(self.speaker_ids, self.language_ids, self.speaker_vectors)

    def to(self, device: torch.device | str) -> Batch:
        """The batch on a device."""
        moved: dict[str, Any] = {name: v.to(device) for name, v in vars(self).items() if isinstance(v, Tensor)}
        return replace(self, **moved)


@dataclass
class Alignment:
    """Where the tokens of a batch stand in its recordings, and what is heard there."""

    log_p_attn: Tensor  # (B, T, T_text), prior included
    path: Tensor  # (B, T) token of each frame
    durations: Tensor  # (B, T_text) frames on that path
    log_f0: Tensor  # (B, T_text) normalised, averaged over durations
    energy: Tensor  # (B, T_text) normalised, averaged over durations

    @property
    def log_durations(self) -> Tensor:
        """What the duration predictor is to say, log(duration + 1) (B, T_text)."""
        return torch.log(self.durations.float() + 1)


@dataclass
class Predictions:
    """What the predictors make of the text alone."""

    log_durations: Tensor  # (B, T_text) log(duration + 1)
    log_f0: Tensor  # (B, T_text) normalised
    energy: Tensor  # (B, T_text) normalised

    @property
    def values(self) -> tuple[Tensor, Tensor, Tensor]:
        """All three."""
        return self.log_durations, self.log_f0, self.energy


@dataclass
class AcousticOutput:
    """Everything in front of the decoder, for a batch with recordings."""

    text_mask: Tensor  # (B, T_text)
    frame_mask: Tensor  # (B, T)
    hidden: Tensor  # (B, T_text, C) encoder states
    aligned: Alignment
    predicted: Predictions
    flow: tuple[Tensor, Tensor] | None = None  # velocities (B, T_text, 3) of the prosody, guessed and wanted


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

    log_f0_mean: Tensor
    log_f0_std: Tensor
    energy_mean: Tensor
    energy_std: Tensor
    mel_mean: Tensor
    mel_std: Tensor

    def __init__(
        self, model: JetsModelConfig, n_tokens: int, n_mel: int, statistics: dict[str, float] | None = None
    ) -> None:
        """Build with random weights; `statistics` are the corpus' means and deviations, which travel as buffers."""
        super().__init__()
        channels, size = model.hidden_channels, condition_size(model)
        told = {place: size if place in model.speaker_in else 0 for place in ("predictors", "decoder", "generator")}
        self.upsampling_delta = model.upsampling_delta
        self.pitch_stop_gradient = model.pitch_predictor.stop_gradient
        self.energy_stop_gradient = model.energy_predictor.stop_gradient
        self.embedding = nn.Embedding(n_tokens, channels, padding_idx=0)
        self.encoder = Transformer(channels, model.encoder)
        self.alignment = AlignmentModule(channels, n_mel, model.prior_omega)
        self.duration_predictor = variance.VariancePredictor(channels, model.duration_predictor, told["predictors"])
        self.pitch_predictor = variance.VariancePredictor(channels, model.pitch_predictor, told["predictors"])
        self.energy_predictor = variance.VariancePredictor(channels, model.energy_predictor, told["predictors"])
        self.pitch_embedding = variance.ValueEmbedding(channels, model.pitch_predictor)
        self.energy_embedding = variance.ValueEmbedding(channels, model.energy_predictor)
        self.decoder = Transformer(channels, model.decoder, told["decoder"])
        initialise_xavier(self)
        self.generator = model.generator_config.build(channels)
        # A voice of one speaker and language has none of what follows, nor has one whose prosody is always the same.
        several = size > 0 or model.several_languages
        self.conditioning = Conditioning(model, len(STATISTICS)) if several else None
        self.generator_film = Film(size, channels) if told["generator"] else None
        self.prosody = ProsodyFlow(channels, model.prosody, told["predictors"]) if model.prosody.layers else None
        if self.prosody is not None:
            initialise_xavier(self.prosody)
        for film in self.modules():
            if isinstance(film, Film):
                film.reset()
        for name in STATISTICS:
            value = (statistics or {}).get(name, 1.0 if name.endswith("std") else 0.0)
            self.register_buffer(name, torch.tensor(value, dtype=torch.float32))
        # Ours sees plain log-mels; a voice that learned on normalised ones (ESPnet's) brings its own.
        self.register_buffer("mel_mean", torch.zeros(n_mel))
        self.register_buffer("mel_std", torch.ones(n_mel))

    def encode(self, text: Tensor, text_mask: Tensor, roles: Roles) -> Encoded:
        """Encoder states (B, T_text, C) of token ids (B, T_text), zero in padding, and who speaks.

        What holds for a whole utterance, such as who speaks, belongs to these states: all that follows sees them.
        """
        if self.conditioning is None:
            return Encoded(self.encoder(self.embedding(text), text_mask))
        hidden = self.encoder(self.conditioning.before_encoder(self.embedding(text), roles), text_mask)
        return self.conditioning(hidden, text_mask, roles)

    def scale(self, roles: Roles) -> tuple[Tensor, ...]:
        """STATISTICS of those who speak: each () for the whole corpus, or (B, 1) for each one's own."""
        table = None if self.conditioning is None else self.conditioning.speaker_statistics
        if table is None:
            return tuple(getattr(self, name) for name in STATISTICS)
        chosen = table[:1] if roles.speakers is None else chosen_rows(table, roles.speakers)
        return tuple(chosen.split(1, dim=1))

    def align(self, batch: Batch, hidden: Tensor, text_mask: Tensor, frame_mask: Tensor) -> Alignment:
        """Align encoder states (B, T_text, C) with a batch's recordings."""
        mel = (batch.mel - self.mel_mean) / self.mel_std * frame_mask.unsqueeze(-1)
        log_p_attn = self.alignment(hidden, mel, text_mask, frame_mask)
        path = search_paths(log_p_attn, batch.text_lengths, batch.frame_lengths)
        durations = variance.durations_of(path, frame_mask, text_mask.shape[1])
        log_f0, energy = (variance.average_by_duration(values, durations) for values in (batch.log_f0, batch.energy))
        return Alignment(log_p_attn, path, durations, log_f0, energy)

    def predict(self, encoded: Encoded, text_mask: Tensor) -> Predictions:
        """Durations, pitch and energy from encoder states alone."""
        hidden, speaker = encoded.hidden, encoded.speaker
        mask = text_mask.unsqueeze(-1).to(hidden.dtype)
        for_pitch = hidden.detach() if self.pitch_stop_gradient else hidden
        for_energy = hidden.detach() if self.energy_stop_gradient else hidden
        return Predictions(
            self.duration_predictor(hidden, mask, speaker),
            self.pitch_predictor(for_pitch, mask, speaker),
            self.energy_predictor(for_energy, mask, speaker),
        )

    def flow(self, encoded: Encoded, aligned: Alignment, text_mask: Tensor) -> tuple[Tensor, Tensor] | None:
        """What `AcousticOutput.flow` holds."""
        if self.prosody is None:
            return None
        values = (aligned.durations, aligned.log_f0, aligned.energy)
        return self.prosody.velocities(encoded.hidden, encoded.speaker, values, text_mask)

    def decode(
        self, encoded: Encoded, durations: Tensor, log_f0: Tensor, energy: Tensor, text_mask: Tensor,
        frame_mask: Tensor, tempo: float | Tensor = 1.0,
    ) -> Tensor:  # fmt: skip
        """Decoder states (B, T, C): encoder states plus embedded pitch and energy, spread over the durations.

        The only way from encoder states to frames, in training as in inference. All but `encoded` are
        (B, T_text); frame_mask is (B, T). `tempo`, one number or (B, T_text), says how many times faster than the voice
        speaks `durations` are.
        """
        # Summed in float32: an autocast embedding must not round the residual stream.
        adapted = encoded.hidden + self.energy_embedding(energy) + self.pitch_embedding(log_f0)
        # Widths in frames shrink with the tempo, as the distances do: neighbours blend as they did in training.
        delta = self.upsampling_delta * tempo**2
        upsampled = variance.gaussian_upsample(adapted, durations, text_mask, frame_mask.shape[1], delta)
        states = self.decoder(upsampled * frame_mask.unsqueeze(-1), frame_mask, encoded.speaker)
        if self.generator_film is not None and encoded.speaker is not None:
            states = self.generator_film(states, encoded.speaker) * frame_mask.unsqueeze(-1)
        return states

    def hear(self, batch: Batch) -> tuple[AcousticOutput, Encoded]:
        """Align a batch with its recordings, and predict; and its encoder states."""
        text_mask = length_mask(batch.text_lengths, batch.text.shape[1])
        frame_mask = length_mask(batch.frame_lengths, batch.mel.shape[1])
        encoded = self.encode(batch.text, text_mask, batch.roles)
        aligned = self.align(batch, encoded.hidden, text_mask, frame_mask)
        predicted, flow = self.predict(encoded, text_mask), self.flow(encoded, aligned, text_mask)
        return AcousticOutput(text_mask, frame_mask, encoded.hidden, aligned, predicted, flow), encoded

    def acoustic(self, batch: Batch) -> tuple[AcousticOutput, Tensor]:
        """What is heard in a batch; decoder states (B, T, C) with the recordings' durations, pitch and energy."""
        output, encoded = self.hear(batch)
        heard, text_mask = output.aligned, output.text_mask
        states = self.decode(encoded, heard.durations, heard.log_f0, heard.energy, text_mask, output.frame_mask)
        return output, states

    def read(self, text: Tensor, text_lengths: Tensor, roles: Roles) -> tuple[Encoded, Predictions]:
        """Encoder states of token ids (B, T_text), and what is predicted from them."""
        text_mask = length_mask(text_lengths, text.shape[1])
        encoded = self.encode(text, text_mask, roles)
        return encoded, self.predict(encoded, text_mask)

    def draw(
        self, encoded: Encoded, text: Tensor, text_mask: Tensor, temperature: float | Tensor, seed: int | Tensor
    ) -> Predictions:
        """Prosody from its distribution, in place of the likeliest one; for voices that have learned it."""
        assert self.prosody is not None
        spread = torch.as_tensor(temperature, dtype=torch.float32, device=text.device)
        number = torch.as_tensor(seed, device=text.device)
        return Predictions(*self.prosody.draw(encoded.hidden, encoded.speaker, text, text_mask, spread, number))

    def vary(
        self, log_f0: Tensor, energy: Tensor, pitch_shift: float | Tensor, energy_scale: float | Tensor, mask: Tensor,
        roles: Roles,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Normalised log F0 and energy (B, T_text), moved by `pitch_shift` in log F0 and scaled by `energy_scale`."""
        _, log_f0_std, energy_mean, energy_std = self.scale(roles)
        if isinstance(pitch_shift, Tensor) or pitch_shift != 0.0:
            log_f0 = (log_f0 + pitch_shift / log_f0_std) * mask
        if isinstance(energy_scale, Tensor) or energy_scale != 1.0:
            plain = energy * energy_std + energy_mean
            energy = (plain * energy_scale - energy_mean) / energy_std * mask
        return log_f0, energy

    @torch.no_grad()
    def plan(
        self, text: Tensor, text_lengths: Tensor, *, roles: Roles = UNNAMED, speed: float | Tensor = 1.0,
        pitch_shift: float | Tensor = 0.0, energy_scale: float | Tensor = 1.0, durations: Tensor | None = None,
        log_f0: Tensor | None = None, energy: Tensor | None = None, temperature: float = 0.0, seed: int = 0,
    ) -> InferenceOutput:  # fmt: skip
        """Everything of `infer` but the waveform, which is left empty (B, 0)."""
        encoded, predicted = self.read(text, text_lengths, roles)
        text_mask = length_mask(text_lengths, text.shape[1])
        if self.prosody is not None and temperature > 0:
            predicted = self.draw(encoded, text, text_mask, temperature, seed)
        if durations is None:
            durations = variance.durations_from_log(predicted.log_durations, text_mask)
        durations = variance.scale_durations(durations, speed)
        log_f0, energy = self.vary(
            predicted.log_f0 if log_f0 is None else log_f0, predicted.energy if energy is None else energy,
            pitch_shift, energy_scale, text_mask, roles,
        )  # fmt: skip
        frame_lengths = durations.sum(1)
        host_lengths = tuple(frame_lengths.tolist())  # the only time that the host waits
        frame_mask = length_mask(frame_lengths, max(host_lengths))
        tempo = speed.float() if isinstance(speed, Tensor) else speed
        states = self.decode(encoded, durations, log_f0, energy, text_mask, frame_mask, tempo)
        nothing = states.new_zeros(len(text), 0)
        return InferenceOutput(nothing, frame_lengths, host_lengths, durations, log_f0, energy, states)

    def generate(self, states: Tensor, frame_lengths: Sequence[int]) -> Tensor:
        """Waveforms (B, T * hop_size) of decoder states (B, T, C), each as if alone and zero behind its end."""
        if all(length == states.shape[1] for length in frame_lengths):
            return self.generator(states)
        return self.generator(states, torch.tensor(list(frame_lengths)).to(states.device, non_blocking=True))

    @torch.no_grad()
    def infer(self, text: Tensor, text_lengths: Tensor, **controls: Any) -> InferenceOutput:
        """Speak token ids (B, T_text): the same for each utterance alone and in a batch.

        Controls: `speed` times the tempo; `pitch_shift` added to log F0 (natural log: semitones * ln 2 / 12);
        `energy_scale` times the energy; these three are numbers, or one for each token (B, T_text). `roles` (otherwise
        the first speaker and language). `temperature` above 0: a voice that has learned their distribution draws
        durations, pitch and energy, for each `seed` others. And, each (B, T_text), `durations` in frames, normalised
        `log_f0` and `energy` in place of these.
        """
        output = self.plan(text, text_lengths, **controls)
        output.waveform = self.generate(output.decoder_states, output.host_frame_lengths)
        return output

    @torch.no_grad()
    def copy(self, batch: Batch) -> tuple[AcousticOutput, InferenceOutput]:
        """Copy synthesis: align a batch with its recordings, and speak it with what they do (teacher forcing).

        What the waveform part alone loses: the waveform has the recordings' timing. For use in eval mode.
        """
        output, _ = self.acoustic(batch)
        known = {name: getattr(output.aligned, name) for name in ("durations", "log_f0", "energy")}
        return output, self.infer(batch.text, batch.text_lengths, roles=batch.roles, **known)
