"""One training step, as a textbook has it; `fast_step` holds the form that GPUs use."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import torch
from torch import Tensor

from models.base.device import preserved_random_state
from models.tts.jets.config import JetsConfig
from models.tts.jets.losses import Losses, Segments
from models.tts.jets.network import AcousticOutput, Batch, JetsNetwork
from models.vocoders.discriminators import Discriminators, discriminator_losses

AUTOCAST_DTYPES = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(eq=False)
class TrainStep:
    """Adds the gradients of one batch to both networks; the optimisers are the caller's.

    Both are updated afterwards, so that both losses see the discriminators as they were before.
    """

    network: JetsNetwork  # both are on their device already
    discriminator: Discriminators
    config: JetsConfig
    precision: str  # "fp32", "bf16" or "fp16"

    def __post_init__(self) -> None:
        self.device = self.network.log_f0_mean.device
        self.segment_size, self.hop_size = self.config.train.segment_size, self.config.preprocess.hop_size
        self.losses, self.dtype = Losses(self.config, self.device), AUTOCAST_DTYPES[self.precision]

    def __call__(
        self, batch: Batch, loss_scale: Tensor | float = 1.0, starts: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Add the gradients of `batch`, times loss_scale, to both networks; detached losses on the device.

        Segments start at frames `starts` (B,), or at random. Keys are "generator/<term>" raw,
        "generator/<term>/weighted", "generator/total", "discriminator/real", "discriminator/fake" and
        "discriminator/total". They are valid until the next step.
        """
        output, segments = self.speak(batch, starts)
        terms = self.losses.acoustic(output, batch) | self.losses.waveform(segments)
        (self.losses.weighted(terms) * loss_scale).backward(inputs=list(self.network.parameters()))

        with self.autocast():
            features = self.discriminator(torch.cat([segments.real, segments.fake.detach()]))
        real, fake = discriminator_losses(features)
        ((real + fake) * loss_scale).backward(inputs=list(self.discriminator.parameters()))
        return self.losses.report(terms, (real, fake))

    def speak(self, batch: Batch, starts: Tensor | None) -> tuple[AcousticOutput, Segments]:
        """The whole forward pass of both networks, with segments from frames `starts` (B,), or random ones."""
        with self.autocast():
            output, decoded = self.network.acoustic(batch)
            states, real = self.cut(decoded, batch, starts)
            fake = self.network.generator(states)
            features = self.discriminator(torch.cat([real, fake]))
        return output, Segments(states, real, fake, features, self.losses.mels)

    def cut(self, decoded: Tensor, batch: Batch, starts: Tensor | None) -> tuple[Tensor, Tensor]:
        """Segments (B, S, C) of decoder states (B, T, C), and the recordings' audio (B, S * hop_size) there."""
        if starts is None:
            starts = random_starts(batch.frame_lengths, self.segment_size)
        states = take_segments(decoded.float(), starts, self.segment_size)
        return states, take_segments(batch.audio, starts * self.hop_size, self.segment_size * self.hop_size)

    def autocast(self) -> torch.autocast:
        """The step's precision."""
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not None)

    @torch.no_grad()
    def evaluate(self, batch: Batch) -> dict[str, Tensor]:
        """The same losses without gradients, on the middle of each utterance; for networks in eval mode."""
        output, segments = self.speak(batch, (batch.frame_lengths - self.segment_size).clamp_min(0) // 2)
        terms = self.losses.acoustic(output, batch) | self.losses.waveform(segments)
        return self.losses.report(terms, discriminator_losses(segments.features))


class TextStep(TrainStep):
    """The step of a run that trains nothing but predictors: no waveform is made, and nothing is judged."""

    def __call__(
        self, batch: Batch, loss_scale: Tensor | float = 1.0, starts: Tensor | None = None
    ) -> dict[str, Tensor]:
        """As `TrainStep`'s, for the network's predictors alone, whose parameters are those that want gradients."""
        # What rests also aligns, and its dropout would blur what the others learn.
        for part in (self.network.encoder, self.network.alignment):
            part.eval()
        terms = self._terms(batch)
        (self.losses.weighted(terms) * loss_scale).backward()
        return self.losses.report(terms)

    @torch.no_grad()
    def evaluate(self, batch: Batch) -> dict[str, Tensor]:
        """The same losses without gradients, each time from the same random draws; for networks in eval mode."""
        # Fresh ones would choose the best checkpoint by chance; the training's own go on where they were.
        with preserved_random_state(self.device):
            torch.manual_seed(zlib.crc32(" ".join(batch.ids).encode()))
            return self.losses.report(self._terms(batch))

    def _terms(self, batch: Batch) -> dict[str, Tensor]:
        with self.autocast():
            output, _ = self.network.hear(batch)
        return self.losses.acoustic(output, batch, "variance")


def take_segments(values: Tensor, starts: Tensor, size: int) -> Tensor:
    """Windows values[b, starts[b] : starts[b] + size] of values (B, T, ...), zeros beyond T: (B, size, ...)."""
    index = starts.unsqueeze(1) + torch.arange(size, device=values.device)
    inside = index < values.shape[1]
    index = index.clamp_max(values.shape[1] - 1)
    shape = (*index.shape, *([1] * (values.dim() - 2)))
    taken = values.gather(1, index.view(shape).expand(*index.shape, *values.shape[2:]))
    return taken * inside.view(shape)


def random_starts(frame_lengths: Tensor, size: int, generator: torch.Generator | None = None) -> Tensor:
    """Uniform first frames (B,) of segments of `size` frames inside utterances of frame_lengths (B,); 0 if shorter."""
    room = (frame_lengths - size).clamp_min(0)
    uniform = torch.rand(room.shape, device=room.device, generator=generator)
    return torch.minimum((uniform * (room + 1)).long(), room)
