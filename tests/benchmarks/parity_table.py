"""Print the table of maximum differences from ESPnet that egs/tts/Jets/EXCHANGE.md shows.

usage: python tests/benchmarks/parity_table.py        (a few minutes on a CPU; needs tests/requirements-parity.txt)
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.parity.compare import largest_difference, norm, run_espnet, run_ours  # noqa: E402
from tests.parity.oracle import Pair, build_pair, random_batch  # noqa: E402
from tests.parity.test_inference import compare, sentences  # noqa: E402

# Lengths of text and speech of each batch, by seed.
BATCHES = {5: ([12, 8], [48, 33]), 6: ([9, 20, 4], [40, 61, 32])}
SMALL_BATCHES = {seed: ([17, 11, 5, 9], [70, 45, 34, 52]) for seed in range(10, 20)}


def row_of(name: str) -> str:
    """Table row of a tensor: feature maps are summed up by kind of discriminator."""
    match = re.fullmatch(r"discriminator (\d+), layer \d+, (\w+)", name)
    if not match:
        return name
    return f"feature maps, {'scale' if match[1] == '0' else 'period'} discriminators, {match[2]} speech"


def differences(pair: Pair, batches: dict[int, tuple[list[int], list[int]]]) -> dict[str, float]:
    """Largest difference of every row over the batches."""
    worst: dict[str, float] = defaultdict(float)
    for seed, lengths in batches.items():
        batch, starts = random_batch(seed, *lengths, 32)
        ours, theirs = run_ours(pair, batch, starts), run_espnet(pair, batch, starts)
        for name, tensors in theirs.tensors.items():
            worst[row_of(name)] = max(worst[row_of(name)], largest_difference(ours.tensors[name], tensors))
        for name, value in theirs.losses.items():
            row = f"loss: {name}"
            worst[row] = max(worst[row], abs(ours.losses[name] - value))
        for kind, label in (("network_gradients", "network"), ("discriminator_gradients", "discriminators")):
            mine, other = getattr(ours, kind), getattr(theirs, kind)
            row = f"gradient norm of the {label}, relative"
            worst[row] = max(worst[row], abs(norm(mine) / norm(other) - 1))
            row = f"gradient of any one parameter of the {label}, relative"
            each = [float((mine[name] - value).norm() / value.norm()) for name, value in other.items()]
            worst[row] = max(worst[row], *each)
    return worst


def main() -> None:
    """See the module."""
    columns = []
    for full, batches, count, longest in ((True, BATCHES, 10, 20), (False, SMALL_BATCHES, 50, 18)):
        with tempfile.TemporaryDirectory() as folder:
            pair = build_pair(Path(folder), full, seed=3)
            column = differences(pair, batches)
            wrong, samples = compare(pair, sentences(count, longest, 0), batch_size=25)
        column["free-running: tokens with another duration"] = wrong
        column["free-running: waveform, alone and in batches"] = samples
        columns.append(column)
    print("| | published size | small |\n| --- | --- | --- |")
    for row in columns[0]:
        values = [column[row] for column in columns]
        print(f"| {row} | {' | '.join('0' if value == 0 else f'{value:.1e}' for value in values)} |")


if __name__ == "__main__":
    main()
