"""Streaming: the pieces are the whole, for every generator and any chunk size; the receptive field is exact."""

from __future__ import annotations

import pytest
import torch

from models.registry import load_config
from models.tts.pieces import generate_in_chunks
from models.vocoders.convolutions import fold_weight_norm
from models.vocoders.hifigan import HifiganGenerator
from tests.tiny_voice import ROOT, TINY

CHANNELS = 6
HIFIGANS = [
    {"upsample_rates": [2, 3], "upsample_kernel_sizes": [4, 5], "resblock_kernel_sizes": [3],
     "resblock_dilations": [[1]]},
    {"upsample_rates": [4, 2], "upsample_kernel_sizes": [8, 4], "resblock_kernel_sizes": [3, 7],
     "resblock_dilations": [[1, 3], [1, 3]]},
    {"upsample_rates": [3], "upsample_kernel_sizes": [9], "resblock_kernel_sizes": [3, 5],
     "resblock_dilations": [[2], [1, 4]]},
    {"upsample_rates": [8, 8, 2, 2], "upsample_kernel_sizes": [16, 16, 4, 4], "resblock_kernel_sizes": [3, 7, 11],
     "resblock_dilations": [[1, 3, 5]] * 3},
]  # fmt: skip


def small_generator(name: str) -> torch.nn.Module:
    config = load_config(ROOT / "config/jets.json", [*TINY, f"model.generator={name}"])
    torch.manual_seed(0)
    generator = getattr(config.model.generators, name).build(CHANNELS).eval()
    fold_weight_norm(generator)
    return generator


@pytest.mark.parametrize("shape", HIFIGANS)
def test_the_receptive_field_of_hifigan_is_exact(shape: dict[str, list[int]]) -> None:
    generator = HifiganGenerator(CHANNELS, channels=16, kernel_size=5, **shape).double().eval()
    with torch.no_grad():
        # With positive weights, small enough for tanh, no two paths from an input to an output can cancel out.
        for parameter in generator.parameters():
            parameter.abs_().mul_(0.1)
    reach, hop = generator.receptive_field, generator.hop_size
    middle = reach + 3
    frames = torch.ones(1, 2 * middle + 1, CHANNELS, dtype=torch.double, requires_grad=True)
    generator(frames)[0, middle * hop : (middle + 1) * hop].sum().backward()
    touched = frames.grad[0].sum(1).nonzero()[:, 0].tolist()
    assert max(middle - touched[0], touched[-1] - middle) == reach


@pytest.mark.parametrize("name", ["hifigan", "hifigan_light", "istft"])
@pytest.mark.parametrize(("first", "largest"), [(1, 1), (3, 50), (16, 128), (500, 500)])
@pytest.mark.parametrize("n_frames", [1, 7, 45])
def test_pieces_are_the_waveform_of_one_pass(name: str, first: int, largest: int, n_frames: int) -> None:
    generator = small_generator(name)
    frames = torch.randn(1, n_frames, CHANNELS, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        whole = generator(frames)[0]
        pieces = list(generate_in_chunks(generator, frames, first, largest))
    assert len(pieces[0]) == min(first, n_frames) * 256
    assert whole.std() > 0
    assert (torch.cat(pieces) - whole).abs().max() < 1e-5
