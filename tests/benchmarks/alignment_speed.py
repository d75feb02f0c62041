"""Prior, forward-sum loss and alignment search: ours beside ESPnet's, on the same scores, if `espnet` is installed.

    python tests/benchmarks/alignment_speed.py [--repeats 7]

Batches of 16 as in LJSpeech: mixed lengths (565 frames and 105 tokens on average), and 16 of the longest. Medians in
milliseconds, the device's work included. ESPnet keeps priors by pair of lengths; both its cases are shown.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from models.kernels.monotonic import search_paths  # noqa: E402
from models.tts.jets.alignment import beta_binomial_prior, forward_sum_loss  # noqa: E402
from models.tts.jets.variance import durations_of  # noqa: E402
from models.vocoders.convolutions import length_mask  # noqa: E402

BATCHES = {"mixed": ((250, 45), (872, 165)), "longest": ((872, 188), (872, 188))}


def milliseconds(work: Callable[[], object], device: str, repeats: int) -> float:
    """Median time of `work`, after a first run that compiles."""
    wait = torch.cuda.synchronize if device == "cuda" else (lambda: None)
    work()
    times = []
    for _ in range(repeats):
        wait()
        start = time.perf_counter()
        work()
        wait()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def there_and_back(loss: Callable[[Tensor], Tensor], scores: Tensor) -> Tensor:
    """A loss and its gradient."""
    leaf = scores.detach().requires_grad_()
    return torch.autograd.grad(loss(leaf), leaf)[0]


def ours(scores: Tensor, text_lengths: Tensor, frame_lengths: Tensor) -> dict[str, Callable[[], object]]:
    """What our training step does."""
    mask = length_mask(frame_lengths, scores.shape[1])
    return {
        "prior": lambda: beta_binomial_prior(text_lengths, frame_lengths, *scores.shape[1:], 1.0),
        "forward sum, with gradient": lambda: there_and_back(
            lambda leaf: forward_sum_loss(leaf, text_lengths, frame_lengths), scores
        ),
        "search": lambda: durations_of(search_paths(scores, text_lengths, frame_lengths), mask, scores.shape[2]),
    }


def espnets(scores: Tensor, text_lengths: Tensor, frame_lengths: Tensor) -> dict[str, Callable[[], object]]:
    """What ESPnet's does, moving to the device included."""
    from espnet2.gan_tts.jets.alignments import AlignmentModule, viterbi_decode
    from espnet2.gan_tts.jets.loss import ForwardSumLoss

    fresh, kept, forward_sum = AlignmentModule(4, 4, False), AlignmentModule(4, 4), ForwardSumLoss()
    lengths = text_lengths, frame_lengths
    return {
        "prior": lambda: fresh._generate_prior(*lengths).to(scores.device),
        "prior, seen before": lambda: kept._generate_prior(*lengths).to(scores.device),
        "forward sum, with gradient": lambda: there_and_back(lambda leaf: forward_sum(leaf, *lengths), scores),
        "search": lambda: viterbi_decode(scores, *lengths),
    }


def main() -> None:
    """Print a row for each piece and batch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    print(torch.cuda.get_device_name() if device == "cuda" else "CPU", torch.__version__)
    print("| batch | piece | ours, ms | ESPnet, ms | times faster |\n| --- | --- | --- | --- | --- |")
    for name, (first, last) in BATCHES.items():
        frame_lengths = torch.linspace(first[0], last[0], 16).long().to(device)
        text_lengths = torch.linspace(first[1], last[1], 16).long().to(device)
        torch.manual_seed(0)
        scores = torch.randn(16, int(frame_lengths.max()), int(text_lengths.max()), device=device).log_softmax(-1)
        lengths = text_lengths, frame_lengths
        scores = scores + beta_binomial_prior(*lengths, *scores.shape[1:], 1.0)
        mine = {piece: milliseconds(work, device, args.repeats) for piece, work in ours(scores, *lengths).items()}
        theirs = {}
        try:
            theirs = {k: milliseconds(work, device, args.repeats) for k, work in espnets(scores, *lengths).items()}
        except ImportError as error:
            print(f"ESPnet is left out: {error}")
        for piece in theirs or mine:
            own, other = mine[piece.removesuffix(", seen before")], theirs.get(piece)
            rest = f"{other:.2f} | {other / own:.1f}" if other is not None else "- | -"
            print(f"| {name} | {piece} | {own:.3f} | {rest} |", flush=True)


if __name__ == "__main__":
    main()
