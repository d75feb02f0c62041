"""One training step: the same tensors on the way, losses and gradients as ESPnet's JETS."""

from __future__ import annotations

import pytest
import torch

from models.tts.jets.conditioning import Roles
from tests.parity.compare import (
    Outcome,
    espnet_arguments,
    largest_difference,
    norm,
    run_espnet,
    run_ours,
    segments_from,
)
from tests.parity.oracle import Pair, random_batch

TOLERANCE, GRADIENT_TOLERANCE = 1e-4, 1e-3
# A single parameter's gradient may be a small rest of large contributions, and noisier than all of them together.
SINGLE_GRADIENT_TOLERANCE = 5e-3
SEGMENT = 32


def check(ours: Outcome, theirs: Outcome) -> None:
    """Every tensor and loss within TOLERANCE, gradients relatively: their norm, and each on its own."""
    assert ours.tensors.keys() == theirs.tensors.keys()
    differences = {name: largest_difference(ours.tensors[name], theirs.tensors[name]) for name in theirs.tensors}
    assert differences["durations"] == 0
    assert not {name: value for name, value in differences.items() if value > TOLERANCE}
    # Forty-five times a mel loss: the total is compared relatively.
    for name, value in theirs.losses.items():
        assert ours.losses[name] == pytest.approx(value, rel=1e-5, abs=TOLERANCE), name
    for kind in ("network_gradients", "discriminator_gradients"):
        mine, other = getattr(ours, kind), getattr(theirs, kind)
        assert norm(mine) == pytest.approx(norm(other), rel=GRADIENT_TOLERANCE)
        assert norm(other) > 0
        pairs = {name: (mine[name], gradient) for name, gradient in other.items() if not name.endswith(".alpha")}
        # The scales of the positional encodings are one number each, the rest of terms a thousand times as large (0.07
        # of 74): alone they would measure how a processor rounds, and another number of threads moves them as far.
        scales = [name for name in other if name not in pairs]
        if scales:
            pairs[" ".join(scales)] = tuple(torch.stack([side[name] for name in scales]) for side in (mine, other))
        far = {
            name: float((one - two).norm() / two.norm())
            for name, (one, two) in pairs.items()
            if (one - two).norm() > SINGLE_GRADIENT_TOLERANCE * two.norm()
        }
        assert not far


@pytest.mark.parametrize(
    ("seed", "text_lengths", "frame_lengths"),
    [(0, [17, 11, 5], [70, 45, 34]), (1, [8, 21], [33, 64]), (2, [3, 13], [90, 32])],
)
def test_mixed_lengths(pair: Pair, seed: int, text_lengths: list[int], frame_lengths: list[int]) -> None:
    batch, starts = random_batch(seed, text_lengths, frame_lengths, SEGMENT)
    check(run_ours(pair, batch, starts), run_espnet(pair, batch, starts))


def test_published_size(full_pair: Pair) -> None:
    """One utterance; tests/benchmarks/parity_table.py takes batches."""
    batch, starts = random_batch(5, [12], [40], SEGMENT)
    check(run_ours(full_pair, batch, starts), run_espnet(full_pair, batch, starts))


def test_equal_lengths_agree_as_a_batch(pair: Pair) -> None:
    """Without padding, ESPnet's own batch gives the losses that ours gives."""
    batch, starts = random_batch(7, [14, 14, 14], [50, 50, 50], SEGMENT)
    ours = run_ours(pair, batch, starts)
    pair.jets.train()
    arguments = espnet_arguments(pair, batch, slice(0, 3))
    with segments_from(starts):
        generator = pair.jets(**arguments)
        discriminator = pair.jets(**arguments, forward_generator=False)
    assert ours.losses["generator/total"] == pytest.approx(float(generator["loss"].detach()), rel=1e-5)
    assert ours.losses["discriminator/total"] == pytest.approx(float(discriminator["loss"].detach()), rel=1e-5)


def test_espnet_lets_padding_leak_and_ours_does_not(pair: Pair) -> None:
    """Why mixed lengths are compared one utterance at a time: what ESPnet computes depends on the neighbours."""
    batch, starts = random_batch(8, [15, 6], [60, 33], SEGMENT)
    alone, alone_starts = random_batch(8, [15, 6], [60, 33], SEGMENT)
    generator = pair.jets.generator
    pair.jets.eval()
    short = slice(1, 2)

    def states(rows: slice) -> tuple[torch.Tensor, torch.Tensor]:
        arguments = espnet_arguments(pair, batch, rows)
        with torch.no_grad(), segments_from(starts[rows]):
            hidden, _ = generator.encoder(arguments["text"], generator._source_mask(arguments["text_lengths"]))
            outputs = generator(**{k: v for k, v in arguments.items() if not k.startswith("speech")})
        return hidden[-1, :6], outputs[6][-1, :6]  # encoder states and predicted pitch of the short utterance

    for in_batch, by_itself in zip(states(slice(0, 2)), states(short)):
        assert float((in_batch - by_itself).abs().max()) > 1e-2
    with torch.no_grad():
        pair.network.eval()
        together, _ = pair.network.acoustic(batch)
        short_text = batch.text[short, :6]
        hidden = pair.network.encode(short_text, torch.ones_like(short_text, dtype=torch.bool), Roles()).hidden
    torch.testing.assert_close(together.hidden[1, :6], hidden[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(hidden[0], states(short)[0], atol=1e-5, rtol=0)


def test_utterances_shorter_than_a_segment_are_padded_here_and_fatal_there(pair: Pair) -> None:
    batch, _ = random_batch(9, [6], [20], SEGMENT)
    starts = torch.zeros(1, dtype=torch.long)
    with pytest.raises(RuntimeError, match="expanded size|size of tensor"), segments_from(starts):
        pair.jets(**espnet_arguments(pair, batch, slice(0, 1)))
    pair.jets._cache = None
    losses = run_ours(pair, batch, starts).losses
    assert all(value == value and abs(value) < 1e4 for value in losses.values())
