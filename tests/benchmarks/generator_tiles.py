"""Which tiles the fused HiFi-GAN kernels should have on this GPU, and what the whole generator takes; medians.

    python tests/benchmarks/generator_tiles.py [--batch 32] [--frames 302] [--dtype bf16]

For each pair of channel counts of the default generator it times a convolution with every candidate, and marks the one
that `models/kernels/hifigan_triton.py:tile_of` takes. It stops a column of candidates after --seconds.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

try:
    import triton
    from triton.testing import do_bench
except ModuleNotFoundError:
    sys.exit("error: this needs triton, which comes with torch's CUDA builds for Linux")

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from models.kernels.fused_hifigan import FusedConv, tile_of
from models.registry import load_config
from models.tts.jets.gpu_inference import for_inference
from models.vocoders.convolutions import WeightNormConv1d, fold_weight_norm

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
NAMES = ("BLOCK_T", "BLOCK_C", "BLOCK_N", "num_warps", "num_stages")


def candidates(n_in: int, n_out: int) -> list[dict[str, int]]:
    """Tiles worth a try, the present one first."""
    wide = min(256, max(16, triton.next_power_of_2(n_out)))
    deep = min(128, max(16, n_in & -n_in))
    found = [tile_of(n_in, n_out)]
    for block_t, block_n, block_c, warps, stages in itertools.product(
        (256, 128), sorted({wide, max(16, wide // 2)}), sorted({deep, min(deep, 64)}), (4, 8), (1, 3, 4)
    ):
        shared = 2 * stages * (block_t * block_c + block_c * block_n)
        # Registers for the sums, shared memory for what is on its way.
        if shared > 200_000 or not 16 <= block_t * block_n // (32 * warps) <= 128:
            continue
        tile = dict(zip(NAMES, (block_t, block_c, block_n, warps, stages)))
        if tile not in found:
            found.append(tile)
    return found


def layers_of(generator: torch.nn.Module) -> list[tuple[str, WeightNormConv1d, int]]:
    """One convolution for each pair of channel counts: its name and rows per frame of its input."""
    found, rate = [("input", generator.input_conv, 1)], 1
    for number, (upsample, blocks) in enumerate(zip(generator.upsamples, generator.blocks), 1):
        found.append((f"upsample {number}", upsample, rate))
        rate *= upsample.stride
        found.append((f"stage {number}", blocks[len(blocks) // 2].dilated[1], rate))
    return [*found, ("output", generator.output_conv, rate)]


def milliseconds(work: Callable[[], object]) -> float:
    """Median time of `work` on the device."""
    return do_bench(work, warmup=5, rep=20, return_mode="median")


def main() -> None:
    """Print the whole generator's times, then a line for each kind of convolution."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--frames", type=int, default=302)
    parser.add_argument("--dtype", choices=DTYPES, default="bf16")
    parser.add_argument("--seconds", type=float, default=25.0, help="for each kind of convolution, at most")
    parser.add_argument("--generator", choices=["hifigan", "hifigan_light"], default="hifigan")
    arguments = parser.parse_args()
    dtype, batch, frames = DTYPES[arguments.dtype], arguments.batch, arguments.frames
    config = load_config(ROOT / "config/jets.json").model
    torch.manual_seed(0)
    channels = config.hidden_channels
    generator = getattr(config.generators, arguments.generator).build(channels).eval().cuda()
    fold_weight_norm(generator)
    states = torch.randn(batch, frames, channels, device="cuda")
    lengths = torch.full((batch,), frames, device="cuda")
    print(torch.cuda.get_device_name(), f"batch {batch}, {frames} frames, {arguments.dtype}", flush=True)
    with torch.inference_mode(), torch.autocast("cuda", dtype, cache_enabled=False):
        fused, library = generator.fused(dtype), for_inference(generator, dtype)
        print(f"fused {milliseconds(lambda: fused(states, lengths)):.2f} ms", flush=True)
        print(f"cuDNN {milliseconds(lambda: library(states)):.2f} ms", flush=True)
        with torch.backends.cudnn.flags(enabled=True, benchmark=True):
            print(f"cuDNN, tried out, {milliseconds(lambda: library(states)):.2f} ms", flush=True)
        difference = (fused(states, lengths) - library(states)).std() / library(states).std()
        print(f"relative difference {float(difference):.4f}", flush=True)
        for name, layer, rate in layers_of(generator):
            print_best(name, layer, rate, states, lengths, dtype, arguments.seconds)


def print_best(
    name: str, layer: WeightNormConv1d, rate: int, states: torch.Tensor, lengths: torch.Tensor, dtype: torch.dtype,
    seconds: float,
) -> None:  # fmt: skip
    """Time a convolution with each tile; print the present one and the three best."""
    started, times = time.perf_counter(), []
    batch, frames, _ = states.shape
    for tile in candidates((present := FusedConv(layer, dtype)).n_in, present.n_out):
        conv = FusedConv(layer, dtype, tile)
        x = torch.randn(batch, frames * rate, conv.n_in, device="cuda", dtype=dtype)
        try:
            taken = milliseconds(lambda conv=conv, x=x: conv(x, lengths, rate, slope=0.1))
        except triton.runtime.errors.OutOfResources:
            continue
        times.append((taken, [tile[name] for name in NAMES]))
        if time.perf_counter() - started > seconds:
            break
    operations = 2 * batch * frames * rate * present.taps * present.n_in * present.n_out
    best = sorted(times)[:3]
    print(f"{name}: {present.n_in} -> {present.n_out}, {present.taps} taps, {len(times)} candidates", flush=True)
    for label, (taken, tile) in [("now", times[0]), *(("best", pair) for pair in best)]:
        print(f"    {label} {taken:.3f} ms {operations / taken / 1e9:.0f} TFLOP/s {dict(zip(NAMES, tile))}", flush=True)


if __name__ == "__main__":
    main()
