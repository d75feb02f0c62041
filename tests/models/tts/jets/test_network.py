"""The whole network: padding, controls, and one function for training and inference."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from models.tts.jets.network import Batch, JetsNetwork

LENGTHS = [(9, 60), (4, 25), (6, 43)]


def longer_speech(network: JetsNetwork) -> JetsNetwork:
    """Random weights predict hardly any duration: make every token about six frames long."""
    with torch.no_grad():
        network.duration_predictor.out.bias += 2.0
    return network.eval()


def tensors(network: JetsNetwork, batch: Batch) -> dict[str, torch.Tensor]:
    """Everything that the network makes of a batch, by name."""
    output, states = network.acoustic(batch)
    parts = {"aligned": output.aligned, "predicted": output.predicted}
    named = {f"{part}.{name}": value for part, values in parts.items() for name, value in vars(values).items()}
    return {"hidden": output.hidden, "states": states, **named}


def test_utterance_gives_the_same_alone_in_a_batch_and_with_more_padding(
    make_network: Callable[[], JetsNetwork], make_batch: Callable[..., Batch]
) -> None:
    network = make_network().eval()
    with torch.no_grad():
        together, padded = tensors(network, make_batch(LENGTHS)), tensors(network, make_batch(LENGTHS, extra=17))
        for i, (n, t) in enumerate(LENGTHS):
            alone = tensors(network, make_batch([(n, t)]))
            for field in alone:
                expected = alone[field][0]
                window = tuple(slice(0, size) for size in expected.shape)
                for other in (together, padded):
                    actual = other[field][i]
                    torch.testing.assert_close(actual[window], expected, atol=2e-5, rtol=1e-4)


def test_inference_is_the_same_alone_and_in_a_batch(
    make_network: Callable[[], JetsNetwork], make_batch: Callable[..., Batch]
) -> None:
    network = longer_speech(make_network())
    batch = make_batch([(20, 30), (4, 9), (11, 20), (1, 3)])
    together = network.infer(batch.text, batch.text_lengths)
    hop = network.generator.hop_size
    assert len(set(together.frame_lengths.tolist())) == 4
    for i, n in enumerate(batch.host_text_lengths):
        alone = network.infer(batch.text[i : i + 1, :n], batch.text_lengths[i : i + 1])
        samples = int(alone.frame_lengths) * hop
        assert together.frame_lengths[i] == alone.frame_lengths[0]
        torch.testing.assert_close(together.waveform[i, :samples], alone.waveform[0], atol=1e-5, rtol=0)
        assert together.waveform[i, samples:].eq(0).all()


def test_predictors_never_see_the_target(
    make_network: Callable[[], JetsNetwork], make_batch: Callable[..., Batch]
) -> None:
    network = make_network().eval()
    batch = make_batch(LENGTHS)
    with torch.no_grad():
        before = tensors(network, batch)
        batch.log_f0 += 3.0
        batch.energy -= 2.0
        after = tensors(network, batch)
    assert all(after[f"predicted.{name}"].equal(before[f"predicted.{name}"]) for name in ("log_f0", "energy"))
    assert not after["states"].equal(before["states"])


def test_pitch_and_energy_controls_move_the_values_and_leave_durations(
    make_network: Callable[[], JetsNetwork], make_batch: Callable[..., Batch]
) -> None:
    network = longer_speech(make_network())
    network.log_f0_mean.fill_(5.3), network.log_f0_std.fill_(0.2)
    network.energy_mean.fill_(40.0), network.energy_std.fill_(25.0)
    batch = make_batch([(9, 60)])
    plain = network.plan(batch.text, batch.text_lengths)
    moved = network.plan(batch.text, batch.text_lengths, pitch_shift=6 * math.log(2) / 12, energy_scale=2.0)
    torch.testing.assert_close((moved.log_f0 - plain.log_f0) * 0.2, torch.full_like(plain.log_f0, 6 * math.log(2) / 12))
    torch.testing.assert_close(moved.energy * 25 + 40, 2 * (plain.energy * 25 + 40))
    assert moved.durations.equal(plain.durations)
