"""One training step, as a textbook has it; `fast_step` holds the form that GPUs use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from models.tts.jets.batch import Batch
from models.tts.jets.config import JetsConfig
from models.tts.jets.losses import Losses, Segments
from models.tts.jets.network import AcousticOutput, JetsNetwork
from models.tts.jets.upsampling import random_starts, take_segments
from models.vocoders.discriminators import Discriminators, discriminator_losses

AUTOCAST_DTYPES = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


class TrainStep:
    """Adds the gradients of one batch to both networks; the optimisers are the caller's.

    Both are updated afterwards, so that both losses see the discriminators as they were before.
    """

    def __init__(
        self,
        network: JetsNetwork,
        discriminator: Discriminators,
        config: JetsConfig,
        device: torch.device,
        precision: str,
    ) -> None:
        """Prepare the step for networks that are on `device` already; precision is "fp32", "bf16" or "fp16"."""
        self.network, self.discriminator, self.device = network, discriminator, device
        self.segment_size, self.hop_size = config.train.segment_size, config.preprocess.hop_size
        self.losses, self.dtype = Losses(config, device), AUTOCAST_DTYPES[precision]

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
        (self.losses.weighted(terms) * loss_scale).backward(inputs=trainable(self.network))

        with self.autocast():
            features = self.discriminator(torch.cat([segments.real, segments.fake.detach()]))
        real, fake = discriminator_losses(features)
        ((real + fake) * loss_scale).backward(inputs=trainable(self.discriminator))
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
        """The same losses without gradients or dropout, on segments from the middle of each utterance."""
        with evaluating(self.network, self.discriminator):
            output, segments = self.speak(batch, (batch.frame_lengths - self.segment_size).clamp_min(0) // 2)
        terms = self.losses.acoustic(output, batch) | self.losses.waveform(segments)
        return self.losses.report(terms, discriminator_losses(segments.features))


@contextmanager
def evaluating(*modules: nn.Module) -> Iterator[None]:
    """Inside the block the modules are in eval mode."""
    modes = [module.training for module in modules]
    for module in modules:
        module.eval()
    try:
        yield
    finally:
        for module, mode in zip(modules, modes):
            module.train(mode)


def trainable(module: nn.Module) -> list[nn.Parameter]:
    """Parameters that training changes."""
    return [parameter for parameter in module.parameters() if parameter.requires_grad]
