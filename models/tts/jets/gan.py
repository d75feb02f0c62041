"""The waveform half of a training step: generator and discriminators on segments, forward and backward.

Both networks are updated from the same discriminator weights (as in the authors' recipe, where the generator moves
first and the discriminator sees the cached waveform), so one discriminator pass over real and generated segments
serves both losses. The generator's gradient stops at the waveform's way through the discriminators: their weight
gradients are not computed for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

import torch
from torch import Tensor, nn

from models.tts.jets.config import LossConfig
from models.tts.jets.losses import weights_of
from models.vocoders.gan_losses import adversarial_loss, discriminator_losses, feature_matching_loss, split_real_fake
from processors.audio.mel import MelSpectrogram

try:
    from models.kernels.weight_norm_triton import FusedWeights, can_fuse
except ImportError:  # Triton exists for Linux only.
    FusedWeights = None


class GanHalf:
    """Losses of a segment batch; their gradients are added to both networks' and returned for the segments."""

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        mels: Sequence[MelSpectrogram],
        loss: LossConfig,
        autocast_dtype: torch.dtype | None,
        compiled: bool = False,
        fused: bool = False,
    ) -> None:
        """Prepare for networks in place; `compiled` fuses the element-wise work around their convolutions.

        `fused` computes their weight-normalised weights all at once, on a GPU, for channels-last convolutions.

        `mels` holds the spectrum of the mel loss, then those of the multi-resolution one, if it has weight.
        """
        self.generator, self.discriminator, self.mels = generator, discriminator, mels
        self.weights = weights_of(loss)
        self.autocast_dtype = autocast_dtype
        # Shapes are fixed, so nothing is compiled twice; a rarely seen batch size beyond the limit runs uncompiled.
        compile_ = partial(torch.compile, dynamic=False) if compiled else lambda function: function
        kind = autocast_dtype or torch.float32
        possible = fused and not compiled and FusedWeights is not None
        self._fused = [FusedWeights(module, kind) for module in (generator, discriminator)] if possible else []
        self._generate, self._judge = compile_(generator.__call__), compile_(self._discriminator_terms)

    def _autocast(self, device: torch.device) -> torch.autocast:
        return torch.autocast(
            device.type, self.autocast_dtype, enabled=self.autocast_dtype is not None, cache_enabled=False
        )

    def losses(self, segments: Tensor, real: Tensor) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """Raw losses of segments (B, S, C) against real audio (B, S * hop_size), and both weighted totals."""
        with self._autocast(segments.device), self._weights():
            fake = self._generate(segments)
            real_loss, fake_loss, adversarial, feature_matching = self._judge(real, fake)
        terms = {"adversarial": adversarial, "feature_matching": feature_matching}
        distances = [self._mel_distance(mel, real, fake) for mel in self.mels]
        terms["mel"] = distances[0]
        if len(distances) > 1:
            terms["multi_mel"] = torch.stack(distances[1:]).mean()
        generator_total = sum(self.weights[name] * value for name, value in terms.items())
        discriminator_total = real_loss + fake_loss
        raw = {f"generator/{name}": value.detach() for name, value in terms.items()}
        raw["discriminator/real"], raw["discriminator/fake"] = real_loss.detach(), fake_loss.detach()
        return raw, generator_total, discriminator_total

    @contextmanager
    def _weights(self) -> Iterator[None]:
        """Inside the block the networks' weights are computed all at once, in training."""
        with ExitStack() as stack:
            for fused in self._fused if torch.is_grad_enabled() else []:
                if can_fuse(fused.parameters):
                    stack.enter_context(fused.computed())
            yield

    @staticmethod
    def _mel_distance(mel: MelSpectrogram, real: Tensor, fake: Tensor) -> Tensor:
        with torch.no_grad():
            target = mel(real)[0]
        return (mel(fake)[0] - target).abs().mean()

    def _discriminator_terms(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Both discriminator losses, adversarial and feature-matching loss, from one pass over both halves."""
        features = self.discriminator(torch.cat([real, fake]))
        features_real, features_fake = split_real_fake(features)
        return (
            *discriminator_losses(features_real, features_fake),
            adversarial_loss(features_fake),
            feature_matching_loss(features),
        )

    def __call__(self, segments: Tensor, real: Tensor, loss_scale: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Losses, and the gradient of the segments (B, S, C), all gradients times loss_scale ()."""
        segments = segments.detach().requires_grad_()
        raw, generator_total, discriminator_total = self.losses(segments, real)
        (discriminator_total * loss_scale).backward(inputs=trainable(self.discriminator), retain_graph=True)
        (generator_total * loss_scale).backward(inputs=[segments, *trainable(self.generator)])
        return raw, segments.grad


def trainable(module: nn.Module) -> list[nn.Parameter]:
    """Parameters that training changes."""
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def set_channels_last(modules: Iterable[nn.Module], enabled: bool) -> None:
    """Choose the memory layout of every module that knows both."""
    for module in modules:
        if hasattr(module, "channels_last"):
            module.channels_last = enabled
