"""The training step, plain and fast."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from models import kernels
from models.tts.jets import losses
from models.tts.jets.fast_step import FastStep
from models.tts.jets.losses import Term
from models.tts.jets.network import Batch
from models.tts.jets.step import TrainStep
from models.vocoders.discriminators import discriminator_losses
from utils.errors import UserError

MakeStep = Callable[..., TrainStep]
MakeBatch = Callable[..., Batch]
LENGTHS = [(9, 60), (4, 25), (6, 5)]  # the last is shorter than a segment
STARTS = torch.tensor([11, 3, 0])
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"))]
STEPS = pytest.mark.parametrize("kind", [TrainStep, FastStep])


@pytest.fixture
def toy_terms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two more losses, as their authors would write them into the tables: of encoder states, and of the waveform."""
    loudness = Term(lambda segments: segments.fake.square().mean() + segments.states.square().mean(), "toy_wave")
    monkeypatch.setitem(losses.WAVEFORM_TERMS, "loudness", loudness)
    monkeypatch.setitem(
        losses.ACOUSTIC_TERMS, "size", Term(lambda output, _: output.hidden.square().mean(), "toy_text")
    )


TOYS = {"others": {"toy_wave": 3.0, "toy_text": 0.5}}


def gradients(step: TrainStep) -> dict[str, torch.Tensor]:
    modules = {"network": step.network, "discriminator": step.discriminator}
    return {f"{kind}.{name}": p.grad for kind, module in modules.items() for name, p in module.named_parameters()}


def close(actual: torch.Tensor, expected: torch.Tensor, tolerance: float = 1e-4) -> bool:
    return bool((actual - expected).norm() <= tolerance * expected.norm() + 1e-7)


@pytest.mark.parametrize("loss", [{}, {"multi_mel": 3.0, "multi_mel_n_ffts": [64, 96]}, TOYS])
@pytest.mark.parametrize("device", DEVICES)
def test_the_fast_step_is_the_plain_step(
    make_step: MakeStep, make_batch: MakeBatch, toy_terms: None, loss: dict, device: str
) -> None:
    plain, fast = make_step(TrainStep, device, **loss), make_step(FastStep, device, **loss)
    batch = make_batch(LENGTHS).to(device)
    for step in (plain, fast):
        for parameter in [*step.network.parameters(), *step.discriminator.parameters()]:
            parameter.grad = torch.zeros_like(parameter)
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        expected = plain(batch, 2.0, STARTS.to(device))
        made = fast(batch, 2.0, STARTS.to(device))
    torch.testing.assert_close(made, expected, rtol=1e-4, atol=1e-5)
    found, tolerance = gradients(fast), 1e-4 if device == "cpu" and not kernels.INTERPRETED else 1e-2
    assert not [name for name, wanted in gradients(plain).items() if not close(found[name], wanted, tolerance)]
    names = {"size", "loudness"} if loss is TOYS else set()
    assert names == {name for name in ("size", "loudness") if f"generator/{name}/weighted" in made}


def test_each_network_learns_from_its_own_loss_alone(make_step: MakeStep, make_batch: MakeBatch) -> None:
    step, batch = make_step(), make_batch(LENGTHS)
    step(batch, starts=STARTS)
    _, segments = step.speak(batch, STARTS)
    real, fake = discriminator_losses(segments.features)
    judges, network = list(step.discriminator.parameters()), list(step.network.generator.parameters())
    expected = torch.autograd.grad(real + fake, judges, retain_graph=True)
    assert all(close(p.grad, wanted) for p, wanted in zip(judges, expected))
    loss = step.losses.weighted(step.losses.waveform(segments))
    assert all(close(p.grad, wanted) for p, wanted in zip(network, torch.autograd.grad(loss, network)))


@STEPS
def test_gradients_add_up_and_scale(make_step: MakeStep, make_batch: MakeBatch, kind: type[TrainStep]) -> None:
    once, thrice = make_step(kind), make_step(kind)
    batch = make_batch(LENGTHS)
    once(batch, starts=STARTS)
    thrice(batch, starts=STARTS)
    thrice(batch, loss_scale=2.0, starts=STARTS)
    found = gradients(thrice)
    assert all(close(found[name], 3 * wanted) for name, wanted in gradients(once).items())


@STEPS
def test_evaluation_leaves_no_trace(make_step: MakeStep, make_batch: MakeBatch, kind: type[TrainStep]) -> None:
    step, batch, before = make_step(kind), make_batch(LENGTHS), torch.get_rng_state()
    step.network.eval()
    first, second = step.evaluate(batch), step.evaluate(batch)
    assert all(first[name].equal(second[name]) for name in first)
    assert torch.get_rng_state().equal(before)
    assert all(gradient is None for gradient in gradients(step).values())


def test_a_short_training_lowers_the_mel_and_alignment_losses(make_step: MakeStep, make_batch: MakeBatch) -> None:
    step, batch = make_step(FastStep), make_batch([(5, 24), (4, 20)])
    optimisers = [torch.optim.AdamW(m.parameters(), 2e-3, (0.8, 0.99)) for m in (step.network, step.discriminator)]
    torch.manual_seed(0)
    history = []
    for _ in range(40):
        history.append({name: value.item() for name, value in step(batch).items()})
        for optimiser in optimisers:
            optimiser.step()
            optimiser.zero_grad()
    for name in ("generator/mel", "generator/forward_sum", "generator/duration"):
        assert history[-1][name] < 0.8 * history[0][name], name


def test_multi_resolution_mel_loss_is_the_mean_of_its_spectra(make_step: MakeStep, make_batch: MakeBatch) -> None:
    step = make_step(multi_mel=3.0, multi_mel_n_ffts=[64, 96])
    _, segments = step.speak(make_batch(LENGTHS), STARTS)
    assert [mel.n_fft for mel in segments.mels[1:]] == [64, 96]
    expected = [(mel(segments.real)[0] - mel(segments.fake)[0]).abs().mean() for mel in segments.mels]
    terms = step.losses.waveform(segments)
    torch.testing.assert_close(terms["mel"], expected[0])
    torch.testing.assert_close(terms["multi_mel"], (expected[1] + expected[2]) / 2)
    only = {"multi_mel": terms["multi_mel"]}
    torch.testing.assert_close(step.losses.weighted(only), 3 * terms["multi_mel"])


def test_a_weight_that_no_loss_has_is_named(make_step: MakeStep) -> None:
    with pytest.raises(UserError, match=r"train\.loss\.others\.toy is the weight of no loss in models/tts/jets/losses"):
        make_step(others={"toy": 1.0})
