"""Prosody from a distribution: what it leaves alone, what it draws, and how it is learned and exported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from models.base.checkpoints import find_checkpoint, load_weights
from models.tts.jets.config import JetsConfig
from models.tts.jets.fast_step import FastStep
from models.tts.jets.gpu_inference import GpuNetwork
from models.tts.jets.network import Batch, JetsNetwork
from models.tts.jets.prosody_flow import noise_of
from models.tts.jets.step import TextStep, TrainStep
from models.tts.jets.synthesizer import Synthesizer
from models.vocoders.discriminators import Discriminators
from tests.models.tts.jets.test_speakers import overrides, several, stirred, trained, with_roles  # noqa: F401
from tests.models.tts.jets.test_step import DEVICES
from tests.tiny_voice import make_experiment
from utils.errors import UserError

MakeBatch = Callable[..., Batch]
LENGTHS = [(9, 60), (4, 25), (6, 12)]


def varied(config: JetsConfig, layers: int = 2) -> JetsConfig:
    changes = {"layers": layers, "channels": 16, "ffn_channels": 16, "steps": 3, "spread": [1.0] * 3}
    prosody = config.model.prosody.model_copy(update=changes)
    return config.model_copy(update={"model": config.model.model_copy(update={"prosody": prosody})})


def network_of(config: JetsConfig) -> JetsNetwork:
    torch.manual_seed(1)
    return stirred(JetsNetwork(config.model, 20, config.preprocess.n_mel))


def step_of(config: JetsConfig, kind: type[TrainStep], device: str = "cpu") -> TrainStep:
    network = network_of(config).to(device)
    torch.manual_seed(2)
    judges = Discriminators(**config.model.discriminator.model_dump()).to(device)
    for parameter in [*network.parameters(), *judges.parameters()]:
        parameter.grad = torch.zeros_like(parameter)
    return kind(network, judges, config, "fp32")


@pytest.mark.parametrize("speakers", [False, True])
@pytest.mark.parametrize("device", DEVICES)
def test_both_steps_learn_it_and_nothing_else_changes(
    small_config: JetsConfig, make_batch: MakeBatch, speakers: bool, device: str
) -> None:
    base = several(small_config) if speakers else small_config
    batch, starts = with_roles(make_batch(LENGTHS)).to(device), torch.tensor([3, 2, 0], device=device)
    reports, gradients = [], []
    for config, kind in ((base, TrainStep), (varied(base), TrainStep), (varied(base), FastStep)):
        step = step_of(config, kind, device)
        torch.manual_seed(2)
        reports.append(step(batch, 1.0, starts))
        gradients.append({name: p.grad for name, p in step.network.named_parameters()})
    assert "generator/prosody" not in reports[0] and reports[1]["generator/prosody"] > 0
    torch.testing.assert_close(reports[1], reports[2], rtol=1e-3, atol=1e-5)
    tolerance = 1e-4 if device == "cpu" else 1e-2
    for name, plain in gradients[1].items():
        assert (gradients[2][name] - plain).norm() <= tolerance * plain.norm() + 1e-7, name
        if name.startswith("prosody."):
            assert plain.abs().sum() > 0, f"{name} learns nothing"
        else:
            assert (gradients[0][name] - plain).norm() <= tolerance * plain.norm() + 1e-7, name


def test_without_a_waveform_predictors_learn_the_same(small_config: JetsConfig, make_batch: MakeBatch) -> None:
    config, batch = varied(small_config), make_batch(LENGTHS)
    whole, text = (step_of(config, kind) for kind in (TrainStep, TextStep))
    for step in (whole, text):
        torch.manual_seed(2)
        report = step(batch, 1.0)
    assert set(report) >= {"generator/prosody", "generator/duration"} and "generator/mel" not in report
    for name, parameter in text.network.named_parameters():
        if name.startswith(("prosody.", "pitch_predictor.")):
            torch.testing.assert_close(parameter.grad, dict(whole.network.named_parameters())[name].grad)


def test_checkpoints_are_compared_on_the_same_draws(small_config: JetsConfig, make_batch: MakeBatch) -> None:
    step, batch = step_of(varied(small_config), TextStep), make_batch(LENGTHS)
    step.network.eval()
    torch.manual_seed(2)
    expected = torch.rand(3)
    torch.manual_seed(2)
    # Cloned, as a report holds until the next step.
    first = {name: value.clone() for name, value in step.evaluate(batch).items()}
    assert torch.rand(3).equal(expected), "the training's own draws go on"
    assert first["generator/prosody"] > 0 and step.evaluate(batch) == first


def test_noise_is_normal_and_belongs_to_text_and_seed() -> None:
    text = torch.randint(1, 90, (4, 4000), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(text, dtype=torch.bool)
    one, other = (noise_of(text, mask, torch.tensor(seed)) for seed in (0, 1))
    assert abs(float(one.mean())) < 0.02 and abs(float(one.std()) - 1) < 0.02
    assert abs(float((one**4).mean()) - 3) < 0.2, "kurtosis"
    pairs = [(one, other), (one[0], one[1]), (one[:, 1:], one[:, :-1]), (one[..., 0], one[..., 1])]
    assert max(abs(float((a * b).mean())) for a, b in pairs) < 0.03, "seeds, texts, places and values are unlike"


def test_draws_belong_to_an_utterance(small_config: JetsConfig) -> None:
    network = network_of(varied(small_config)).eval()
    text, lengths = torch.tensor([[3, 4, 5, 6, 7], [8, 9, 10, 0, 0], [3, 4, 5, 6, 7]]), torch.tensor([5, 3, 5])
    wanted = {"temperature": 0.8, "seed": 7}
    together = network.infer(text, lengths, **wanted)
    assert together.log_f0[0].equal(together.log_f0[2])
    for i, count in enumerate(lengths.tolist()):
        alone = network.infer(text[i : i + 1, :count], lengths[i : i + 1], **wanted)
        assert alone.durations[0].equal(together.durations[i, :count])
        torch.testing.assert_close(alone.log_f0[0], together.log_f0[i, :count], rtol=0, atol=1e-5)
    another = network.infer(text, lengths, temperature=0.8, seed=8)
    assert (another.log_f0 - together.log_f0).abs()[0].min() > 1e-3
    fixed, plain = network.infer(text, lengths), network_of(small_config).eval().infer(text, lengths, **wanted)
    assert fixed.waveform.equal(plain.waveform), "temperature 0 is the voice without that part, which has no other"
    played = GpuNetwork(network, None, False).plan(text, lengths, **wanted)
    torch.testing.assert_close(played.log_f0, together.log_f0, rtol=0, atol=1e-5)


def test_a_trained_voice_learns_it_alone(overrides: list[str]) -> None:  # noqa: F811
    source = trained("source", overrides)
    more = ["model.prosody.layers=1", "model.prosody.channels=16", 'train.finetune_only=["prosody"]']
    folder = trained("tuned", [*overrides, *more], finetune_from=source)
    before, after = load_weights(find_checkpoint(source).path), load_weights(find_checkpoint(folder).path, False)
    assert all(after[name].equal(value) for name, value in before.items())
    assert {name.split(".")[0] for name in after.keys() - before.keys()} == {"prosody"}
    assert not (find_checkpoint(folder).path / "discriminator.safetensors").exists()
    one, other = (Synthesizer.from_experiment(path, "cpu") for path in (source, folder))
    text = "A cat sat."
    assert np.array_equal(one.tts(text)[0], other.tts(text)[0])
    drawn = other.tts(text, temperature=1.0, seed=3, speaker="ben")[0]
    assert np.array_equal(drawn, other.tts(text, temperature=1.0, seed=3, speaker="ben")[0])
    whole = other.tts(text, temperature=1.0)[0]
    pieces = np.concatenate(list(other.stream(text, temperature=1.0)))
    assert len(pieces) == len(whole) and np.abs(pieces - whole).max() < 1e-4
    later = trained("tuned", [*overrides, *more, "train.max_epoch=3"], resume=True)
    assert not load_weights(find_checkpoint(later).path, False)["prosody.out.weight"].equal(after["prosody.out.weight"])
    for name, change, there in (
        ("tuned", "train.finetune_only=[]", "network there, discriminator and network here"),
        ("source", 'train.finetune_only=["predictors"]', "discriminator and network there, network here"),
    ):
        own = more if name == "tuned" else []
        with pytest.raises(UserError, match=f"{there}.*another --name with --finetune_from"):
            trained(name, [*overrides, *own, change, "train.max_epoch=4"], resume=True)


def test_an_export_draws_the_same(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    from models.tts.exchange.onnx_export import export_voice
    from processors.onnx_voice import OnnxVoice

    tiny = ("model.prosody.layers=1", "model.prosody.channels=16", "inference.prosody_temperature=0.7")
    folder = make_experiment(tmp_path / "voice", ("model.generator=istft", *tiny))
    export_voice(folder, tmp_path / "onnx", check=4)
    voice, exported = Synthesizer.from_experiment(folder, "cpu"), OnnxVoice(tmp_path / "onnx")
    waves = []
    for controls in ({}, {"seed": 12_345_678}, {"temperature": 0.0}):
        wanted, found = (one.tts("Good morning to you.", **controls)[0] for one in (voice, exported))
        assert len(wanted) == len(found) and np.abs(wanted - found).max() < 1e-3, controls
        waves.append(wanted)
    assert len({wave.tobytes() for wave in waves}) == 3
    pieces = np.concatenate(list(exported.stream("Good morning to you.")))
    assert len(pieces) == len(waves[0]) and np.abs(pieces - waves[0]).max() < 1e-3
