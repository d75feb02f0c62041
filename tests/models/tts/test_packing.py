"""A packed voice: what is in the folder, that it serves like an experiment, and what packing refuses."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from models.base.checkpoints import find_checkpoint, load_weights, save_checkpoint
from models.tts import packing
from models.tts.jets.synthesizer import Synthesizer
from models.tts.packing import VoiceFacts, pack_voice
from processors.text.english import EnglishIpa
from processors.text.frontend import TextFrontEnd
from tests.scripts import load_script
from tests.tiny_voice import ROOT, make_corpus, make_experiment, make_network
from utils.config import load_config, load_experiment_config
from utils.errors import UserError
from utils.report.report import Report, UtteranceRecord, write_report_json

# Wide enough for its large tensors to be stored in fewer bits.
WIDE = ("model.hidden_channels=64", "model.encoder.ffn_channels=64", "model.generators.hifigan.channels=64")
FACTS = VoiceFacts("Test", "none | at all", "CC0-1.0", "not at all", "2026-01-02")


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


@pytest.fixture(scope="module", params=["fp16", "int8"])
def packed(request: pytest.FixtureRequest, experiment: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("packed") / "voice"
    pack_voice(experiment, out, FACTS, precision=request.param, say=lambda _: None)
    return out


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def script_of(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A script of bins/ in this process, without the slow start of another one."""
    script = load_script(name)
    monkeypatch.setattr(script.signal, "signal", lambda *_: None)
    return script


def test_it_holds_the_speaking_network_and_no_place_on_this_machine(packed: Path) -> None:
    checkpoint = "checkpoints/step_00000002"
    assert files(packed) == [
        "CARD.md", f"{checkpoint}/network.safetensors", f"{checkpoint}/state.json", "config.json", "tokens.json"
    ]  # fmt: skip
    text = (packed / "config.json").read_text() + (packed / "CARD.md").read_text()
    assert "/home/me" not in text
    assert load_config(packed / "config.json") == load_experiment_config(packed)
    card = (packed / "CARD.md").read_text()
    for entry in ("# Test, a voice", "none \\| at all", "CC0-1.0", "not at all", "2026-01-02", "hifigan", "22,050 Hz"):
        assert entry in card


def test_it_takes_little_space(experiment: Path, packed: Path) -> None:
    before, after = (path / "checkpoints/step_00000002/network.safetensors" for path in (experiment, packed))
    assert after.stat().st_size < 0.75 * before.stat().st_size


def test_it_speaks_as_before(experiment: Path, packed: Path) -> None:
    weights = load_weights(find_checkpoint(packed).path)
    torch.testing.assert_close(weights, load_weights(find_checkpoint(experiment).path), rtol=0.01, atol=0.02)
    before, after = (Synthesizer.from_experiment(folder, "cpu") for folder in (experiment, packed))
    one, rate = before.tts("Hello there, whoever you are.")
    other, same_rate = after.tts("Hello there, whoever you are.")
    assert rate == same_rate and abs(len(other) / len(one) - 1) < 0.05 and np.abs(other).max() > 0
    assert all(value.dtype == torch.float32 for value in after.network.state_dict().values())


def test_averaged_weights_and_the_wanted_checkpoint_are_taken(tmp_path: Path) -> None:
    folder = make_experiment(tmp_path / "source")
    network, average = (make_network(load_experiment_config(folder), seed).state_dict() for seed in (8, 9))
    parameters = {name: value for name, value in average.items() if "log_f0" not in name}
    save_checkpoint(folder, 3, {"network": network, "ema": parameters, "discriminator": {}}, {"x": 1}, {"score": 2.0})
    for which, expected in (("last", average), ("step_00000001", load_weights(folder / "checkpoints/step_00000001"))):
        pack_voice(folder, tmp_path / which, FACTS, checkpoint=which, say=lambda _: None)
        found = find_checkpoint(tmp_path / which)
        weights = load_weights(found.path)
        assert torch.equal(weights["embedding.weight"], expected["embedding.weight"])
        assert weights.keys() == network.keys() and torch.equal(weights["log_f0_mean"], network["log_f0_mean"])
    assert find_checkpoint(tmp_path / "last").metrics == {"score": 2.0}
    assert "averaged weights" in (tmp_path / "last/CARD.md").read_text()
    assert "averaged weights" not in (tmp_path / "step_00000001/CARD.md").read_text()


def test_the_users_lexicon_comes_along(tmp_path: Path) -> None:
    lexicon = tmp_path / "mine.txt"
    lexicon.write_text("jets JH EH1 T S\n")
    folder = make_experiment(tmp_path / "source", (f"preprocess.lexicon_path={lexicon}",))
    shutil.copy(lexicon, folder / "lexicon.txt")
    pack_voice(folder, tmp_path / "voice", FACTS, say=lambda _: None)
    lexicon.unlink()
    shutil.rmtree(folder)
    assert load_experiment_config(tmp_path / "voice").preprocess.lexicon_path == str(tmp_path / "voice/lexicon.txt")
    assert Synthesizer.from_experiment(tmp_path / "voice", "cpu").script.frontend.phonemise("Jets")[1:3] == ["d", "ʒ"]


def test_stage_3_in_every_mode(packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary) -> None:
    script = script_of("inference", monkeypatch)
    text = "Hello there."
    make_corpus(tmp_path / "data/LJSpeech", [("u1", text, TextFrontEnd(EnglishIpa()).phonemise(text))])
    (tmp_path / "text.txt").write_text(f"{text}\n")
    data, out = f"--set=preprocess.processed_dir={tmp_path / 'data'}", f"--output_dir={tmp_path / 'out'}"
    for flags in ([out, f"--text={text}"], [out, f"--text_file={tmp_path / 'text.txt'}"], [out, "--mode=batch", data],
                  ["--stream", f"--text={text}"]):  # fmt: skip
        monkeypatch.setattr(sys, "argv", ["inference.py", f"--expt_dir={packed}", "--device=cpu", *flags])
        assert script.main() == 0
        assert len(capfdbinary.readouterr().out) > 0
    assert files(tmp_path / "out") == ["0001.wav", "manifest.jsonl", "text.wav", "u1.wav"]
    assert "result" not in {path.name for path in packed.iterdir()}


def report(folder: Path, checkpoint: str) -> Path:
    records = [UtteranceRecord(f"u{i}", "Text.", "a.wav", values={"wer": (i, 10)}) for i in range(3)]
    made = Report("source", source={"checkpoint": checkpoint, "split": "test"}, settings={"asr": "base"})
    made.utterances = records
    made.summarise(load_config(ROOT / "config/jets.json").evaluate)
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
    card = (out / "CARD.md").read_text()
    assert "# source, a voice" in card and "| WER" in card and "3 utterances, 0 failed" in card and "asr base" in card


def test_a_second_voice_takes_a_word_more_and_a_failure_leaves_the_first(
    experiment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script, out = script_of("pack", monkeypatch), tmp_path / "voice"

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
        assert "# First, a voice" in (out / "CARD.md").read_text()
    assert pack("--replace", "--checkpoint=step_00000001") == (0, "")
    assert find_checkpoint(out).name == "step_00000001" and "None yet" in (out / "CARD.md").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["stale", "voice"]


def test_a_packed_voice_can_be_packed_again(packed: Path, tmp_path: Path) -> None:
    pack_voice(packed, tmp_path / "voice", FACTS, say=lambda _: None)
    assert files(tmp_path / "voice") == files(packed)
    before, after = (load_weights(find_checkpoint(folder).path) for folder in (packed, tmp_path / "voice"))
    torch.testing.assert_close(after, before, rtol=1e-3, atol=1e-4)


def test_what_is_refused(experiment: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    for out, message in ((tmp_path / "taken", "holds no packed voice"), (experiment, "is the experiment itself")):
        with pytest.raises(UserError, match=message):
            pack_voice(experiment, out, FACTS, replace=True)
    with pytest.raises(UserError, match="is no experiment folder"):
        pack_voice(tmp_path / "taken", tmp_path / "voice", FACTS)
    broken = make_experiment(tmp_path / "broken")
    weights = load_weights(find_checkpoint(broken).path)
    weights["embedding.weight"][0] = torch.nan
    save_checkpoint(broken, 9, {"network": weights}, {}, {})
    with pytest.raises(UserError, match="cannot be packed: embedding.weight holds values that are not finite"):
        pack_voice(broken, tmp_path / "voice", FACTS)
    assert not (tmp_path / "voice").exists()
