"""Stage 1 as a whole: what comes out, what is skipped, what is redone."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from preprocessors import packing, pipeline
from preprocessors.pipeline import preprocess_dataset
from preprocessors.pool import Died
from processors.audio.mel import MelSpectrogram
from processors.corpus import ProcessedCorpus
from processors.text.frontend import TextFrontEnd
from utils.errors import UserError

RATE = 22050


def skipped_rows(folder: Path) -> dict[str, dict[str, str]]:
    return {row["id"]: row for row in map(json.loads, (folder / "skipped.jsonl").read_text().splitlines())}


@pytest.mark.usefixtures("in_process")
def test_what_comes_out(voice_folder: Path, config_maker: Callable, capsys: pytest.CaptureFixture) -> None:
    config = config_maker(voice_folder, max_held_out_fraction=0.1)
    folder = preprocess_dataset(config, "voice")
    corpus = ProcessedCorpus.open(folder, config.preprocess)
    front_end = TextFrontEnd.from_config(config.preprocess)

    assert [u.id for u in corpus.utterances] == [f"u{n:03d}" for n in range(24)]
    assert [len(corpus.split(name)) for name in ("train", "valid", "test")] == [20, 2, 2]
    assert corpus.tokens == front_end.tokens
    offset = frame_offset = 0
    for utterance in corpus.utterances:
        assert (utterance.offset, utterance.frame_offset) == (offset, frame_offset)
        assert utterance.length == utterance.frames * corpus.hop_size
        assert list(utterance.phones) == front_end.phonemise(utterance.text)
        recording, _ = soundfile.read(voice_folder / "wavs" / f"{utterance.id}.wav", dtype="float32")
        packed = corpus.audio[offset : offset + utterance.length] / 32768
        assert np.abs(packed - (recording - recording.mean())[: utterance.length]).max() < 1e-4
        voiced = corpus.voiced[frame_offset : frame_offset + utterance.frames]
        log_f0 = corpus.log_f0[frame_offset : frame_offset + utterance.frames]
        assert 0.3 < voiced.mean() < 0.9 and np.isfinite(log_f0).all()
        assert np.log(80) < log_f0.min() and log_f0.max() < np.log(400)
        offset, frame_offset = offset + utterance.length, frame_offset + utterance.frames
    assert len(corpus.audio) == offset and len(corpus.log_f0) == len(corpus.voiced) == frame_offset

    printed = capsys.readouterr().out
    assert (folder / "report.txt").read_text() in printed
    for words in ("train", "skipped: none", "tokens:", "F0: median", "energy (training split", "x real time"):
        assert words in printed
    assert sorted(path.name for path in (folder / "plots").iterdir()) == ["f0.png", "lengths.png", "levels.png"]
    assert [path.name for path in folder.parent.iterdir()] == ["voice"]


@pytest.mark.usefixtures("in_process", "no_plots")
def test_statistics_are_those_of_the_training_split(voice_folder: Path, config_maker: Callable) -> None:
    config = config_maker(voice_folder, max_held_out_fraction=0.2)
    corpus = ProcessedCorpus.open(preprocess_dataset(config, "voice"))
    mel = MelSpectrogram(RATE, 1024, 1024, 256, 80)
    log_f0, energy = [], []
    for utterance in corpus.split("train"):
        audio = torch.from_numpy(corpus.audio[utterance.offset :][: utterance.length].astype(np.float32) / 32768)
        energy.append(mel(audio[None])[1][0].numpy())
        log_f0.append(corpus.log_f0[utterance.frame_offset :][: utterance.frames])
    for name, values in (("log_f0", np.concatenate(log_f0)), ("energy", np.concatenate(energy))):
        assert corpus.statistics[f"{name}_mean"] == pytest.approx(values.mean(dtype=np.float64), rel=1e-4)
        assert corpus.statistics[f"{name}_std"] == pytest.approx(values.std(dtype=np.float64), rel=1e-3)


@pytest.mark.usefixtures("in_process", "no_plots")
def test_every_reason_to_skip(
    tmp_path: Path, corpus_maker: Callable, speech_maker: Callable, config_maker: Callable
) -> None:
    folder = corpus_maker(tmp_path / "voice", 6)
    good = speech_maker(1.5, 99)

    def add(name: str, samples: np.ndarray, rate: int = RATE, text: str = "a good day", **options: str) -> Path:
        path = folder / "wavs" / f"{name}.wav"
        soundfile.write(path, samples, rate, **options)
        with open(folder / "metadata.csv", "a", encoding="utf-8") as file:
            file.write(f"{name}|{text}|{text}\n")
        return path

    for name, channels, rate, subtype in [
        ("eight_channels", 8, RATE, "PCM_16"),
        ("bits_24", 1, RATE, "PCM_24"),
        ("float_32", 1, RATE, "FLOAT"),
        ("khz_192", 1, 192000, "PCM_24"),
        ("khz_8", 2, 8000, "PCM_16"),
    ]:
        samples = speech_maker(1.5, 99, rate)
        add(name, np.repeat(samples[:, None], channels, axis=1), rate, subtype=subtype)
    with_nan = good.copy()
    with_nan[500] = np.nan
    add("nan", with_nan, subtype="FLOAT")
    add("none", np.zeros(0))
    add("short", good[: RATE // 4])
    add("long", np.tile(good, 20))
    add("silent", np.zeros(RATE))
    add("clipped", np.clip(20 * good, -1, 1))
    add("unvoiced", np.random.default_rng(0).normal(0, 0.05, RATE))
    add("much_text", good, text="so many words " * 10)
    add("no_words", good, text="***")
    truncated = add("truncated", good)
    truncated.write_bytes(truncated.read_bytes()[:20000])
    add("rubbish", good).write_bytes(b"this is not a recording")
    with open(folder / "metadata.csv", "ab") as file:
        file.write(b"absent|text\nu001|again\nu999|\n../../escape|text\nbad|caf\xe9\none column\n")

    corpus = preprocess_dataset(config_maker(folder), "voice")
    rows = skipped_rows(corpus)
    assert {name: row["kind"] for name, row in rows.items()} == {
        "nan": "not finite",
        "none": "too short",
        "short": "too short",
        "long": "too long",
        "silent": "silent",
        "clipped": "clipped",
        "unvoiced": "unvoiced",
        "much_text": "text too long",
        "no_words": "text",
        "truncated": "truncated",
        "rubbish": "unreadable",
        "absent": "missing audio",
        "u001": "duplicate id",
        "u999": "empty text",
        "../../escape": "bad id",
        "bad": "bad encoding",
        "one column": "wrong columns",
    }
    assert all(len(row["reason"]) > 15 and "\n" not in row["reason"] for row in rows.values())
    kept = [u.id for u in ProcessedCorpus.open(corpus).utterances]
    assert kept == [*(f"u{n:03d}" for n in range(6)), "eight_channels", "bits_24", "float_32", "khz_192", "khz_8"]
    report = (corpus / "report.txt").read_text()
    assert "skipped: 17" in report and "too short           2   for instance none:" in report


@pytest.mark.usefixtures("in_process", "no_plots")
def test_an_exception_costs_one_utterance(
    voice_folder: Path, config_maker: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    from preprocessors import worker

    real = worker.load_recording

    def fragile(path: Path, config: object) -> np.ndarray:
        if path.stem == "u003":
            raise ZeroDivisionError("surprise")
        return real(path, config)

    troubled = real(voice_folder / "wavs/u006.wav", config_maker(voice_folder).preprocess)
    pitch = worker.extract_f0_batch

    def fragile_pitch(waves: list, *settings: float) -> list:
        if any(np.array_equal(wave * 32768, troubled) for wave in waves):
            raise RuntimeError("no pitch")
        return pitch(waves, *settings)

    monkeypatch.setattr(worker, "load_recording", fragile)
    monkeypatch.setattr(worker, "extract_f0_batch", fragile_pitch)
    rows = skipped_rows(preprocess_dataset(config_maker(voice_folder), "voice"))
    assert rows == {
        "u003": {"id": "u003", "kind": "failed", "reason": "ZeroDivisionError: surprise"},
        "u006": {"id": "u006", "kind": "failed", "reason": "RuntimeError: no pitch"},
    }


@pytest.mark.usefixtures("in_process", "no_plots")
def test_a_deadly_utterance_is_skipped(
    voice_folder: Path, config_maker: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = pipeline.run_jobs

    def some_die(make: Callable, arguments: tuple, jobs: list, workers: int) -> object:
        yield Died(jobs[0][0], -11)
        yield from real(make, arguments, [jobs[0][1:], *jobs[1:]], workers)

    monkeypatch.setattr(pipeline, "run_jobs", some_die)
    rows = skipped_rows(preprocess_dataset(config_maker(voice_folder), "voice"))
    assert {name: row["kind"] for name, row in rows.items()} == {"u000": "worker died"}


@pytest.mark.usefixtures("in_process", "no_plots")
def test_nothing_usable(tmp_path: Path, corpus_maker: Callable, config_maker: Callable) -> None:
    folder = corpus_maker(tmp_path / "voice", 3)
    config = config_maker(folder, min_seconds=15.0)
    with pytest.raises(UserError, match=r"no usable utterance \(skipped: too short 3; for instance u000: 1.20 s"):
        preprocess_dataset(config, "voice")
    (folder / "metadata.csv").write_text("\n")
    with pytest.raises(UserError, match="no utterances to train on"):
        preprocess_dataset(config, "voice")
    assert not (tmp_path / "data" / "voice").exists()


@pytest.mark.usefixtures("in_process", "no_plots")
def test_a_tiny_corpus_gets_a_warning(tmp_path: Path, corpus_maker: Callable, config_maker: Callable) -> None:
    corpus = preprocess_dataset(config_maker(corpus_maker(tmp_path / "voice", 4)), "voice")
    assert "warning: only 4 utterances" in (corpus / "report.txt").read_text()


@pytest.mark.usefixtures("in_process", "no_plots")
def test_only_what_changed_is_redone(
    tmp_path: Path,
    corpus_maker: Callable,
    config_maker: Callable,
    content_of: Callable,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    folder = corpus_maker(tmp_path / "voice", 12)
    worked: list[str] = []
    real = pipeline._process

    def counted(pending: list, *others: object) -> None:
        worked[:] = [item.id for item in pending]
        real(pending, *others)

    monkeypatch.setattr(pipeline, "_process", counted)

    def run(**keys: object) -> list[str]:
        worked[:] = ["nothing was tried"]
        preprocess_dataset(config_maker(folder, **keys), "voice")
        return list(worked)

    everything = [f"u{n:03d}" for n in range(12)]
    assert run() == everything
    assert run() == ["nothing was tried"]
    assert "nothing to do" in capsys.readouterr().out
    assert run(n_mel=40, fmin=50.0, num_workers=3) == ["nothing was tried"]
    assert run(max_held_out_fraction=0.3, split_seed=5) == []
    assert run(highpass_hz=60.0) == everything

    soundfile.write(folder / "wavs" / "u003.wav", np.zeros(RATE), RATE)
    (folder / "wavs" / "u004.wav").unlink()
    lines = (folder / "metadata.csv").read_text().splitlines()
    lines[7] = "u007|green stone|green stone"
    shutil.copy(folder / "wavs" / "u000.wav", folder / "wavs" / "new.wav")
    (folder / "metadata.csv").write_text("\n".join([*lines[:2], "new|red light", *lines[2:]]))
    assert run(highpass_hz=60.0) == ["new", "u003", "u007"]
    assert skipped_rows(tmp_path / "data" / "voice").keys() == {"u003", "u004"}

    # What was put together from old and new pieces equals what is made at once.
    again = preprocess_dataset(config_maker(folder, "elsewhere", highpass_hz=60.0), "voice")
    assert content_of(again) == content_of(tmp_path / "data" / "voice")


@pytest.mark.usefixtures("in_process", "no_plots")
@pytest.mark.parametrize("damage", ["meta.json", "manifest.jsonl", "audio.i16", "sources.jsonl", "tokens.json"])
def test_a_damaged_corpus_is_made_again(
    voice_folder: Path, config_maker: Callable, content_of: Callable, damage: str
) -> None:
    config = config_maker(voice_folder)
    folder = preprocess_dataset(config, "voice")
    before = content_of(folder)
    if damage == "sources.jsonl":
        (folder / damage).write_text("{")
        (folder / "meta.json").unlink()
    else:
        (folder / damage).write_bytes((folder / damage).read_bytes()[:100])
    preprocess_dataset(config, "voice")
    assert content_of(folder) == before


@pytest.mark.usefixtures("in_process", "no_plots")
def test_the_earlier_corpus_stays_until_the_new_one_is_ready(
    voice_folder: Path, config_maker: Callable, content_of: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = preprocess_dataset(config_maker(voice_folder), "voice")
    before = content_of(folder)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as broken:
        broken.setattr(packing, "save_tokens", full)
        with pytest.raises(UserError, match="disk is full"):
            preprocess_dataset(config_maker(voice_folder, highpass_hz=50.0), "voice")
    assert content_of(folder) == before
    assert not (folder.parent / ".voice.new").exists()

    with monkeypatch.context() as broken:
        broken.setattr("preprocessors.worker.write_shard", full)
        with pytest.raises(UserError, match="disk is full"):
            preprocess_dataset(config_maker(voice_folder, highpass_hz=80.0), "voice")
    assert content_of(folder) == before

    preprocess_dataset(config_maker(voice_folder, highpass_hz=80.0), "voice")
    assert content_of(folder)["audio.i16"] != before["audio.i16"]


@pytest.mark.usefixtures("in_process", "no_plots")
def test_a_kill_between_the_two_renames(voice_folder: Path, config_maker: Callable, content_of: Callable) -> None:
    config = config_maker(voice_folder)
    folder = preprocess_dataset(config, "voice")
    before = content_of(folder)
    folder.rename(folder.with_name(".voice.old"))
    folder.with_name(".voice.new").mkdir()
    preprocess_dataset(config, "voice")
    assert content_of(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["voice"]


@pytest.mark.usefixtures("in_process", "no_plots")
def test_a_torn_shard_is_made_again(voice_folder: Path, config_maker: Callable, content_of: Callable) -> None:
    """After a power cut a file may have its name and its length, and holes."""
    whole = content_of(preprocess_dataset(config_maker(voice_folder, "whole"), "voice"))
    config = config_maker(voice_folder)
    work = Path(config.preprocess.processed_dir) / ".voice.work"

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "pack", stop)
        with pytest.raises(KeyboardInterrupt):
            preprocess_dataset(config, "voice")
    shards = sorted(work.glob("*.npz"))
    assert len(shards) == 4
    content = bytearray(shards[0].read_bytes())
    content[2000:40000] = bytes(38000)
    shards[0].write_bytes(content)
    shards[1].write_bytes(b"")
    (work / "other.npz").write_bytes(b"rubbish")
    (work / f".{shards[1].name}.77.tmp").write_bytes(b"half")
    assert content_of(preprocess_dataset(config, "voice")) == whole
    assert not work.exists()


@pytest.mark.usefixtures("in_process", "no_plots")
def test_leftovers_of_a_kill_at_the_very_end_are_removed(voice_folder: Path, config_maker: Callable) -> None:
    config = config_maker(voice_folder)
    folder = preprocess_dataset(config, "voice")
    for name in (".voice.work", ".voice.old"):
        folder.with_name(name).mkdir()
        (folder.with_name(name) / "something").touch()
    preprocess_dataset(config, "voice")
    assert [path.name for path in folder.parent.iterdir()] == ["voice"]


@pytest.mark.usefixtures("in_process", "no_plots")
def test_a_work_folder_that_vanishes(
    voice_folder: Path, config_maker: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_maker(voice_folder)
    work = Path(config.preprocess.processed_dir) / ".voice.work"
    real = pipeline.pack

    def remove_and_pack(*arguments: object) -> str:
        shutil.rmtree(work)
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "pack", remove_and_pack)
        with pytest.raises(UserError, match="vanished during the run"):
            preprocess_dataset(config, "voice")
    preprocess_dataset(config, "voice")


@pytest.mark.usefixtures("in_process", "no_plots")
def test_two_runs_at_once(voice_folder: Path, config_maker: Callable) -> None:
    from utils.lock import FileLock

    config = config_maker(voice_folder)
    work = Path(config.preprocess.processed_dir) / ".voice.work"
    work.mkdir(parents=True)
    with FileLock(work / "lock", "busy"), pytest.raises(UserError, match=rf"already \(process {os.getpid()} on "):
        preprocess_dataset(config, "voice")
    preprocess_dataset(config, "voice")


@pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not bind the superuser")
def test_a_forbidden_folder(voice_folder: Path, tmp_path: Path, config_maker: Callable) -> None:
    (tmp_path / "data").mkdir(mode=0o500)
    with pytest.raises(UserError, match="permission denied"):
        preprocess_dataset(config_maker(voice_folder), "voice")
