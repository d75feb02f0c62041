"""The training step: gradients of the two halves are those of one plain backward pass per network."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch

from models.tts.jets.batch import Batch
from models.tts.jets.config import JetsConfig
from models.tts.jets.gan import GanHalf
from models.tts.jets.losses import acoustic_losses
from models.tts.jets.network import JetsNetwork
from models.tts.jets.step import TrainStep
from models.vocoders.discriminators import Discriminators
from models.vocoders.gan_losses import adversarial_loss, discriminator_losses

LENGTHS = [(9, 60), (4, 25), (6, 5)]  # the last is shorter than a segment
STARTS = torch.tensor([11, 3, 0])


def textbook_gradients(step: TrainStep, batch: Batch) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Gradients by the book: one graph for the generator's loss, a second pass for the discriminator's."""
    output = step.network.acoustic(batch)
    segments, real = step.segments(output, batch, STARTS)
    fake = step.network.generator(segments)
    weights = step.weights
    terms = acoustic_losses(output, batch)
    real_features = [[f.detach() for f in layers] for layers in step.discriminator(real)]
    fake_features = step.discriminator(fake)
    terms["adversarial"] = adversarial_loss(fake_features)
    pairs = [pair for real, fake in zip(real_features, fake_features) for pair in zip(real, fake)]
    terms["feature_matching"] = sum((f - r).abs().mean() for r, f in pairs)
    mel = step.eager_gan.mels[0]
    terms["mel"] = (mel(fake)[0] - mel(real)[0]).abs().mean()
    network, judge = list(step.network.named_parameters()), list(step.discriminator.named_parameters())
    loss = sum(weights[name] * value for name, value in terms.items())
    of_network = torch.autograd.grad(loss, [p for _, p in network])
    loss = sum(discriminator_losses(step.discriminator(real), step.discriminator(fake.detach())))
    of_judge = torch.autograd.grad(loss, [p for _, p in judge])
    return {n: g for (n, _), g in zip(network, of_network)}, {n: g for (n, _), g in zip(judge, of_judge)}


def close(actual: torch.Tensor, expected: torch.Tensor) -> bool:
    return bool((actual - expected).norm() <= 1e-4 * expected.norm() + 1e-7)


def test_gradients_equal_the_textbook(make_step: Callable[[], TrainStep], make_batch: Callable[..., Batch]) -> None:
    step = make_step()
    batch = make_batch(LENGTHS)
    network, judge = textbook_gradients(step, batch)
    step(batch, starts=STARTS)
    assert not [n for n, p in step.network.named_parameters() if not close(p.grad, network[n])]
    assert not [n for n, p in step.discriminator.named_parameters() if not close(p.grad, judge[n])]


def test_gradients_add_up_and_scale(make_step: Callable[[], TrainStep], make_batch: Callable[..., Batch]) -> None:
    once, thrice = make_step(), make_step()
    batch = make_batch(LENGTHS)
    once(batch, starts=STARTS)
    thrice(batch, starts=STARTS)
    thrice(batch, loss_scale=2.0, starts=STARTS)
    for a, b in ((once.network, thrice.network), (once.discriminator, thrice.discriminator)):
        for p, q in zip(a.parameters(), b.parameters()):
            assert close(q.grad, 3 * p.grad)


def test_report_adds_up(make_step: Callable[[], TrainStep], make_batch: Callable[..., Batch]) -> None:
    step = make_step()
    report = step(make_batch(LENGTHS), starts=STARTS)
    weighted = [value for name, value in report.items() if name.endswith("/weighted")]
    assert len(weighted) == 8
    assert report["generator/total"].item() == pytest.approx(sum(v.item() for v in weighted), rel=1e-5)
    assert report["generator/mel/weighted"].item() == pytest.approx(45 * report["generator/mel"].item(), rel=1e-5)
    assert not any(value.requires_grad for value in report.values())


def test_evaluation_leaves_no_trace(make_step: Callable[[], TrainStep], make_batch: Callable[..., Batch]) -> None:
    step = make_step()
    batch = make_batch(LENGTHS)
    before = torch.get_rng_state()
    first, second = step.evaluate(batch), step.evaluate(batch)
    assert all(first[name].equal(second[name]) for name in first)
    assert torch.get_rng_state().equal(before)
    assert all(p.grad is None for p in step.network.parameters())
    assert step.network.training and step.discriminator.training


def test_a_short_training_lowers_the_mel_and_alignment_losses(
    make_step: Callable[[], TrainStep], make_batch: Callable[..., Batch]
) -> None:
    step = make_step()
    batch = make_batch([(5, 24), (4, 20)])
    optimisers = [torch.optim.AdamW(m.parameters(), 2e-3, (0.8, 0.99)) for m in (step.network, step.discriminator)]
    torch.manual_seed(0)
    history = []
    for _ in range(40):
        report = step(batch)
        history.append({name: value.item() for name, value in report.items()})
        for optimiser in optimisers:
            optimiser.step()
            optimiser.zero_grad()
    for name in ("generator/mel", "generator/forward_sum", "generator/duration"):
        assert history[-1][name] < 0.8 * history[0][name], name


def test_compiled_waveform_half_gives_the_same_gradients(
    make_step: Callable[[], TrainStep],
    make_batch: Callable[..., Batch],
    small_config: JetsConfig,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The real compiler takes minutes; this backend runs what it would compile, traced whole.
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager", fullgraph=True))
    eager, compiled = make_step(), make_step()
    gan = compiled.eager_gan
    compiled.gan = GanHalf(gan.generator, gan.discriminator, gan.mels, small_config.train.loss, None, compiled=True)
    batch = make_batch(LENGTHS)
    for step in (eager, compiled):
        step(batch, starts=STARTS)
    for a, b in ((eager.network, compiled.network), (eager.discriminator, compiled.discriminator)):
        assert all(close(q.grad, p.grad) for p, q in zip(a.parameters(), b.parameters()))


def test_multi_resolution_mel_loss_is_the_mean_of_its_spectra(
    make_network: Callable[[], JetsNetwork], make_batch: Callable[..., Batch], small_config: JetsConfig
) -> None:
    loss = small_config.train.loss.model_copy(update={"multi_mel": 3.0, "multi_mel_n_ffts": [64, 96]})
    config = small_config.model_copy(update={"train": small_config.train.model_copy(update={"loss": loss})})
    discriminator = Discriminators(**config.model.discriminator.model_dump())
    step = TrainStep(make_network(), discriminator, config, torch.device("cpu"), "fp32")
    report = step(make_batch(LENGTHS), starts=STARTS)
    assert [mel.n_fft for mel in step.eager_gan.mels[1:]] == [64, 96]
    real, fake = torch.randn(2, 2, 400).unbind()
    gan = step.eager_gan
    gan._generate = lambda segments: fake
    expected = [(mel(real)[0] - mel(fake)[0]).abs().mean() for mel in gan.mels]
    raw, total, _ = gan.losses(torch.zeros(2, 4, 8), real)
    assert raw["generator/multi_mel"].item() == pytest.approx(float(sum(expected[1:]) / 2), rel=1e-5)
    names = ("mel", "multi_mel", "adversarial", "feature_matching")
    weights = {name: getattr(loss, name) for name in names}
    assert total.item() == pytest.approx(sum(w * raw[f"generator/{k}"].item() for k, w in weights.items()), rel=1e-5)
    assert report["generator/multi_mel/weighted"].item() == pytest.approx(3 * report["generator/multi_mel"].item())
