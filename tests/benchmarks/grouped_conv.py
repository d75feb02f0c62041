"""Grouped convolutions of a scale discriminator on a GPU: Triton kernels beside cuDNN's, C last in memory.

    python tests/benchmarks/grouped_conv.py [--batch 32] [--samples 16384] [--dtype bfloat16] [--tune [LAYER ...]]

Medians in milliseconds of CUDA graphs, as training runs them. --tune tries other tiles for each kernel of all
layers, or of some (0 to 4), in bfloat16; that takes minutes, mostly compilation. It prints what belongs into `TUNED` of
models/kernels/grouped_conv_triton.py.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

try:
    from models.vocoders import grouped_conv_triton as kernels
except ModuleNotFoundError:
    sys.exit("error: this needs triton, which comes with torch's CUDA builds for Linux")

TAPS, PADDING = 41, 20
# Input and output channels, stride, groups.
LAYERS = [(128, 128, 2, 4), (128, 256, 2, 16), (256, 512, 4, 16), (512, 1024, 4, 16), (1024, 1024, 1, 16)]
GAIN = 0.97  # of the rule's time, that a measured exception must beat


def milliseconds(work: Callable[[], object], replays: int = 10, repeats: int = 7) -> float:
    """Median time of `work` as a CUDA graph."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    times = []
    for _ in range(repeats):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        graph.replay()
        start.record()
        for _ in range(replays):
            graph.replay()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end) / replays)
    return statistics.median(times)


def make_layer(
    layer: tuple[int, int, int, int], batch: int, length: int, dtype: torch.dtype
) -> tuple[Tensor, Tensor, Tensor]:
    """Input (B, C, 1, T), weight and bias, as autocast sees them."""
    in_channels, out_channels, _, groups = layer
    x = torch.randn(batch, 1, length, in_channels, device="cuda", dtype=dtype).permute(0, 3, 1, 2)
    weight = torch.randn(out_channels, in_channels // groups, TAPS, device="cuda") * 0.03
    return x.requires_grad_(), weight.requires_grad_(), torch.zeros(out_channels, device="cuda", requires_grad=True)


def cudnn(x: Tensor, weight: Tensor, bias: Tensor, stride: int, padding: int, groups: int) -> Tensor:
    """What autocast makes of F.conv2d."""
    return F.conv2d(x, weight.to(x.dtype).unsqueeze(2), bias.to(x.dtype), (1, stride), (0, padding), 1, groups)


def compare(batch: int, samples: int, dtype: torch.dtype) -> None:
    """Print a line a layer, and sums."""
    print(f"{'in':>5}{'out':>6}{'stride':>7}{'length':>8} | forward: cuDNN, ours | forward + backward: cuDNN, ours")
    length, totals = samples, [0.0] * 4
    for layer in LAYERS:
        parts, (stride, groups) = make_layer(layer, batch, length, dtype), layer[2:]
        times = []
        for backward in (False, True):
            for function in (cudnn, kernels.grouped_conv1d):
                # A graph made out here, on another stream, would break the capture.
                with torch.no_grad():
                    y = function(*parts, stride, PADDING, groups)
                grad = torch.randn_like(y)

                def work(function=function, parts=parts, stride=stride, groups=groups, grad=grad, backward=backward):
                    y = function(*parts, stride, PADDING, groups)
                    return torch.autograd.grad(y, parts, grad) if backward else y

                times.append(milliseconds(work))
        totals = [total + time for total, time in zip(totals, times)]
        columns = "".join(f"{time:10.3f}" for time in times)
        print(f"{layer[0]:5}{layer[1]:6}{stride:7}{length:8} |{columns}", flush=True)
        length = y.shape[-1]
    print(f"{'sum':>26} |" + "".join(f"{total:10.3f}" for total in totals))


def variants(tiles: kernels.Tiles) -> list[kernels.Tiles]:
    """Tiles, and others that differ in a thing or two."""
    found = [tiles]
    if tiles.repeat > 1 and tiles.columns > 16:
        found.append(tiles._replace(repeat=tiles.repeat // 2, columns=tiles.columns // 2, warps=4))
    if tiles.columns < 256:
        found.append(tiles._replace(repeat=tiles.repeat * 2, columns=tiles.columns * 2, warps=8))
    found += [tiles._replace(stages=stages) for stages in (2, 4, 5)]
    found += [tiles._replace(warps=12 - tiles.warps), tiles._replace(warps=12 - tiles.warps, stages=4)]
    found += [tiles._replace(rows=64, warps=4, stages=4), tiles._replace(rows=256, warps=8)]
    found += [tiles._replace(depth=32, stages=5), tiles._replace(depth=128, stages=2), tiles._replace(depth=128)]
    return found


def tune(batch: int, samples: int, chosen: Iterable[int]) -> None:
    """Print the fastest tiles of each kernel, as entries of `TUNED` where they beat the rule."""
    lengths = [samples]
    for layer in LAYERS:
        lengths.append((lengths[-1] + 2 * PADDING - TAPS) // layer[2] + 1)
    for layer, length in [(LAYERS[i], lengths[i]) for i in chosen]:
        x, weight, bias = (part.detach() for part in make_layer(layer, batch, length, torch.bfloat16))
        x, (stride, groups) = x.squeeze(2).transpose(1, 2), layer[2:]
        geometry, channels = (stride, PADDING, groups), kernels.per_group(weight, groups)
        grad = torch.randn_like(kernels.forward_op(x, weight, bias, *geometry))
        works = {
            "forward": lambda x=x, w=weight, b=bias, g=geometry: kernels.forward_op(x, w, b, *g),
            "input": lambda x=x, w=weight, dy=grad, g=geometry: kernels.input_grad_op(dy, w, *g, x.shape[1]),
            "weight": lambda x=x, w=weight, dy=grad, g=geometry: kernels.weight_grad_op(x, dy, w, *g),
        }
        for kind, work in works.items():
            rule = kernels.choose_tiles(kind, channels, TAPS, stride, x.dtype)
            times = {}
            for tiles in variants(rule):
                kernels.TUNED[(kind, *channels, stride)] = tiles
                try:
                    times[tiles] = milliseconds(work, repeats=5)
                except Exception as error:  # Too much shared memory, mostly.
                    print(f"# {kind} {tiles}: {type(error).__name__}")
            kernels.TUNED.pop((kind, *channels, stride))
            best = min(times, key=times.get)
            note = f"# {times[best]:.3f} ms, by the rule {times[rule]:.3f}"
            mark = "" if times[best] < GAIN * times[rule] else "# "
            print(f"{mark}({kind!r}, {channels[0]}, {channels[1]}, {stride}): {best},  {note}", flush=True)


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--samples", type=int, default=16384)
    parser.add_argument("--dtype", choices=("bfloat16", "float16", "float32"), default="bfloat16")
    parser.add_argument("--tune", type=int, nargs="*", choices=range(len(LAYERS)), metavar="LAYER")
    args = parser.parse_args()
    torch.backends.cudnn.benchmark = True
    print(torch.cuda.get_device_name(), torch.__version__)
    if args.tune is None:
        compare(args.batch, args.samples, getattr(torch, args.dtype))
    else:
        tune(args.batch, args.samples, args.tune or range(len(LAYERS)))


if __name__ == "__main__":
    main()
