"""Several speakers and languages in one voice: training, resuming, adding a speaker, speaking, exporting."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from models.base.checkpoints import find_checkpoint, load_weights
from models.base.experiment import Experiment
from models.registry import load_config
from models.tts.exchange.packed_voice import VoiceFacts, pack_voice
from models.tts.jets.conditioning import Roles
from models.tts.jets.config import JetsConfig
from models.tts.jets.dataset import UtteranceTable, open_corpora
from models.tts.jets.fast_step import FastStep
from models.tts.jets.gpu_inference import GpuNetwork
from models.tts.jets.network import Batch, JetsNetwork
from models.tts.jets.spoken_split import speak_split
from models.tts.jets.step import TrainStep
from models.tts.jets.synthesizer import Synthesizer
from models.tts.jets.trainer import Trainer
from models.vocoders.discriminators import Discriminators
from processors.cast import Cast
from processors.text.tokens import load_tokens
from tests.models.tts.jets.test_step import DEVICES
from utils.errors import UserError
from utils.files import read_json

CONFIG = Path(__file__).resolve().parents[4] / "config/jets.json"
ENGLISH = (("anna", "en-us", 220.0), ("ben", "en-us", 110.0))
PLACES = ["encoder", "predictors", "decoder", "generator"]


def with_roles(batch: Batch, vectors: int = 0) -> Batch:
    """The batch with speakers 0, 1, 2 ..., and two languages, of which the second begins amid each sentence."""
    size, n_text = batch.text.shape
    batch.speaker_ids = torch.arange(size) % 3
    batch.language_ids = (torch.arange(n_text) >= n_text // 2).long().repeat(size, 1)
    batch.speaker_vectors = torch.randn(size, vectors, generator=torch.Generator().manual_seed(1)) if vectors else None
    return batch


def several(config: JetsConfig, **changes: object) -> JetsConfig:
    model = {"spks": 3, "langs": 2, "speaker_in": PLACES, **changes}
    return config.model_copy(update={"model": config.model.model_copy(update=model)})


def stirred(network: JetsNetwork) -> JetsNetwork:
    """A network whose films and biases do something, as after training."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "film" in name:
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    return network


def network_of(config: JetsConfig) -> JetsNetwork:
    torch.manual_seed(1)
    return stirred(JetsNetwork(config.model, 20, config.preprocess.n_mel))


@pytest.mark.parametrize(
    "changes",
    [{}, {"spk_embed_dim": 6}, {"spk_embed_dim": 6, "spk_embed_integration_type": "concat"},
     {"speaker_in": ["decoder"]}, {"spks": None}, {"langs": None, "speaker_in": ["encoder"]}],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("device", DEVICES)
def test_the_fast_step_is_the_plain_step(
    small_config: JetsConfig, make_batch: Callable[..., Batch], changes: dict, device: str
) -> None:
    config = several(small_config, **changes)
    batch = with_roles(make_batch([(5, 20), (7, 30), (4, 9)]), 6).to(device)
    starts = torch.tensor([3, 10, 0], device=device)
    reports, gradients = [], []
    for kind in (TrainStep, FastStep):
        torch.manual_seed(2)
        judges = Discriminators(**config.model.discriminator.model_dump()).to(device)
        step = kind(network_of(config).to(device), judges, config, "fp32")
        for parameter in step.network.parameters():
            parameter.grad = torch.zeros_like(parameter)
        reports.append(step(batch, 2.0, starts))
        gradients.append({name: p.grad for name, p in step.network.named_parameters()})
    torch.testing.assert_close(reports[1], reports[0], rtol=1e-4, atol=1e-5)
    for name, wanted in gradients[0].items():
        tolerance = 1e-4 if device == "cpu" else 1e-2
        assert (gradients[1][name] - wanted).norm() <= tolerance * wanted.norm() + 1e-7, name
        if name.startswith("conditioning.") or "film" in name:
            assert wanted.abs().sum() > 0, f"{name} learns nothing"


def test_alone_and_together_are_the_same(small_config: JetsConfig) -> None:
    network = network_of(several(small_config)).eval()
    text = torch.tensor([[3, 4, 5, 6, 7], [8, 9, 10, 0, 0], [3, 4, 5, 6, 7]])
    lengths, languages = torch.tensor([5, 3, 5]), torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 0, 0], [0, 0, 0, 0, 0]])
    together = network.infer(text, lengths, roles=Roles(torch.tensor([0, 1, 2]), languages))
    for i, count in enumerate(lengths.tolist()):
        roles = Roles(torch.tensor([i]), languages[i : i + 1, :count])
        alone = network.infer(text[i : i + 1, :count], lengths[i : i + 1], roles=roles)
        assert alone.durations[0].equal(together.durations[i, :count])
        expected = together.waveform[i, : alone.waveform.shape[1]]
        torch.testing.assert_close(alone.waveform[0], expected, rtol=0, atol=1e-5)
    shares = network.infer(text, lengths, roles=Roles(torch.eye(3), languages))
    torch.testing.assert_close(shares.waveform, together.waveform, rtol=0, atol=1e-6)


def test_the_network_of_gpus_says_the_same(small_config: JetsConfig) -> None:
    """A shape that comes for the first time runs without a graph, on a CPU too, but padded as for one."""
    network = network_of(several(small_config)).eval()
    text, lengths = torch.tensor([[3, 4, 5, 6, 7], [8, 9, 10, 0, 0]]), torch.tensor([5, 3])
    languages = torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 0, 0]])
    with torch.inference_mode():
        for speakers in (torch.tensor([2, 1]), torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])):
            roles = Roles(speakers, languages)
            for graphs in (False, True):
                fast = GpuNetwork(network, None, graphs)
                planned = fast.plan(text, lengths, roles=roles, pitch_shift=0.1, speed=1.2)
                wanted = network.plan(text, lengths, roles=roles, pitch_shift=0.1, speed=1.2)
                assert planned.durations.equal(wanted.durations)
                torch.testing.assert_close(planned.log_f0, wanted.log_f0, rtol=0, atol=1e-5)
                torch.testing.assert_close(planned.decoder_states, wanted.decoder_states, rtol=0, atol=1e-4)


def test_one_speaker_has_nothing_of_it(small_config: JetsConfig) -> None:
    network = network_of(several(small_config, spks=1, langs=None))
    assert not [name for name in network.state_dict() if "film" in name or "conditioning" in name]
    many = network_of(several(small_config))
    assert {name for name in many.state_dict() if "conditioning" in name} > {"conditioning.speakers.weight"}


@pytest.fixture
def overrides(tmp_path: Path, tiny_overrides: list[str], corpus_writer: Callable[..., Path]) -> list[str]:
    """Two English speakers in one corpus, a German one in another, whose words are a lexicon's."""
    lexicon = tmp_path / "de.txt"
    lexicon.write_text("haus h aʊ s\nkatze katsə\nund ʊnt\n", encoding="utf-8")
    found = [
        *tiny_overrides,
        'dataset=["english", "german"]',
        f'dataset_path={{"english": "{tmp_path}", "german": "{tmp_path}", "more": "{tmp_path}"}}',
        f'corpora={{"german": {{"language": "de", "lexicon_path": "{lexicon}"}}}}',
        "train.ema_decay=0.9",
        "model.generators.hifigan.channels=32",
    ]
    config = load_config(CONFIG, found)
    frames, splits = [20, 25, 30, 31, 33, 36, 40, 45, 22, 28, 30, 24], ["train"] * 8 + ["valid"] * 2 + ["test"] * 2
    data = tmp_path / "data"
    corpus_writer(data / "english", config.preprocess_of("english"), frames, splits, 0, who=ENGLISH)
    corpus_writer(data / "german", config.preprocess_of("german"), frames, splits, 1, who=(("karl", "de", 90.0),))
    corpus_writer(data / "more", config.preprocess_of("more"), frames, splits, 2, who=(("zoe", "en-us", 300.0),))
    return found


def trained(name: str, overrides: list[str], **options: object) -> Path:
    config = load_config(CONFIG, overrides)
    trainer = Trainer(config, Experiment.named(name, config), **options)  # type: ignore[arg-type]
    trainer.run()
    return trainer.expt_dir


def test_training_knows_its_speakers(overrides: list[str]) -> None:
    folder = trained("voice", overrides)
    table = load_tokens(folder / "tokens.json")
    assert table["speakers"] == {"anna": "en-us", "ben": "en-us", "karl": "de"} and table["languages"] == [
        "de",
        "en-us",
    ]
    config = load_config(CONFIG, overrides)
    corpora = open_corpora(config)
    weights = load_weights(find_checkpoint(folder).path, False)
    means = weights["conditioning.speaker_statistics"][:, 0].exp()
    torch.testing.assert_close(means, torch.tensor([220.0, 110.0, 90.0]), rtol=0.1, atol=0)
    utterances = UtteranceTable(corpora, "train", Cast.read(table))
    config = load_config(CONFIG, overrides)
    trainer = Trainer(config, Experiment.named("other", config))
    # Each speaker's own mean is 0 then.
    trainer_batches = _batches(trainer)
    for batch in trainer_batches:
        assert batch.speaker_ids is not None and batch.language_ids is not None
        assert batch.language_ids.shape == batch.speaker_ids.shape == (len(batch.text),)
        assert batch.log_f0.sum(1).div(batch.frame_lengths).abs().max() < 1.0
    assert sorted(utterances.speaker_ids.tolist()) == [0] * 4 + [1] * 4 + [2] * 8
    assert set(utterances.language_ids[utterances.speaker_ids == 2]) == {0}


def _batches(trainer: Trainer) -> list[Batch]:
    from models.base.processes import Processes

    trainer.processes, trainer.precision = Processes(), "fp32"
    parts = trainer.build()
    trainer.loaded()
    return [parts.batches.next() for _ in range(4)]


def test_a_resumed_training_is_the_same(overrides: list[str]) -> None:
    overrides = [*overrides, "train.deterministic=true", "train.precision=fp32"]  # a GPU otherwise adds in any order
    whole = trained("whole", overrides)
    half = trained("half", [*overrides, "train.max_epoch=1"])
    trained("half", overrides, resume=True)
    one, other = (load_weights(find_checkpoint(folder).path, False) for folder in (whole, half))
    assert all(torch.equal(one[name], other[name]) for name in one)
    data = Path(load_config(CONFIG, overrides).preprocess.processed_dir)
    shutil.rmtree(data / "english")
    shutil.copytree(data / "more", data / "english")
    with pytest.raises(UserError, match=r"new speakers \(zoe\)"):
        trained("half", overrides, resume=True)


def test_a_run_from_before_goes_on_as_one_voice(overrides: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Cast, "of", lambda *_: Cast())
        folder = trained("old", [*overrides, "train.max_epoch=1"])
    assert "speakers" not in load_tokens(folder / "tokens.json")
    trained("old", overrides, resume=True)
    assert not [name for name in load_weights(find_checkpoint(folder).path) if "conditioning" in name]
    assert len(Synthesizer.from_experiment(folder, "cpu").tts("A cat.")[0])


def test_each_speaks_in_each_language(overrides: list[str]) -> None:
    folder = trained("voice", overrides)
    voice = Synthesizer.from_experiment(folder, "cpu")
    texts = {"anna": "A cat.", "ben": "A cat.", "karl": "Katze."}
    waves = {name: voice.tts(text, speaker=name)[0] for name, text in texts.items()}
    assert not np.array_equal(waves["anna"], waves["ben"])
    assert np.array_equal(voice.tts("A cat.")[0], waves["anna"]), "the first speaker of the config's language"
    assert np.array_equal(voice.tts("Katze.", language="de")[0], waves["karl"])
    assert len(voice.tts("Katze und Haus.", speaker="anna", language="de-DE")[0])
    both = voice.tts_batch(["A cat.", "A cat."], speaker="anna:0.5+ben:0.5")
    assert not np.array_equal(both[0], waves["anna"]) and np.allclose(*both, atol=1e-5)
    (line,) = voice.script.lines('<speak>A <lang xml:lang="de">Katze</lang> sat.</speak>', voice.settings)
    assert [p.language for p in line.prosody].count("de") == len(" katsə")
    assert {p.speaker for p in line.prosody} == {"anna"}
    spoken = '<speak>One. <voice name="karl">Haus.</voice> <voice languages="de">Katze.</voice> Two.</speak>'
    lines = list(voice.script.lines(spoken, voice.settings))
    assert [(line.prosody[0].speaker, line.prosody[0].language) for line in lines] == [
        ("anna", "en-us"), ("karl", "de"), ("karl", "de"), ("anna", "en-us"),
    ]  # fmt: skip
    for wrong, nearest in (({"speaker": "ana"}, "did you mean anna"), ({"language": "fr"}, "it has de, en-us")):
        with pytest.raises(UserError, match=nearest):
            voice.tts("A cat.", **wrong)
    left: list[str] = []
    voice.script.on_left_out = left.append
    voice.tts("Katze und Hund.", language="de")
    assert left == ["hund"]
    items, _ = speak_split(load_config(CONFIG, overrides), folder, "test", folder / "judged")
    assert len(items) == 4


def test_a_new_speaker_leaves_the_others(overrides: list[str]) -> None:
    source = trained("source", overrides)
    only = [*overrides, 'dataset=["more"]', 'train.finetune_only=["speakers", "predictors"]']
    folder = trained("tuned", only, finetune_from=source)
    assert list(load_tokens(folder / "tokens.json")["speakers"]) == ["anna", "ben", "karl", "zoe"]
    before, after = load_weights(find_checkpoint(source).path), load_weights(find_checkpoint(folder).path, False)
    rows, grown = (state["conditioning.speakers.weight"] for state in (before, after))
    assert grown[:3].equal(rows) and not grown[3].equal(rows.mean(0))
    statistics = after["conditioning.speaker_statistics"]
    assert statistics[:3].equal(before["conditioning.speaker_statistics"])
    assert statistics[3, 0].exp().item() == pytest.approx(300, rel=0.1)
    moved = {name.split(".")[0] for name in before if before[name].shape == after[name].shape
             and not before[name].equal(after[name])}  # fmt: skip
    assert moved - {"log_f0_mean", "log_f0_std", "energy_mean", "energy_std"} == {
        "duration_predictor", "pitch_predictor", "energy_predictor",
    }  # fmt: skip
    trained("tuned", [*only, "train.max_epoch=3"], resume=True)
    later = load_weights(find_checkpoint(folder).path, False)
    assert {name for name in after if not after[name].equal(later[name])} <= {
        name for name in after if name.startswith(("conditioning.speakers", "duration_p", "pitch_p", "energy_p"))
    }
    with pytest.raises(UserError, match="needs --finetune_from"):
        trained("fresh", only)
    voice = Synthesizer.from_experiment(folder, "cpu")
    assert len(voice.tts("A cat.", speaker="zoe")[0]) and len(voice.tts("Katze.", speaker="zoe", language="de")[0])


def test_a_voice_of_one_learns_to_be_several(overrides: list[str]) -> None:
    source = trained("one", [*overrides, 'dataset=["more"]'])
    weights = load_weights(find_checkpoint(source).path, False)
    assert not [name for name in weights if "conditioning" in name] and weights["log_f0_mean"].exp() > 250
    folder = trained("several", overrides, finetune_from=source)
    assert list(load_tokens(folder / "tokens.json")["speakers"]) == ["anna", "ben", "karl"]
    one, two = (trained(name, [*overrides, 'dataset=["more"]'], finetune_from=source) for name in ("two", "three"))
    assert list(load_tokens(one / "tokens.json")["speakers"]) == ["zoe"], "one that becomes another stays one"
    left, right = (load_weights(find_checkpoint(path).path, False) for path in (one, two))
    assert left.keys() == weights.keys() and all(torch.equal(left[name], right[name]) for name in left)


def test_it_travels_with_its_lexicons(overrides: list[str], tmp_path: Path) -> None:
    folder, packed = trained("voice", overrides), tmp_path / "packed"
    facts = VoiceFacts("Three", "tones", "CC0 1.0", "seconds", "today")
    pack_voice(folder, packed, facts, precision="fp16")
    config = load_config(packed / "config.json")
    assert config.preprocess_of("german").lexicon_path == str(packed / "lexicon.de.txt")
    (tmp_path / "de.txt").unlink()
    one, other = (Synthesizer.from_experiment(path, "cpu") for path in (folder, packed))
    for text, controls in (("A cat.", {"speaker": "ben"}), ("Katze.", {"language": "de"})):
        assert len(one.tts(text, **controls)[0]) == len(other.tts(text, **controls)[0]) > 0


def test_the_export_speaks_with_all(overrides: list[str], tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    from models.tts.exchange.onnx_export import export_voice
    from models.tts.exchange.onnx_graph import open_session, run_graph
    from processors.onnx_voice import OnnxVoice

    folder = trained("voice", overrides)
    export_voice(folder, tmp_path / "onnx", check=9)
    voice, exported = Synthesizer.from_experiment(folder, "cpu"), OnnxVoice(tmp_path / "onnx")
    for text, controls in (
        ("A cat.", {}), ("A cat.", {"speaker": "ben"}), ("Katze und Haus.", {"language": "de"}),
        ("Katze.", {"speaker": "anna", "language": "de"}), ("A cat.", {"speaker": "karl", "language": "en"}),
        ("A cat.", {"speaker": "karl", "language": "en", "pitch": 3.0}),
    ):  # fmt: skip
        wanted, found = voice.tts(text, **controls)[0], exported.tts(text, **controls)[0]
        assert len(wanted) == len(found) and np.abs(wanted - found).max() < 1e-3, (text, controls)
    with pytest.raises(UserError, match="mixes no speakers"):
        exported.tts("A cat.", speaker="anna+ben")
    described = read_json(tmp_path / "onnx" / "voice.onnx.json")
    numbers = {"anna": 0, "ben": 1, "karl": 2, "anna (de)": 3, "ben (de)": 4, "karl (en-us)": 8}
    assert described["speaker_id_map"] == numbers and described["num_speakers"] == 9
    # Others bring texts without start and end, and with a boundary in front.
    session, whole = open_session(tmp_path / "onnx" / "voice.onnx"), voice.script.frontend.encode("A cat.")
    wanted, durations = run_graph(session, [whole], sids=[8])
    boundary = voice.script.ids[" "]
    for start, end in (([boundary], []), ([], [0]), ([0, 1], []), ([], [2])):
        bare = [*start, *whole[1:-1], *end]
        found, given = run_graph(session, [bare], sids=[8])
        np.testing.assert_array_equal(found, wanted)
        kept = [count for token, count in zip(bare, given[0]) if token not in (0, 1, 2)]
        assert kept[len(start) if start == [boundary] else 0 :] == durations[0, 1:-1].tolist()
