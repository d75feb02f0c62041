"""The fused generator is the generator, whatever its shape, and each utterance ends where it ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from models.vocoders.convolutions import fold_weight_norm
from models.vocoders.hifigan import HifiganGenerator

pytest.importorskip("triton")
ROOT = Path(__file__).resolve().parents[3]
V1 = {
    "channels": 512, "kernel_size": 7, "upsample_rates": [8, 8, 2, 2], "upsample_kernel_sizes": [16, 16, 4, 4],
    "resblock_kernel_sizes": [3, 7, 11], "resblock_dilations": [[1, 3, 5]] * 3,
}  # fmt: skip
SHAPES = {
    "small": (24, {**V1, "channels": 32, "upsample_rates": [4, 2], "upsample_kernel_sizes": [8, 4],
                   "resblock_kernel_sizes": [3, 7], "resblock_dilations": [[1, 3], [1, 5]]}),
    "odd": (6, {**V1, "channels": 40, "kernel_size": 5, "upsample_rates": [3, 2], "upsample_kernel_sizes": [7, 6],
                "resblock_kernel_sizes": [3], "resblock_dilations": [[2]]}),
    "exact": (16, {**V1, "channels": 16, "upsample_rates": [5], "upsample_kernel_sizes": [5],
                   "resblock_kernel_sizes": [3, 5, 7], "resblock_dilations": [[1], [1, 2], [3]]}),
}  # fmt: skip


def check(name: str, device: str, dtype: torch.dtype, lengths: list[int], tolerance: float) -> None:
    """Compare with the generator itself, one utterance at a time, in float32."""
    from models.kernels.hifigan_triton import FusedHifigan, can_fuse

    n_in, shape = SHAPES[name] if name in SHAPES else (256, V1)
    torch.manual_seed(0)
    generator = HifiganGenerator(n_in, **shape).eval().to(device)
    fold_weight_norm(generator)
    assert can_fuse(generator)
    frames = torch.randn(len(lengths), max(lengths) + 3, n_in, device=device)
    with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        made = FusedHifigan(generator, dtype)(frames, torch.tensor(lengths, device=device))
        assert made.dtype == torch.float32 and made.shape == (len(lengths), frames.shape[1] * generator.hop_size)
        for row, length, one in zip(made, lengths, frames):
            expected = generator(one[None, :length])[0]
            error = (row[: len(expected)] - expected).square().mean().sqrt()
            # The mean carries next to nothing of the sound.
            assert error < tolerance * expected.std(), (name, length, float(error), float(expected.std()))
            worst = (row[: len(expected)] - expected).abs().max()
            assert worst < 8 * tolerance * expected.std() + 8 * error, (name, length, float(worst))


@pytest.mark.parametrize("name", list(SHAPES))
def test_in_the_interpreter(name: str) -> None:
    if torch.cuda.is_available():
        pytest.skip("the kernels run for real here")
    lengths = {"small": [9, 1, 13], "odd": [7, 3], "exact": [31, 2]}[name]
    code = "import torch; from tests.models.kernels.test_hifigan_triton import check; "
    code += f"check({name!r}, 'cpu', torch.float32, {lengths}, 1e-4)"
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", [*SHAPES, "V1"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float16, 0.006), (torch.bfloat16, 0.05)])
def test_on_the_gpu(name: str, dtype: torch.dtype, tolerance: float) -> None:
    check(name, "cuda", dtype, [97, 1, 64, 20], tolerance)
