"""A packed voice: what is in the folder, that it serves like an experiment in every stage, what packing refuses."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from models.base.checkpoints import find_checkpoint, load_weights, save_checkpoint
from models.base.experiment import Experiment
from models.evaluation.comparison import summarise
from models.evaluation.report import Report, UtteranceRecord, write_report_json
from models.evaluation.stage import run_evaluation
from models.registry import load_config, load_experiment_config
from models.tts.exchange import packed_voice as packing
from models.tts.exchange.espnet_voice import export_voice as to_espnet
from models.tts.exchange.packed_voice import VoiceFacts, hub_head, pack_voice
from models.tts.jets.synthesizer import Synthesizer
from models.tts.jets.trainer import Trainer
from tests.scripts import load_script
from tests.tiny_voice import ROOT, make_experiment, make_network
from utils.errors import UserError
from utils.files import card_of

# Wide enough for its large tensors to be stored in fewer bits.
WIDE = ("model.hidden_channels=64", "model.encoder.ffn_channels=64", "model.generators.hifigan.channels=64")
FACTS = VoiceFacts("Test", "none | at all", "CC0-1.0", "not at all", "2026-01-02")
Train = Callable[..., Path]


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """Packing in this process leaves out the comparison by ear, so to speak; the command has it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "compared", lambda *_: "")
        yield


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "source"
    places = ("dataset_path.LJSpeech=/home/me/LJ", "log_dir=/home/me/runs", "preprocess.processed_dir=/home/me/data")
    return make_experiment(folder, (*WIDE, *places, "evaluate.asr_model=/home/me/whisper"))


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_it_is_small_speaks_as_before_and_names_no_place_on_this_machine(
    experiment: Path, tmp_path: Path, precision: str
) -> None:
    out, again = tmp_path / "voice", tmp_path / "again"
    pack_voice(experiment, out, FACTS, precision=precision)
    step = "checkpoints/step_00000002"
    assert files(out) == [
        "README.md", f"{step}/network.safetensors", f"{step}/state.json", "config.json", "tokens.json"
    ]  # fmt: skip
    card = (out / "README.md").read_text()
    assert "/home/me" not in (out / "config.json").read_text() + card
    assert load_config(out / "config.json") == load_experiment_config(out)
    for entry in (
        "---\nlicense: cc0-1.0\nlanguage: [en]\npipeline_tag: text-to-speech\n",
        "# Test, a voice",
        "none \\| at all",
        "CC0-1.0",
        "not at all",
        "2026-01-02",
        "hifigan",
        "22,050 Hz",
    ):
        assert entry in card
    sizes = [(path / step / "network.safetensors").stat().st_size for path in (experiment, out)]
    assert sizes[1] < 0.75 * sizes[0]
    weights = load_weights(find_checkpoint(out).path)
    torch.testing.assert_close(weights, load_weights(find_checkpoint(experiment).path), rtol=0.01, atol=0.02)
    before, after = (Synthesizer.from_experiment(folder, "cpu") for folder in (experiment, out))
    one, other = (voice.tts("Hello there, whoever you are.")[0] for voice in (before, after))
    assert abs(len(other) / len(one) - 1) < 0.05 and np.abs(other).max() > 0
    assert all(value.dtype == torch.float32 for value in after.network.state_dict().values())
    pack_voice(out, again, FACTS)  # a packed voice can be packed again
    assert files(again) == files(out)
    torch.testing.assert_close(load_weights(find_checkpoint(again).path), weights, rtol=1e-3, atol=1e-4)


def test_averaged_weights_and_the_wanted_checkpoint_are_taken(tmp_path: Path) -> None:
    folder = make_experiment(tmp_path / "source")
    network, average = (make_network(load_experiment_config(folder), seed).state_dict() for seed in (8, 9))
    parameters = {name: value for name, value in average.items() if "log_f0" not in name}
    save_checkpoint(folder, 3, {"network": network, "ema": parameters, "discriminator": {}}, {"x": 1}, {"score": 2.0})
    for which, expected in (("last", average), ("step_00000001", load_weights(folder / "checkpoints/step_00000001"))):
        pack_voice(folder, tmp_path / which, FACTS, checkpoint=which)
        weights = load_weights(find_checkpoint(tmp_path / which).path)
        assert torch.equal(weights["embedding.weight"], expected["embedding.weight"])
        assert weights.keys() == network.keys() and torch.equal(weights["log_f0_mean"], network["log_f0_mean"])
        assert ("averaged weights" in (tmp_path / which / "README.md").read_text()) == (which == "last")
    assert find_checkpoint(tmp_path / "last").metrics == {"score": 2.0}


def test_weights_are_bound_to_their_token_table_and_lexicon(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder, state = tmp_path / "voice", tmp_path / "voice/checkpoints/step_00000002/state.json"
    pack_voice(make_experiment(tmp_path / "source"), folder, FACTS)
    (folder / "lexicon.txt").write_text("jets JH EH1 T S\n")
    Synthesizer.from_experiment(folder, "cpu")
    assert "lexicon.txt is not the one that step_00000002 was trained with" in caplog.text
    table = json.loads((folder / "tokens.json").read_text())
    table["tokens"][-1], table["tokens"][-2] = table["tokens"][-2:]
    (folder / "tokens.json").write_text(json.dumps(table))
    with pytest.raises(UserError, match=r"tokens.json was changed after it was written, .*get it again"):
        Synthesizer.from_experiment(folder, "cpu")
    del table["crc32"]
    (folder / "tokens.json").write_text(json.dumps(table))
    with pytest.raises(UserError, match="tokens.json is not the table that step_00000002 was trained with"):
        Synthesizer.from_experiment(folder, "cpu")
    old = json.loads(state.read_text())
    del old["beside"]  # as voices of before have none
    state.write_text(json.dumps(old))
    Synthesizer.from_experiment(folder, "cpu")


def report(folder: Path, checkpoint: str) -> Path:
    records = [UtteranceRecord(f"u{i}", "Text.", "a.wav", values={"wer": (i, 10)}) for i in range(3)]
    made = Report("source", source={"checkpoint": checkpoint, "split": "test"}, settings={"asr": "base"})
    made.utterances = records
    summarise(made, load_config(ROOT / "config/jets.json").evaluate)
    folder.mkdir()
    write_report_json(made, folder)
    return folder


def test_the_command_and_the_measures_on_the_card(experiment: Path, tmp_path: Path) -> None:
    out, judged = tmp_path / "voice", report(tmp_path / "report", "step_00000002")
    flags = [f"--expt_dir={experiment}", f"--out={out}", "--corpus=none", "--licence=CC0-1.0", f"--report={judged}"]
    command = [sys.executable, str(ROOT / "bins/pack.py"), *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    told = done.stdout.splitlines()
    assert told[0].startswith("packed against unpacked: ") and " of 3 sentences as long as before" in told[0]
    assert "step_00000002 of source, fp16, 0." in told[1]
    card = (out / "README.md").read_text()
    assert "# source, a voice" in card and "| WER" in card and "3 utterances, 0 failed" in card and "asr base" in card


def test_a_second_voice_takes_a_word_more_and_a_failure_leaves_the_first(
    experiment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script, out = load_script("pack"), tmp_path / "voice"
    monkeypatch.setattr(script.signal, "signal", lambda *_: None)
    monkeypatch.setattr("models.tts.exchange.onnx_export.export_beside", lambda folder: None)  # slow, shown above

    def pack(*flags: str) -> tuple[int, str]:
        given = [f"--expt_dir={experiment}", f"--out={out}", "--corpus=none", "--licence=CC0-1.0", *flags]
        monkeypatch.setattr(sys, "argv", ["pack.py", *given])
        return script.main(), capsys.readouterr().err

    assert pack("--title=First") == (0, "")
    for flags, message in (
        ([], "holds a voice already: add --replace"),
        (["--replace", f"--report={report(tmp_path / 'stale', 'step_00000001')}"], "judges step_00000001, but step_00"),
        (["--replace", "--max_megabytes=0.01"], "more than --max_megabytes 0.01: pack it with --precision int8"),
        (["--replace", "--max_megabytes=0.01", "--precision=int8"], "more than --max_megabytes 0.01: train a smaller"),
        (["--replace", "--checkpoint=best"], "has no best checkpoint yet"),
        (["--replace", f"--report={tmp_path}"], "there is no report at"),
    ):
        status, told = pack(*flags)
        assert status == 2 and message in told and told.count("\n") == 1
        assert "# First, a voice" in (out / "README.md").read_text()
    assert pack("--replace", "--checkpoint=step_00000001") == (0, "")
    assert find_checkpoint(out).name == "step_00000001" and "None yet" in (out / "README.md").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["stale", "voice"]


@pytest.fixture
def train(tiny_corpus: Path, tiny_overrides: list[str]) -> Train:
    """Runs a training of one epoch, with averaged weights; returns its folder."""

    def run(name: str, *overrides: str, **options) -> Path:
        settings = [*tiny_overrides, "train.max_epoch=1", "train.ema_decay=0.9", *overrides]
        config = load_config(ROOT / "config/jets.json", settings)
        trainer = Trainer(config, Experiment.named(name, config), **options)
        trainer.run()
        return trainer.expt_dir

    return run


@pytest.fixture
def voice(train: Train, tmp_path: Path) -> Path:
    """A trained voice, packed; its experiment is gone."""
    source = train("source")
    pack_voice(source, tmp_path / "packed", FACTS)
    average, raw = (load_weights(find_checkpoint(source).path, prefer_ema)["embedding.weight"] for prefer_ema in (1, 0))
    assert not torch.equal(average, raw)
    assert torch.equal(load_weights(find_checkpoint(tmp_path / "packed").path)["embedding.weight"], average)
    shutil.rmtree(source)
    return tmp_path / "packed"


def test_the_other_stages_take_it_as_it_is(tiny_corpus: Path, voice: Path, tmp_path: Path) -> None:
    config = load_config(
        voice / "config.json", [f"preprocess.processed_dir={tiny_corpus.parent}", f"log_dir={tmp_path / 'runs'}"]
    )
    Trainer(config, Experiment.named("tuned", config), finetune_from=voice).run()
    assert find_checkpoint(tmp_path / "runs/tuned").step == 4
    log = (tmp_path / "runs/tuned/train.log").read_text()
    assert f"starting from the weights of {voice / 'checkpoints' / find_checkpoint(voice).name}" in log
    assert f"{voice} has no weights of the discriminator, which starts from random ones" in log
    quick = ["evaluate.dnsmos=false", "evaluate.bootstrap_samples=200", "evaluate.report_audio=none"]
    config = load_experiment_config(voice, [f"preprocess.processed_dir={tiny_corpus.parent}", *quick])
    told = run_evaluation(config, tmp_path / "out", "test", voice)
    assert "packed" in told and (tmp_path / "out/report.json").is_file()
    pack_voice(voice, tmp_path / "again", FACTS)
    for folder in (voice, tmp_path / "again"):
        assert "| steps | 4, averaged weights |" in (folder / "README.md").read_text()
    with pytest.raises(UserError, match="has no weights of the discriminator: it was packed to speak"):
        to_espnet(voice, tmp_path / "theirs")
    assert not (tmp_path / "theirs").exists()


@pytest.mark.parametrize("lost", ["tokens.json", "config.json", "weights", "checkpoints"])
def test_one_with_files_missing_is_to_be_got_again(experiment: Path, tmp_path: Path, lost: str) -> None:
    voice = tmp_path / "voice"
    pack_voice(experiment, voice, FACTS)
    if lost == "weights":
        os.truncate(find_checkpoint(voice).path / "network.safetensors", 100)
    elif lost == "checkpoints":
        shutil.rmtree(voice / lost)
    else:
        (voice / lost).unlink()
    with pytest.raises(UserError) as refused:
        Synthesizer.from_experiment(voice, "cpu")
    text = str(refused.value)
    assert "the folder of this packed voice is incomplete; get it again, by git checkout or from another copy" in text
    assert "stage" not in text and "\n" not in text


def test_the_hub_reads_the_card_and_older_cards_count(tmp_path: Path) -> None:
    card, older = tmp_path / "README.md", tmp_path / "CARD.md"
    assert card_of(tmp_path) is None
    card.write_text("# Notes of somebody\n")
    assert card_of(tmp_path) is None
    older.write_text("# Kathleen, a voice\n")
    assert card_of(tmp_path) == older
    card.write_text(hub_head("CC0 1.0", ["en-us", "en-gb"]) + "# Kathleen, a voice\n")
    assert card_of(tmp_path) == card
    assert card.read_text().startswith("---\nlicense: cc0-1.0\nlanguage: [en]\npipeline_tag: text-to-speech\n")
    assert hub_head('"mine": all', ["nl", "de"]).startswith(
        '---\nlicense: other\nlicense_name: "\\"mine\\": all"\nlanguage: [de, nl]\n'
    )
