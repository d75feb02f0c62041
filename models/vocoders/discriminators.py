"""HiFi-GAN's discriminators and losses (arXiv 2010.05646, sections 2.3 and 2.4), and multi-resolution discriminators.

Losses are sums over discriminators of means inside each.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.kernels.feature_distance import feature_distance
from models.vocoders.convolutions import WeightNormConv1d, WeightNormConv2d
from processors.audio.mel import reflect

# Feature maps of each discriminator, layer by layer, the judgement last. For the losses the batch holds real segments,
# then as many generated ones.
Features = list[list[Tensor]]
SLOPE = 0.1
PERIOD_KERNEL, PERIOD_STRIDES = 5, (3, 3, 3, 3, 1)
SCALE_KERNEL, SCALE_STRIDES = 41, (2, 2, 4, 4, 1)


class PeriodDiscriminator(nn.Module):
    """Judges every p-th sample: a 2-D convolution of width one, done as a 1-D one over the p phases.

    Feature maps are (B * p, C, 1, T'), which holds the values of the usual (B, C, T', p).
    """

    def __init__(self, period: int, channels: int, max_channels: int) -> None:
        super().__init__()
        self.period = period
        self.convs = nn.ModuleList()
        in_channels = 1
        for stride in PERIOD_STRIDES:
            self.convs.append(
                WeightNormConv1d(in_channels, channels, PERIOD_KERNEL, stride, padding=PERIOD_KERNEL // 2)
            )
            in_channels, channels = channels, min(channels * 4, max_channels)
        self.output_conv = WeightNormConv1d(in_channels, 1, 2, padding=1)

    def forward(self, audio: Tensor) -> list[Tensor]:
        """Feature maps of audio (B, N), the last one being the judgement (B * p, 1, 1, T')."""
        short = -audio.shape[1] % self.period
        if short:
            audio = reflect(audio, 0, short)
        phases = audio.view(audio.shape[0], -1, self.period).transpose(1, 2)
        return run_layers(phases.reshape(-1, 1, 1, phases.shape[2]), self.convs, self.output_conv)


class ScaleDiscriminator(nn.Module):
    """Judges the waveform by strided, grouped convolutions."""

    def __init__(self, channels: int, max_channels: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList([WeightNormConv1d(1, channels, 15, padding=7)])
        in_channels, groups = channels, 4
        for stride in SCALE_STRIDES:
            self.convs.append(
                WeightNormConv1d(in_channels, channels, SCALE_KERNEL, stride, padding=SCALE_KERNEL // 2, groups=groups)
            )
            in_channels, channels, groups = channels, min(channels * 2, max_channels), 16
        self.convs.append(WeightNormConv1d(in_channels, channels, 5, padding=2))
        self.output_conv = WeightNormConv1d(channels, 1, 3, padding=1)

    def forward(self, audio: Tensor) -> list[Tensor]:
        """Feature maps of audio (B, N), the last one being the judgement (B, 1, 1, T')."""
        return run_layers(audio[:, None, None], self.convs, self.output_conv)


class ResolutionDiscriminator(nn.Module):
    """Judges the complex spectrogram of one window length (arXiv 2106.07889, section 2.2, there of magnitudes).

    Feature maps are (B, C, T', F').
    """

    window: Tensor

    def __init__(self, n_fft: int, channels: int) -> None:
        super().__init__()
        self.n_fft, self.hop_size = n_fft, n_fft // 4
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)
        wide, narrow = (3, 9), (3, 3)
        self.convs = nn.ModuleList([WeightNormConv2d(2, channels, wide)])
        self.convs.extend(WeightNormConv2d(channels, channels, wide, (1, 2)) for _ in range(3))
        self.convs.append(WeightNormConv2d(channels, channels, narrow))
        self.output_conv = WeightNormConv2d(channels, 1, narrow)

    def forward(self, audio: Tensor) -> list[Tensor]:
        """Feature maps of audio (B, N), the last one being the judgement (B, 1, T', F')."""
        with torch.autocast(audio.device.type, enabled=False):
            spectrum = torch.stft(
                audio.float(), self.n_fft, self.hop_size, window=self.window, normalized=True, return_complex=True
            )
            x = (
                torch.view_as_real(spectrum).permute(0, 3, 2, 1).contiguous(memory_format=torch.channels_last)
            )  # (B, 2, T', F)
        return run_layers(x, self.convs, self.output_conv)


def run_layers(x: Tensor, convs: nn.ModuleList, output_conv: nn.Module) -> list[Tensor]:
    """Outputs of every layer for x (B, C, H, W), leaky ReLU after all but the last."""
    features = []
    for conv in convs:
        x = conv(x, SLOPE)
        features.append(x)
    return [*features, output_conv(x)]


class Discriminators(nn.Module):
    """All scale discriminators, then all period discriminators, then all resolution discriminators."""

    def __init__(
        self,
        periods: Sequence[int],
        period_channels: int,
        period_max_channels: int,
        scales: int,
        scale_channels: int,
        scale_max_channels: int,
        resolutions: Sequence[int] = (),
        resolution_channels: int = 32,
    ) -> None:
        super().__init__()
        self.scales = nn.ModuleList(ScaleDiscriminator(scale_channels, scale_max_channels) for _ in range(scales))
        self.periods = nn.ModuleList(
            PeriodDiscriminator(period, period_channels, period_max_channels) for period in periods
        )
        self.resolutions = nn.ModuleList(ResolutionDiscriminator(n_fft, resolution_channels) for n_fft in resolutions)
        self.judges: list[nn.Module] = [*self.scales, *self.periods, *self.resolutions]

    def inputs(self, audio: Tensor) -> list[Tensor]:
        """What each of `judges` gets of audio (B, N): scale discriminators see it ever more slowly sampled."""
        sampled = [audio] * len(self.scales)
        for i in range(1, len(sampled)):
            sampled[i] = F.avg_pool1d(sampled[i - 1].unsqueeze(1), 4, 2, padding=2).squeeze(1)
        return sampled + [audio] * (len(self.judges) - len(sampled))

    def forward(self, audio: Tensor) -> Features:
        """Feature maps of each discriminator for audio (B, N)."""
        return [judge(x) for judge, x in zip(self.judges, self.inputs(audio))]


def judgements(features: Features) -> tuple[list[Tensor], list[Tensor]]:
    """Each discriminator's judgements of the real and of the generated segments, in float32."""
    halves = [layers[-1].float().chunk(2) for layers in features]
    return [half[0] for half in halves], [half[1] for half in halves]


def discriminator_losses(features: Features) -> tuple[Tensor, Tensor]:
    """Least-squares losses of the judgements on real (target 1) and generated (target 0) segments."""
    real, fake = judgements(features)
    return total([(judged - 1).square().mean() for judged in real]), total([judged.square().mean() for judged in fake])


def adversarial_loss(features: Features) -> Tensor:
    """Least-squares loss of the generator: judgements on its segments against 1."""
    return total([(judged - 1).square().mean() for judged in judgements(features)[1]])


def feature_matching_loss(features: Features) -> Tensor:
    """L1 distance of all feature maps, judgements included; the real ones get no gradient."""
    return total([feature_distance(feature) for layers in features for feature in layers])


def total(losses: list[Tensor]) -> Tensor:
    """The sum () of losses ()."""
    return torch.stack(losses).sum()
