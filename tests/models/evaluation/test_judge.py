"""Judging folders of wavs: good ones, and everything that can be wrong with them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from config.schema import ExperimentConfig
from models.evaluation import judge as evaluation
from models.evaluation.items import read_manifest
from models.evaluation.report.report import read_report
from models.evaluation.stage import Request, run_comparison, run_evaluation
from models.registry import load_config
from tests.scripts import load_script
from utils.errors import UserError
from utils.paths import PROJECT_ROOT

RATE = 22050
QUICK = ["evaluate.dnsmos=false", "evaluate.bootstrap_samples=200"]


def voice(seed: int, base: float = 150.0) -> np.ndarray:
    """A second of a gliding, pulsing harmonic voice (N,)."""
    generator = np.random.default_rng(seed)
    time = np.arange(RATE) / RATE
    phase = 2 * np.pi * np.cumsum(base * 2 ** (0.3 * np.sin(5 * time + seed))) / RATE
    sound = sum(np.sin(n * phase) / n for n in range(1, 20)) * (0.2 + np.sin(8 * time + seed) ** 2)
    return (0.05 * sound + 0.0005 * generator.standard_normal(RATE)).astype(np.float32)


def write_manifest(folder: Path, rows: list[dict[str, str]]) -> Path:
    path = folder / "list.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def config() -> ExperimentConfig:
    return load_config(PROJECT_ROOT / "config/jets.json", QUICK)


@pytest.fixture
def wavs(tmp_path: Path) -> Path:
    """Two good utterances with recordings, and five that are bad in different ways."""
    folder = tmp_path / "wavs"
    folder.mkdir()
    for name in ("same", "other"):
        soundfile.write(folder / f"{name}.wav", voice(1), RATE)
        soundfile.write(folder / f"{name}_ref.flac", voice(1 if name == "same" else 2), RATE)
    soundfile.write(folder / "silent.wav", np.zeros(RATE), RATE)
    soundfile.write(folder / "slow.wav", np.tile(voice(1), 4), RATE)
    soundfile.write(folder / "loud.wav", np.clip(voice(1) * 100, -1, 1), RATE)
    (folder / "garbage.wav").write_bytes(b"RIFF no audio")
    return folder


ROWS = [
    {"id": "same", "text": "One.", "reference": "same_ref.flac"},
    {"id": "other", "text": "Two.", "wav": "other.wav", "reference": "other_ref.flac"},
    {"id": "gone", "text": "Three."},
    {"id": "garbage", "text": "Four."},
    {"id": "mute", "text": "  ", "wav": "same.wav"},
    {"id": "silent", "text": "Five.", "reference": "same_ref.flac"},
    {"id": "slow", "text": "Six.", "reference": "same_ref.flac"},
    {"id": "loud", "text": "Seven.", "reference": "nowhere.wav"},
]


def test_bad_utterances_are_skipped_with_a_reason_or_fail(config, wavs, tmp_path):
    manifest = write_manifest(tmp_path, ROWS)
    printed = run_evaluation(config, Request(tmp_path / "out", "test", wavs=wavs, manifest=manifest))
    report, _ = read_report(tmp_path / "out")
    assert {entry["id"]: entry["reason"] for entry in report.skipped}.keys() == {"gone", "garbage", "mute"}
    reasons = {entry["id"]: entry["reason"] for entry in report.skipped}
    assert reasons["gone"] == "gone.wav is missing" and "text is empty" in reasons["mute"]
    records = {record.id: record for record in report.utterances}
    assert not records["same"].failures and not records["other"].failures
    assert records["silent"].failures[0] == "digital silence"
    assert any("times as long" in failure for failure in records["slow"].failures)
    assert any("clipped" in failure for failure in records["loud"].failures)
    assert records["loud"].notes == ["no recording: nowhere.wav is missing"] and "mcd" not in records["loud"].values
    assert records["same"].values["mcd"] < 0.3  # WAV and FLAC round differently
    assert records["other"].values["mcd"] > 1
    assert records["same"].recording == "../wavs/same_ref.flac"
    assert any("WER and CER were left out" in note for note in report.notes)
    assert "3 failed, 3 skipped" in printed
    page = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert "gone.wav is missing" in page and "data:audio/flac" in page
    assert "# wavs" in (tmp_path / "out/report.md").read_text(encoding="utf-8")


def test_pictures_for_the_first_utterances_only(wavs, tmp_path):
    config = load_config(PROJECT_ROOT / "config/jets.json", [*QUICK, "evaluate.report_players=1"])
    manifest = write_manifest(tmp_path, ROWS[:2])
    run_evaluation(config, Request(tmp_path / "out", "test", wavs=wavs, manifest=manifest))
    page = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert page.count("data:audio/flac") == 2  # synthesis and recording of the first


def test_nothing_to_judge_is_an_error(config, wavs, tmp_path):
    manifest = write_manifest(tmp_path, [ROWS[2]])
    with pytest.raises(UserError, match=r"none of 1 .* gone.wav is missing"):
        run_evaluation(config, Request(tmp_path / "out", "test", wavs=wavs, manifest=manifest))
    assert not (tmp_path / "out/report.json").exists()
    with pytest.raises(UserError, match="nothing to judge"):
        run_evaluation(config, Request(tmp_path / "out", "test"))
    with pytest.raises(UserError, match="--output_dir"):
        run_evaluation(config, Request(None, "test", wavs=wavs))


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "line 1: not JSON"), ('{"id": 3, "text": "x"}', "id and text"), ('{"id": "a"}', "id and text"),
     ('{"id": "a", "text": "b", "wav": 1}', "wav must be a path"), ("\n\n", "is empty"),
     ('{"id": "a", "text": "b"}\n{"id": "a", "text": "b"}', "line 2: the id a comes twice")],
)  # fmt: skip
def test_bad_manifests(tmp_path, content, message):
    path = tmp_path / "list.jsonl"
    path.write_text(content)
    with pytest.raises(UserError, match=message):
        read_manifest(path, None, lambda key: None)


def test_missing_manifest_and_other_reports_are_named(config, tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        read_manifest(tmp_path / "no.jsonl", None, lambda key: None)
    for argument, message in (("baseline", "NAME=REPORT"), (f"old={tmp_path / 'no'}", "no report at")):
        with pytest.raises(UserError, match=message):
            run_evaluation(config, Request(tmp_path / "out", "test", wavs=tmp_path, systems=[argument]))


class FakeRecogniser:
    """Hears "one" in everything."""

    language = "en"

    def __init__(self, *arguments: object) -> None:
        assert arguments[0] == "some-model"

    def normalise(self, text: str) -> str:
        return text.lower().strip(" .")

    def transcribe(self, audio: np.ndarray, sample_rate: int) -> str:
        assert len(audio) > 0 and sample_rate == RATE
        return "one"


def test_intelligibility_of_synthesis_and_recording(wavs, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluation, "Recogniser", FakeRecogniser)
    config = load_config(PROJECT_ROOT / "config/jets.json", [*QUICK, "evaluate.asr_model=some-model"])
    manifest = write_manifest(tmp_path, ROWS[:2])
    run_evaluation(config, Request(tmp_path / "out", "test", wavs=wavs, manifest=manifest))
    report, _ = read_report(tmp_path / "out")
    same, other = report.utterances
    assert same.values["wer"] == [0, 1] and other.values["wer"] == [1, 1] and other.values["cer"] == [3, 3]
    assert other.failures == ["not understood: CER 100%"] and other.heard == "one"
    assert report.summary["wer"].value == report.recordings["wer"].value == 0.5
    assert report.settings["asr"].startswith("some-model, int8, beam 5")


def test_recogniser_that_is_absent_or_broken(config, monkeypatch):
    named = load_config(PROJECT_ROOT / "config/jets.json", ["evaluate.asr_model=some-model"])

    def absent(*arguments: object) -> None:
        raise ImportError("No module named 'faster_whisper'")

    monkeypatch.setattr(evaluation, "Recogniser", absent)
    recogniser, notes = evaluation.open_recogniser(named)
    assert recogniser is None and "requirements-evaluate.txt" in notes[0]

    def broken(*arguments: object) -> None:
        raise ValueError("Invalid model")

    monkeypatch.setattr(evaluation, "Recogniser", broken)
    with pytest.raises(UserError, match=r"evaluate.asr_model: some-model cannot be loaded: Invalid model"):
        evaluation.open_recogniser(named)


def test_command_line(wavs, tmp_path, monkeypatch, capsys):
    """Two folders judged and compared as a user would, from another folder."""
    manifest = write_manifest(tmp_path, ROWS[:2])
    settings = [f"--set={item}" for item in QUICK]
    command = [sys.executable, str(PROJECT_ROOT / "bins/evaluate.py")]
    first = ["--wavs", "wavs", "--manifest", manifest.name, "--output_dir", "first", "--system", "A", *settings]
    run = subprocess.run([*command, *first], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "| MCD (dB) ↓ |" in run.stdout and "Traceback" not in run.stderr
    config = load_config(PROJECT_ROOT / "config/jets.json", QUICK)
    others = [f"A={tmp_path / 'first'}"]
    again = Request(tmp_path / "second", "test", wavs=wavs, manifest=manifest, system="B", systems=others)
    run_evaluation(config, again)
    assert "| | B | recordings | A |" in (tmp_path / "second/report.md").read_text(encoding="utf-8")
    both = (tmp_path / "first", tmp_path / "second")
    text = run_comparison(config, Request(tmp_path / "both", "test", compare=both))
    assert "# A against B" in text and json.loads((tmp_path / "both/comparison.json").read_text())["utterances"] == 2

    # What is wrong is told by the same script in this process, without the slow start of another one.
    script = load_script("evaluate")
    monkeypatch.chdir(tmp_path)
    # A voice without its corpus: which one, with which config, and what other corpora need.
    voice = PROJECT_ROOT / "config/jets.json"
    nowhere = ["--expt_dir", ".", "--config", str(voice), "--set", f"preprocess.processed_dir={tmp_path}/none"]
    for prefix, flags, message in (
        ("", ["--compare", "first", "nowhere"], "^error: there is no report at nowhere"),
        (
            "infer_",
            nowhere,
            f"of the corpus LJSpeech in none/LJSpeech: put its recordings .* run stage 1 with --config {voice}; ",
        ),
        (
            "infer_",
            [*nowhere, "--dataset", "other"],
            f"--infer_dataset other: {voice} has no such corpus; choose LJSpeech",
        ),
    ):
        monkeypatch.setenv("JETS_FLAG_PREFIX", prefix)
        monkeypatch.setattr(sys, "argv", ["evaluate.py", *flags])
        capsys.readouterr()
        assert script.main() == 2
        told = capsys.readouterr().err
        assert re.search(message, told) and told.count("\n") == 1
