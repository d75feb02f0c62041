"""Stage 1 as a whole: what comes out, what is skipped, what is redone."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import soundfile
import torch

from preprocessors import features, pipeline
from preprocessors.corpus_report import write_plots
from preprocessors.pipeline import preprocess_dataset
from processors.audio.mel import MelSpectrogram
from processors.corpus import ProcessedCorpus, read_meta
from processors.text.frontend import TextFrontEnd
from tests.preprocessors.conftest import folder_bytes, make_corpus, speech
from utils.errors import UserError
from utils.files import FileLock

RATE = 22050
pytestmark = pytest.mark.usefixtures("quick")


def skipped_rows(folder: Path) -> dict[str, dict[str, str]]:
    return {row["id"]: row for row in map(json.loads, (folder / "skipped.jsonl").read_text().splitlines())}


def test_what_comes_out(
    voice_folder: Path, config_maker: Callable, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "write_plots", write_plots)
    config = config_maker(voice_folder, max_held_out_fraction=0.1)
    folder = preprocess_dataset(config, "voice")
    corpus = ProcessedCorpus.open(folder, config.preprocess)
    front_end = TextFrontEnd.from_config(config.preprocess)

    assert [u.id for u in corpus.utterances] == [f"u{n:03d}" for n in range(24)]
    assert [len(corpus.split(name)) for name in ("train", "valid", "test")] == [20, 2, 2]
    assert corpus.tokens == front_end.tokens
    mel = MelSpectrogram(RATE, 1024, 1024, 256, 80)
    measured: dict[str, list[np.ndarray]] = {"log_f0": [], "energy": []}
    for utterance in corpus.utterances:
        assert utterance.length == utterance.frames * corpus.hop_size
        assert list(utterance.phones) == front_end.phonemise(utterance.text)
        assert (utterance.speaker, utterance.language) == ("voice", config.preprocess.language)
        recording, _ = soundfile.read(voice_folder / "wavs" / f"{utterance.id}.wav", dtype="float32")
        audio, log_f0, voiced = corpus.arrays(utterance.row)
        assert np.abs(audio / 32768 - (recording - recording.mean())[: utterance.length]).max() < 1e-4
        assert len(audio) == utterance.length and len(log_f0) == len(voiced) == utterance.frames
        assert 0.3 < voiced.mean() < 0.9 and np.isfinite(log_f0).all()
        assert np.log(80) < log_f0.min() and log_f0.max() < np.log(400)
        if utterance.split == "train":
            measured["log_f0"].append(log_f0)
            measured["energy"].append(mel(torch.from_numpy(audio.astype(np.float32) / 32768)[None])[1][0].numpy())
    for name, values in measured.items():
        assert corpus.statistics[f"{name}_mean"] == pytest.approx(np.concatenate(values).mean(), rel=1e-4)
        assert corpus.statistics[f"{name}_std"] == pytest.approx(np.concatenate(values).std(), rel=1e-3)

    printed = capsys.readouterr().out
    assert (folder / "report.txt").read_text() in printed
    shown = ("train", "skipped: none", "tokens:", "(space)", "F0: median", "energy (training split", "x real time")
    assert all(words in printed for words in shown)
    assert sorted(path.name for path in (folder / "plots").iterdir()) == ["f0.png", "lengths.png", "levels.png"]
    assert [path.name for path in folder.parent.iterdir()] == ["voice"]


def test_every_reason_to_skip(tmp_path: Path, config_maker: Callable) -> None:
    folder = make_corpus(tmp_path / "voice", 6)
    good = speech(1.5, 99)

    def add(name: str, samples: np.ndarray, rate: int = RATE, text: str = "a good day", **options: str) -> Path:
        path = folder / "wavs" / f"{name}.wav"
        soundfile.write(path, samples, rate, **options)
        with open(folder / "metadata.csv", "a", encoding="utf-8") as file:
            file.write(f"{name}|{text}|{text}\n")
        return path

    with_nan = good.copy()
    with_nan[500] = np.nan
    add("nan", with_nan, subtype="FLOAT")
    add("none", np.zeros(0))
    add("short", good[: RATE // 4])
    add("left", np.stack([good, 0 * good], axis=1), text="a good Дом")
    add("long", np.tile(good, 20))
    add("silent", np.zeros(RATE))
    add("clipped", np.clip(20 * good, -1, 1))
    add("unvoiced", np.random.default_rng(0).normal(0, 0.05, RATE))
    add("much_text", good, text="so many words " * 10)
    add("no_words", good, text="***")
    truncated = add("truncated", good)
    truncated.write_bytes(truncated.read_bytes()[:20000])
    add("rubbish", good).write_bytes(b"this is not a recording")
    for name in ("pipe", "device"):
        add(name, good).unlink()
    os.mkfifo(folder / "wavs/pipe.wav")
    (folder / "wavs/device.wav").symlink_to("/dev/zero")
    with open(folder / "metadata.csv", "ab") as file:
        file.write(b"absent|text\nu001|again\nu999|\n../../escape|text\nbad|caf\xe9\none column\n")

    corpus = preprocess_dataset(config_maker(folder), "voice")
    rows = skipped_rows(corpus)
    assert {name: row["kind"] for name, row in rows.items()} == {
        "nan": "not finite", "none": "too short", "short": "too short", "long": "too long", "silent": "silent",
        "clipped": "clipped", "unvoiced": "unvoiced", "much_text": "text too long", "no_words": "text",
        "truncated": "truncated", "rubbish": "unreadable", "pipe": "unreadable", "device": "unreadable",
        "absent": "missing audio", "u001": "duplicate id", "u999": "empty text", "../../escape": "bad id",
        "bad": "bad encoding", "one column": "wrong columns",
    }  # fmt: skip
    assert all(len(row["reason"]) > 15 and "\n" not in row["reason"] for row in rows.values())
    assert [u.id for u in ProcessedCorpus.open(corpus).utterances] == [*(f"u{n:03d}" for n in range(6)), "left"]
    report = (corpus / "report.txt").read_text()
    assert "skipped: 19" in report and "too short              2   for instance none:" in report
    assert "noted, and used all the same: 2 (each in noted.jsonl)" in report
    assert "words left out         1   for instance left: Дом" in report and "one channel taken      1" in report


def test_an_exception_costs_one_utterance(
    voice_folder: Path, config_maker: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, pitch = features.load_recording, features.extract_f0_batch
    troubled = real(voice_folder / "wavs/u006.wav", config_maker(voice_folder).preprocess)

    def fragile(path: Path, *rest: object) -> np.ndarray:
        if path.stem == "u003":
            raise ZeroDivisionError("surprise")
        return real(path, *rest)

    def fragile_pitch(waves: list, *settings: float) -> list:
        if any(np.array_equal(wave * 32768, troubled) for wave in waves):
            raise RuntimeError("no pitch")
        return pitch(waves, *settings)

    monkeypatch.setattr(features, "load_recording", fragile)
    monkeypatch.setattr(features, "extract_f0_batch", fragile_pitch)
    rows = skipped_rows(preprocess_dataset(config_maker(voice_folder), "voice"))
    assert rows == {
        "u003": {"id": "u003", "kind": "failed", "reason": "ZeroDivisionError: surprise"},
        "u006": {"id": "u006", "kind": "failed", "reason": "RuntimeError: no pitch"},
    }


def test_a_deadly_utterance_is_skipped_and_gets_another_chance(
    voice_folder: Path, config_maker: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def one_dies(make: Callable, arguments: tuple, jobs: list, workers: int) -> object:
        work, noted = make(*arguments), []
        for job in jobs:
            yield work(job, {0: -11} if job[0].id == "u000" else {}, noted.append)
        assert noted == [1, 2, 3, 4, 5, *[0, 1, 2, 3, 4, 5] * 3]

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "run_jobs", one_dies)
        rows = skipped_rows(preprocess_dataset(config_maker(voice_folder), "voice"))
    assert rows["u000"]["kind"] == "worker died" and rows["u000"]["reason"].endswith("on it (exit code -11)")
    assert len(rows) == 1
    again = preprocess_dataset(config_maker(voice_folder, valid_size=1), "voice")
    assert skipped_rows(again) == {}
    # One by one or together is the same.
    other = preprocess_dataset(config_maker(voice_folder, "b", valid_size=1), "voice")
    assert folder_bytes(again) == folder_bytes(other)


def test_nothing_usable(tmp_path: Path, config_maker: Callable) -> None:
    folder = make_corpus(tmp_path / "voice", 3)
    config = config_maker(folder, min_seconds=15.0)
    with pytest.raises(UserError, match=r"no usable utterance \(skipped: too short 3; for instance u000: 1.20 s"):
        preprocess_dataset(config, "voice")
    (folder / "metadata.csv").write_text("\n")
    with pytest.raises(UserError, match="no utterances to train on"):
        preprocess_dataset(config, "voice")
    assert not (tmp_path / "data" / "voice/meta.json").exists()


def test_warnings(tmp_path: Path, config_maker: Callable) -> None:
    folder = make_corpus(tmp_path / "voice", 4)
    corpus = preprocess_dataset(config_maker(folder), "voice")
    assert "warning: only 4 utterances" in (corpus / "report.txt").read_text()
    assert "  never: , ! ?" in (corpus / "report.txt").read_text()
    # A number as a third column is taken for the text; and everybody says the same.
    lines = (folder / "metadata.csv").read_text().splitlines()
    (folder / "metadata.csv").write_text("\n".join(line.rpartition("|")[0] + "|I" for line in lines))
    report = (preprocess_dataset(config_maker(folder), "voice") / "report.txt").read_text()
    assert "warning: 4 texts are far too short for their recordings (under 2 characters a second), for" in report
    assert "warning: 4 recordings have one and the same text: 'i'" in report


def ids_worked_on(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A list that will hold the ids of the next run."""
    worked: list[str] = []
    real = pipeline.run_jobs

    def counted(make: Callable, arguments: tuple, jobs: list, workers: int) -> object:
        worked[:] = [row.id for job in jobs for row in job]
        return real(make, arguments, jobs, workers)

    monkeypatch.setattr(pipeline, "run_jobs", counted)
    return worked


def test_only_groups_that_changed_are_redone(
    tmp_path: Path,
    config_maker: Callable,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    folder = make_corpus(tmp_path / "voice", 18)
    worked = ids_worked_on(monkeypatch)

    def run(**keys: object) -> list[str]:
        worked[:] = ["nothing was tried"]
        preprocess_dataset(config_maker(folder, **keys), "voice")
        return list(worked)

    everything = [f"u{n:03d}" for n in range(18)]
    assert run() == everything
    assert run() == ["nothing was tried"]
    assert "nothing to do" in capsys.readouterr().out
    assert run(n_mel=40, fmin=50.0, num_workers=3) == ["nothing was tried"]
    assert run(max_held_out_fraction=0.3, split_seed=5) == []
    assert run(highpass_hz=60.0) == everything

    soundfile.write(folder / "wavs" / "u003.wav", np.zeros(RATE), RATE)
    lines = (folder / "metadata.csv").read_text().splitlines()
    lines[4] = "u004|green stone|green stone"
    (folder / "metadata.csv").write_text("\n".join([*lines, "u001|again", "u999|x"]))
    assert run(highpass_hz=60.0) == everything[:6]
    assert skipped_rows(tmp_path / "data" / "voice").keys() == {"u003", "u001", "u999"}
    (folder / "wavs" / "u017.wav").unlink()
    assert run(highpass_hz=60.0) == everything[12:17]

    # What was put together from old and new pieces equals what is made at once.
    again = preprocess_dataset(config_maker(folder, "elsewhere", highpass_hz=60.0), "voice")
    assert folder_bytes(again) == folder_bytes(tmp_path / "data" / "voice")


@pytest.mark.parametrize("damage", ["meta.json", "utterances-*.arrow", "shards/*.arrow"])
@pytest.mark.parametrize("how", ["cut", "bit"])
def test_a_damaged_corpus_is_mended(
    voice_folder: Path,
    config_maker: Callable,
    monkeypatch: pytest.MonkeyPatch,
    damage: str,
    how: str,
) -> None:
    config = config_maker(voice_folder)
    folder = preprocess_dataset(config, "voice")
    before = folder_bytes(folder)
    path = sorted(folder.glob(damage))[0]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content[:100] if how == "cut" else content)
    worked = ids_worked_on(monkeypatch)
    preprocess_dataset(config, "voice")
    assert folder_bytes(folder) == before
    assert len(worked) == (6 if damage.startswith("shards") else 0)


def test_the_files_of_a_corpus_are_listed_once_however_many_there_are(
    voice_folder: Path, config_maker: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_maker(voice_folder)
    folder = preprocess_dataset(config, "voice")
    shards = list((folder / "shards").iterdir())
    files = Mock(return_value={*shards, *folder.glob("*.arrow")})
    monkeypatch.setattr(ProcessedCorpus, "files", property(files))
    preprocess_dataset(config, "voice")
    assert len(shards) > 1 and files.call_count == 1


def test_the_earlier_corpus_stays_until_the_new_one_is_ready(
    voice_folder: Path, config_maker: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = preprocess_dataset(config_maker(voice_folder), "voice")
    before = read_meta(folder)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    places = ((features, "write_batch"), (pipeline, "write_batch"), (pipeline, "write_text"))
    for module, function in places:
        with monkeypatch.context() as broken:
            broken.setattr(module, function, full)
            with pytest.raises(UserError, match="disk is full"):
                preprocess_dataset(config_maker(voice_folder, highpass_hz=50.0), "voice")
        assert read_meta(folder) == before
        ProcessedCorpus.open(folder).check()

    preprocess_dataset(config_maker(voice_folder, highpass_hz=80.0), "voice")
    assert read_meta(folder) != before
    # Of all that, nothing is left.
    new = preprocess_dataset(config_maker(voice_folder, "new", highpass_hz=80.0), "voice")
    assert folder_bytes(folder) == folder_bytes(new)


def test_two_runs_at_once_and_a_folder_that_vanishes(
    voice_folder: Path, config_maker: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_maker(voice_folder)
    folder = Path(config.preprocess.processed_dir) / "voice"
    folder.mkdir(parents=True)
    with FileLock(folder / ".lock", "busy"), pytest.raises(UserError, match=rf"already \(process {os.getpid()} on "):
        preprocess_dataset(config, "voice")
    real = pipeline.write_corpus

    def remove_and_go_on(*arguments: object) -> str:
        shutil.rmtree(folder)
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "write_corpus", remove_and_go_on)
        with pytest.raises(UserError, match="vanished during the run"):
            preprocess_dataset(config, "voice")
    preprocess_dataset(config, "voice")
