"""Generator, discriminators and weight normalisation."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F

from models.vocoders.convolutions import (
    WeightNormConv1d,
    WeightNormConvTranspose1d,
    fold_weight_norm,
)
from models.vocoders.discriminators import ResolutionDiscriminator
from models.vocoders.hifigan import HifiganGenerator
from models.vocoders.istft import IstftGenerator


def small_generator(**changes: object) -> HifiganGenerator:
    torch.manual_seed(0)
    arguments = {
        "channels": 16, "kernel_size": 7, "upsample_rates": [4, 3], "upsample_kernel_sizes": [8, 5],
        "resblock_kernel_sizes": [3, 7], "resblock_dilations": [[1, 3], [1, 3, 5]],
    }  # fmt: skip
    return HifiganGenerator(8, **{**arguments, **changes}).eval()


@pytest.mark.parametrize("layer", [
    WeightNormConv1d(6, 8, 5, stride=2, padding=2, groups=2),
    WeightNormConvTranspose1d(6, 8, 6, stride=3, padding=1),
])  # fmt: skip
def test_weight_norm_equals_pytorchs_and_folding_changes_nothing(layer: WeightNormConv1d) -> None:
    x = torch.randn(2, 6, 1, 30)
    weight = layer.weight_g * layer.weight_v / layer.weight_v.flatten(1).norm(dim=1).view(-1, 1, 1)
    torch.testing.assert_close(layer.weight(), weight)
    before = layer(x)
    fold_weight_norm(layer)
    torch.testing.assert_close(layer(x), before)
    assert [name for name, _ in layer.named_parameters()] == ["bias"]


def small_istft() -> IstftGenerator:
    torch.manual_seed(0)
    return IstftGenerator(8, channels=12, ffn_channels=16, layers=2, kernel_size=3, n_fft=64, hop_size=16).eval()


@pytest.mark.parametrize("make", [small_generator, small_istft])
def test_batch_of_mixed_lengths_equals_one_at_a_time(make: Callable[[], torch.nn.Module]) -> None:
    generator = make()
    lengths = torch.tensor([60, 47, 3, 60, 1, 2 * generator.receptive_field + 1])
    frames = torch.randn(6, 60, 8)  # anything in padding
    with torch.no_grad():
        together = generator(frames, lengths)
        for row, one, length in zip(together, frames, lengths.tolist()):
            alone = generator(one[None, :length])[0]
            assert alone.shape == (length * generator.hop_size,)
            torch.testing.assert_close(row[: len(alone)], alone, atol=1e-6, rtol=1e-4)
            assert row[len(alone) :].eq(0).all()


def test_resolution_discriminator_sees_the_complex_spectrum() -> None:
    torch.manual_seed(0)
    discriminator = ResolutionDiscriminator(64, 4)
    audio = torch.randn(2, 320)
    spectrum = torch.stft(audio, 64, 16, window=torch.hann_window(64), normalized=True, return_complex=True)
    x = torch.stack([spectrum.real, spectrum.imag], 1).transpose(2, 3)  # (B, 2, T', F)
    features = discriminator(audio)
    first, v, g = discriminator.convs[0], discriminator.convs[0].weight_v, discriminator.convs[0].weight_g
    weight = v * g / v.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    torch.testing.assert_close(features[0], F.leaky_relu(F.conv2d(x, weight, first.bias, padding=(1, 4)), 0.1))
    # Three layers halve the frequency axis; time stays.
    assert [tuple(f.shape[1:]) for f in features] == [
        (4, 21, 33), (4, 21, 17), (4, 21, 9), (4, 21, 5), (4, 21, 5), (1, 21, 5)
    ]  # fmt: skip


def test_inverse_stft_equals_torchs() -> None:
    generator = small_istft()
    random = torch.Generator().manual_seed(0)
    spectrum = torch.randn(2, 40, 33, dtype=torch.complex64, generator=random)
    fast = generator._overlap_add(torch.cat([spectrum.real, spectrum.imag], -1) @ generator.basis)
    fast = fast / generator._overlap_add(generator.window_square.expand(1, 40, -1))
    slow = torch.istft(spectrum.transpose(1, 2), 64, 16, window=torch.hann_window(64), center=True)
    # torch.istft cuts half a window at the start, ours 1.5 hops: one half hop earlier.
    torch.testing.assert_close(fast[:, 8 : 8 + slow.shape[1]], slow, atol=1e-4, rtol=1e-4)
