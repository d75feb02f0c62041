"""Several speakers and languages in one report: whose voice it is, and who heard it."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from config.schema import ExperimentConfig
from models.evaluation import judge
from models.evaluation.comparison import summarise
from models.evaluation.judge import listen_to_all
from models.evaluation.listening import whisper_language
from models.evaluation.report import Report, UtteranceRecord, group_table, read_report, report_markdown
from models.evaluation.speaker_similarity import SpeakerEncoder, judge_speakers
from models.evaluation.stage import run_evaluation
from processors.audio.recording import AudioProblem

RATE = 22050
# Voices in a plane: a's recordings lie near 0 degrees, b's near 90.
ANGLES = {
    "a0.wav": 5,
    "a1.wav": 10,
    "a2.wav": 15,
    "b0.wav": 80,
    "b1.wav": 90,
    "b2.wav": 100,
    "said.wav": 20,
    "odd.wav": 70,
}


def embed(path: Path) -> np.ndarray:
    if path.name == "silent.wav":
        raise AudioProblem("silent", "silence has no speaker")
    angle = np.radians(ANGLES[path.name])
    return np.array([np.cos(angle), np.sin(angle)])


def record(key: str, speaker: str, audio: str, recording: str | None = None, language: str = "en") -> UtteranceRecord:
    return UtteranceRecord(key, "One.", audio, recording, speaker=speaker, language=language)


def test_a_voice_is_compared_with_the_other_recordings_of_its_speaker() -> None:
    records = [
        record(f"{s}{n}", s, "said.wav" if s == "a" else "odd.wav", f"{s}{n}.wav") for s in "ab" for n in range(3)
    ]
    records += [record("c", "c", "said.wav"), record("quiet", "a", "silent.wav", "silent.wav")]
    records[1].audio = "odd.wav"
    judge_speakers(records, Path("x"), {}, embed)
    first = records[0]
    assert first.values["speaker_similarity"] == pytest.approx(np.cos(np.radians(20 - 12.5)))
    assert first.recording_values["speaker_similarity"] == pytest.approx(np.cos(np.radians(5 - 12.5)))
    assert [r.values.get("speaker_found") for r in records] == [1, 0, 1, 1, 1, 1, None, None]
    assert [r.recording_values.get("speaker_found") for r in records] == [1] * 6 + [None, None]
    assert records[-1].notes == ["no speaker: silence has no speaker"]
    assert records[-2].notes == ["speaker not judged: fewer than 2 recordings of c"]


def test_speakers_without_recordings_are_known_by_examples() -> None:
    records = [record("x", "a", "said.wav", language="de"), record("y", "b", "said.wav")]
    judge_speakers(
        records, Path("x"), {"a": [Path("a0.wav"), Path("a2.wav")], "b": [Path("b0.wav"), Path("b2.wav")]}, embed
    )
    assert records[0].values["speaker_similarity"] == pytest.approx(np.cos(np.radians(10)))
    assert [r.values["speaker_found"] for r in records] == [1, 0] and not records[0].recording_values
    alone = [record("x", "a", "said.wav", "a0.wav"), record("z", "a", "said.wav", "a1.wav")]
    judge_speakers(alone, Path("x"), {}, embed)
    assert alone[0].values.keys() == {"speaker_similarity"}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The optional package with weights of a network that nobody trained."""
    folder = tmp_path / "site/resemblyzer"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise ImportError('what it needs is not there')")
    torch.manual_seed(0)
    network = torch.nn.ModuleDict({"lstm": torch.nn.LSTM(40, 256, 3), "linear": torch.nn.Linear(256, 256)})
    state = {**network.state_dict(), "similarity_weight": torch.ones(1)}
    torch.save({"model_state": state, "step": 1}, folder / "pretrained.pt")
    monkeypatch.syspath_prepend(str(folder.parent))
    importlib.invalidate_caches()
    return folder


def test_the_encoder_needs_nothing_but_the_weights(package: Path, tmp_path: Path, speak: Callable) -> None:
    encoder = SpeakerEncoder()
    voice = speak()
    soundfile.write(tmp_path / "a.wav", voice, RATE)
    soundfile.write(
        tmp_path / "b.wav", np.concatenate([np.zeros(RATE), 0.2 * voice, np.zeros(RATE)]), RATE, subtype="FLOAT"
    )
    soundfile.write(tmp_path / "short.wav", voice[: RATE // 2], RATE)
    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE), RATE)
    one, quiet, short = (encoder(tmp_path / f"{name}.wav") for name in ("a", "b", "short"))
    assert one.shape == (256,) and np.linalg.norm(short) == pytest.approx(1, abs=1e-5)
    assert one @ quiet > 0.999  # neither level nor silence around it counts
    with pytest.raises(AudioProblem, match="silence"):
        encoder(tmp_path / "silent.wav")
    (package / "pretrained.pt").unlink()
    with pytest.raises(ImportError, match="--no-deps Resemblyzer"):
        SpeakerEncoder()


class Multilingual:
    """Hears its language's name in everything, and knows no Dutch."""

    def __init__(self, language: str = "en") -> None:
        self.language = language

    def for_language(self, language: str) -> Multilingual | None:
        return None if language == "nl" else Multilingual(whisper_language(language))

    def normalise(self, text: str) -> str:
        return text.lower().strip(" .")

    def transcribe(self, audio: np.ndarray, sample_rate: int) -> str:
        return self.language


def test_each_language_is_heard_by_its_own_recogniser(tmp_path: Path, speak: Callable) -> None:
    soundfile.write(tmp_path / "a.wav", speak(), RATE)
    languages = ("en-us", "de", "cmn", "nl", "en-gb", "nl")
    report = Report("x", utterances=[record(str(n), "s", "a.wav", None, name) for n, name in enumerate(languages)])
    listen_to_all(report, Multilingual(), RATE, tmp_path)
    assert [r.heard for r in report.utterances] == ["en", "de", "zh", None, "en", None]
    assert report.notes == ["WER and CER of nl were left out: the recogniser does not know it."]


def test_groups_of_a_report(config: ExperimentConfig, tmp_path: Path) -> None:
    report = Report(
        "x", utterances=[record(f"{n}", "ab"[n % 2], "a.wav", None, "de" if n % 4 else "nl") for n in range(16)]
    )
    for number, one in enumerate(report.utterances):
        one.values, one.recording_values = {"cer": (number % 3, 10), "sharpness": 0.5}, {"cer": (0, 10)}
    summarise(report, config.evaluate)
    assert [(g.language, g.speaker, g.utterances) for g in report.groups] == [
        ("de", "a", 4), ("de", "b", 8), ("nl", "a", 4), ("de", "", 12),
    ]  # fmt: skip
    assert report.groups[3].summary.keys() == {"cer"} and report.groups[3].recordings["cer"].value == 0
    table = group_table(report)
    assert (
        table[2].startswith("| a | de | 4 | ") and table[2].endswith(" (0.0) |") and table[5].startswith("| all | de |")
    )
    assert "## By speaker and language" in report_markdown(report)
    same = Report("x", utterances=report.utterances[4::4])
    summarise(same, config.evaluate)
    assert same.groups == [] and "By speaker" not in report_markdown(same)

    content = report.to_json()
    for old in ({**content, "groups": []}, {key: value for key, value in content.items() if key != "groups"}):
        (tmp_path / "report.json").write_text(json.dumps(old))
        assert read_report(tmp_path)[0].groups == []


def test_a_manifest_names_speakers(package, config, speak, tmp_path, monkeypatch) -> None:
    rows = []
    for number in range(4):
        soundfile.write(tmp_path / f"{number}.wav", speak(base_f0=150 + 40 * (number % 2), seed=number), RATE)
        who = {"speaker": "ab"[number % 2], "language": "de"}
        rows.append({"id": str(number), "text": "Eins.", "reference": f"{number}.wav", **who})
    (tmp_path / "list.jsonl").write_text("\n".join(map(json.dumps, rows)))
    monkeypatch.setattr(judge, "Recogniser", lambda settings, language: Multilingual())
    evaluate = config.evaluate.model_copy(update={"speaker_similarity": True, "asr_model": "some-model"})
    config = config.model_copy(update={"evaluate": evaluate})
    told = run_evaluation(config, tmp_path / "out", "test", manifest=tmp_path / "list.jsonl")
    report, _ = read_report(tmp_path / "out")
    assert report.summary["speaker_similarity"].n == report.summary["speaker_found"].n == 4
    assert report.settings["asr"].endswith("beam 5, de") and report.utterances[0].heard == "de"
    assert "| b | de | 2 |" in told and "By speaker and language" in (tmp_path / "out/report.html").read_text()
