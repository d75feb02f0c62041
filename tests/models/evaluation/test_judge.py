"""Judging folders of wavs: good ones, and everything that can be wrong with them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from config.schema import EvaluateConfig, ExperimentConfig
from models.evaluation import judge
from models.evaluation.report import Report, read_report
from models.evaluation.stage import read_manifest, run_comparison, run_evaluation
from tests.scripts import load_script
from utils.errors import UserError
from utils.files import PROJECT_ROOT

RATE = 22050
ROWS = [
    {"id": "same", "text": "One.", "reference": "same_ref.flac"},
    {"id": "other", "text": "Two.", "wav": "other.wav", "reference": "other_ref.flac"},
    {"id": "gone", "text": "Three."}, {"id": "garbage", "text": "Four."},
    {"id": "mute", "text": "  ", "wav": "same.wav"}, {"id": "silent", "text": "Five.", "reference": "same_ref.flac"},
    {"id": "slow", "text": "Six.", "reference": "same_ref.flac"},
    {"id": "loud", "text": "Seven.", "reference": "nowhere.wav"},
]  # fmt: skip
Run = Callable[..., Report]


def changed(config: ExperimentConfig, **settings: object) -> ExperimentConfig:
    return config.model_copy(update={"evaluate": config.evaluate.model_copy(update=settings)})


@pytest.fixture
def wavs(tmp_path: Path, speak: Callable[..., np.ndarray]) -> Path:
    """Two good utterances with recordings, and four that are bad in different ways; a manifest of `ROWS` beside."""
    folder = tmp_path / "wavs"
    folder.mkdir()
    voice = speak(np.full(5, 0.1))
    for name, recording in (("same", voice), ("other", speak(np.full(5, 0.12), 140.0, seed=2))):
        soundfile.write(folder / f"{name}.wav", voice, RATE)
        soundfile.write(folder / f"{name}_ref.flac", recording, RATE)
    soundfile.write(folder / "silent.wav", np.zeros(RATE), RATE)
    soundfile.write(folder / "slow.wav", np.tile(voice, 4), RATE)
    soundfile.write(folder / "loud.wav", np.clip(voice * 100, -1, 1), RATE)
    (folder / "garbage.wav").write_bytes(b"RIFF no audio")
    return folder


@pytest.fixture
def run(wavs: Path, tmp_path: Path, config: ExperimentConfig) -> Run:
    """Judges rows of `ROWS` into <tmp_path>/out."""

    def judged(rows: list[dict[str, str]], **settings: object) -> Report:
        manifest = tmp_path / "list.jsonl"
        manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
        run_evaluation(changed(config, **settings), tmp_path / "out", "test", wavs=wavs, manifest=manifest)
        return read_report(tmp_path / "out")[0]

    return judged


def test_bad_utterances_are_skipped_with_a_reason_or_fail(run, tmp_path):
    report = run(ROWS)
    reasons = {entry["id"]: entry["reason"] for entry in report.skipped}
    assert reasons.keys() == {"gone", "garbage", "mute"}
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
    page = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert "gone.wav is missing" in page and "data:audio/flac" in page
    text = (tmp_path / "out/report.md").read_text(encoding="utf-8")
    assert "# wavs" in text and "5 judged, 3 failed, 3 skipped" in text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "line 1: needs the keys id and text"), ('{"id": 3, "text": "x"}', r"strings \(id: "),
        ('{"id": "a"}', r"\(text: Field required\)"), ('{"id": "a", "text": "b", "wav": 1}', r"\(wav: "),
        ("\n\n", "is empty"), ('{"id": "a", "text": "b"}\n{"id": "a", "text": "b"}', "line 2: the id a comes twice"),
        (None, "cannot be read"),
    ],
)  # fmt: skip
def test_bad_manifests(tmp_path, content, message):
    path = tmp_path / "list.jsonl"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=message):
        read_manifest(path)


class FakeRecogniser:
    """Hears "one" in everything."""

    language = "en"

    def __init__(self, config: EvaluateConfig, language: str) -> None:
        assert (config.asr_model, language) == ("some-model", "en-us")

    def normalise(self, text: str) -> str:
        return text.lower().strip(" .")

    def transcribe(self, audio: np.ndarray, sample_rate: int) -> str:
        assert len(audio) > 0 and sample_rate == RATE
        return "one"


def test_intelligibility_and_pictures_of_the_first_only(run, tmp_path, monkeypatch):
    monkeypatch.setattr(judge, "Recogniser", FakeRecogniser)
    report = run(ROWS[:2], asr_model="some-model", report_players=1)
    same, other = report.utterances
    assert same.values["wer"] == (0, 1) and other.values["wer"] == (1, 1) and other.values["cer"] == (3, 3)
    assert other.failures == ["not understood: CER 100%"] and other.heard == "one"
    assert report.summary["wer"].value == report.recordings["wer"].value == 0.5
    assert report.settings["asr"].startswith("some-model, int8, beam 5")
    page = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert page.count("data:audio/flac") == 2  # synthesis and recording of the first


def test_command_line(run, config, tmp_path, monkeypatch, capsys):
    """Two folders judged and compared as a user would, from another folder."""
    run(ROWS[:2])
    settings = [f"--set=evaluate.{key}" for key in ("dnsmos=false", "distillmos=false", "bootstrap_samples=200")]
    command = [sys.executable, str(PROJECT_ROOT / "bins/evaluate.py"), "--wavs", "wavs", "--manifest", "list.jsonl"]
    command += ["--output_dir", "second", "--system", "B", "--systems", "A=out", *settings]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "| MCD (dB) ↓ |" in done.stdout and "Traceback" not in done.stderr
    assert "| | B | recordings | A |" in (tmp_path / "second/report.md").read_text(encoding="utf-8")
    text = run_comparison(config, (tmp_path / "out", tmp_path / "second"), tmp_path / "both")
    assert "# wavs against B" in text and json.loads((tmp_path / "both/comparison.json").read_text())["utterances"] == 2

    # What is wrong is told by the same script in this process, without the slow start of another one.
    script = load_script("evaluate")
    monkeypatch.chdir(tmp_path)
    # A voice without its corpus: which one, with which config, and what other corpora need.
    voice = PROJECT_ROOT / "config/jets.json"
    nowhere = ["--expt_dir", ".", "--config", str(voice), "--set", f"preprocess.processed_dir={tmp_path}/none"]
    put = f"of the corpus LJSpeech in none/LJSpeech: put its recordings .* run stage 1 with --config {voice}; "
    other = f"--infer_dataset other: {voice} has no such corpus; choose LJSpeech"
    monkeypatch.setenv("JETS_FLAG_PREFIX", "infer_")
    for flags, message in (
        (["--compare", "out", "nowhere"], "^error: there is no report at nowhere"),
        (nowhere, put),
        ([*nowhere, "--dataset", "other"], other),
    ):
        monkeypatch.setattr(sys, "argv", ["evaluate.py", *flags])
        capsys.readouterr()
        assert script.main() == 2
        told = capsys.readouterr().err
        assert re.search(message, told) and told.count("\n") == 1


def test_recogniser_that_is_absent_or_broken(config, monkeypatch):
    named, notes = changed(config, asr_model="some-model"), []
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    assert judge.open_recogniser(named, notes) is None and "requirements-evaluate.txt" in notes[0]

    def broken(*arguments: object) -> None:
        raise ValueError("Invalid model")

    monkeypatch.setattr(judge, "Recogniser", broken)
    with pytest.raises(UserError, match=r"evaluate.asr_model: some-model cannot be loaded: Invalid model"):
        judge.open_recogniser(named, notes)
