"""The processed corpus as a format: what opens, what is refused, which keys count."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from config.schema import PreprocessConfig
from models.registry import load_config
from processors import corpus as corpus_module
from processors.corpus import ProcessedCorpus, StaleFeatures, Utterance, feature_values, fingerprint
from processors.text.tokens import lexicon_tokens, save_tokens
from utils.errors import UserError
from utils.paths import PROJECT_ROOT


@pytest.fixture(scope="module")
def preprocess() -> PreprocessConfig:
    return load_config(PROJECT_ROOT / "egs/tts/Jets/exp_config.json").preprocess


def utterance(index: int, split: str = "train") -> Utterance:
    return Utterance(
        id=f"u{index}",
        text="Ça va?",
        normalised="Ca va?",
        phones=("^", "K", "AA1", "$"),
        speaker="voice",
        split=split,
        offset=512 * index,
        length=512,
        frame_offset=2 * index,
        frames=2,
    )


def write_manifest(folder: Path, rows: list[Utterance]) -> None:
    lines = [json.dumps(row.to_json()) + "\n" for row in rows]
    (folder / "manifest.jsonl").write_text("".join(lines), encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path, preprocess: PreprocessConfig) -> Path:
    """A corpus of three utterances, written by hand as the format says."""
    rows = [utterance(0), utterance(1, "valid"), utterance(2)]
    write_manifest(tmp_path, rows)
    np.arange(3 * 512, dtype="<i2").tofile(tmp_path / "audio.i16")
    np.linspace(4.5, 5.5, 6, dtype="<f4").tofile(tmp_path / "log_f0.f32")
    np.array([0, 1, 1, 1, 0, 0], "u1").tofile(tmp_path / "voiced.u8")
    save_tokens(tmp_path / "tokens.json", lexicon_tokens(), "lexicon", "en-us")
    meta = {
        "format_version": 1,
        "fingerprint": fingerprint(preprocess),
        "sample_rate": 22050,
        "hop_size": 256,
        "statistics": {"log_f0_mean": 5.0, "log_f0_std": 0.2, "energy_mean": 10.0, "energy_std": 8.0},
        "preprocess": feature_values(preprocess, corpus_module.UTTERANCE_KEYS + corpus_module.SPLIT_KEYS),
    }
    (tmp_path / "meta.json").write_text(json.dumps(meta))
    return tmp_path


def test_round_trip(folder: Path, preprocess: PreprocessConfig) -> None:
    corpus = ProcessedCorpus.open(folder, preprocess)
    assert corpus.utterances == [utterance(0), utterance(1, "valid"), utterance(2)]
    assert [u.id for u in corpus.split("train")] == ["u0", "u2"] and corpus.split("test") == []
    assert corpus.tokens == lexicon_tokens()
    assert (corpus.sample_rate, corpus.hop_size, corpus.statistics["energy_std"]) == (22050, 256, 8.0)
    np.testing.assert_array_equal(corpus.audio[512:514], [512, 513])
    assert corpus.log_f0.dtype == np.float32 and corpus.voiced.tolist() == [0, 1, 1, 1, 0, 0]
    with pytest.raises(ValueError):
        corpus.audio[0] = 1
    with pytest.raises(UserError, match="no split 'training'"):
        corpus.split("training")


def test_keys_of_later_versions_are_ignored() -> None:
    row = utterance(3).to_json() | {"loudness": -20}
    assert Utterance.from_json(row) == utterance(3)


@pytest.mark.parametrize("name", ["meta.json", "manifest.jsonl", "audio.i16", "log_f0.f32", "voiced.u8", "tokens.json"])
def test_a_missing_file_is_one_sentence(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(UserError, match="run stage 1"):
        ProcessedCorpus.open(folder)


@pytest.mark.parametrize("name", ["meta.json", "manifest.jsonl", "audio.i16", "log_f0.f32", "voiced.u8", "tokens.json"])
@pytest.mark.parametrize("damage", ["cut", "rubbish", "empty"])
def test_a_damaged_file_is_one_sentence(folder: Path, name: str, damage: str) -> None:
    content = (folder / name).read_bytes()
    cut = content[: len(content) // 2 - 1]
    (folder / name).write_bytes({"cut": cut, "rubbish": b"\xff\xfe[" * 5, "empty": b""}[damage])
    with pytest.raises(UserError, match="run stage 1 again"):
        ProcessedCorpus.open(folder)


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no finished features in .*nowhere: run stage 1"):
        ProcessedCorpus.open(tmp_path / "nowhere")


def test_another_format_version(folder: Path) -> None:
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps(meta | {"format_version": 2}))
    with pytest.raises(UserError, match="format version 2, this program reads 1"):
        ProcessedCorpus.open(folder)


def test_stale_features_are_refused_with_the_key(folder: Path, preprocess: PreprocessConfig) -> None:
    changed = preprocess.model_copy(update={"hop_size": 128, "f0_min": 60.0})
    words = r"stale \(preprocess.hop_size, preprocess.f0_min changed\): run stage 1 again"
    with pytest.raises(StaleFeatures, match=words):
        ProcessedCorpus.open(folder, changed)
    ProcessedCorpus.open(folder)
    ProcessedCorpus.open(folder, preprocess.model_copy(update={"num_workers": 3, "n_mel": 40, "processed_dir": "x"}))


def test_features_of_another_version_are_stale(
    folder: Path, preprocess: PreprocessConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus_module, "FEATURES_VERSION", 1000)
    with pytest.raises(StaleFeatures, match="another version"):
        ProcessedCorpus.open(folder, preprocess)


def test_a_key_that_goes_back_to_null_is_named(folder: Path, preprocess: PreprocessConfig) -> None:
    meta = json.loads((folder / "meta.json").read_text())
    filtered = preprocess.model_copy(update={"highpass_hz": 60.0})
    values = feature_values(filtered, corpus_module.UTTERANCE_KEYS + corpus_module.SPLIT_KEYS)
    meta |= {"fingerprint": fingerprint(filtered), "preprocess": values}
    (folder / "meta.json").write_text(json.dumps(meta))
    ProcessedCorpus.open(folder, filtered)
    with pytest.raises(StaleFeatures, match=r"\(preprocess.highpass_hz changed\)"):
        ProcessedCorpus.open(folder, preprocess)


def test_every_key_is_known_to_the_fingerprint(preprocess: PreprocessConfig) -> None:
    """A new key of the preprocess section must be put into one of the three lists."""
    listed = [*corpus_module.UTTERANCE_KEYS, *corpus_module.SPLIT_KEYS, *corpus_module.NEUTRAL_KEYS]
    assert sorted(listed) == sorted(PreprocessConfig.model_fields)


def test_a_lexicon_counts_by_its_content(tmp_path: Path, preprocess: PreprocessConfig) -> None:
    for name, content in (("a", "x AH0"), ("b", "x AH0"), ("c", "x AH1")):
        (tmp_path / name).write_text(content)
    prints = [
        fingerprint(preprocess.model_copy(update={"lexicon_path": str(tmp_path / name)})) for name in ("a", "b", "c")
    ]
    assert prints[0] == prints[1] != prints[2]
    assert fingerprint(preprocess) not in prints
    with pytest.raises(UserError, match=r"preprocess\.lexicon_path: .*missing cannot be read"):
        fingerprint(preprocess.model_copy(update={"lexicon_path": str(tmp_path / "missing")}))


def test_manifest_that_does_not_fit_the_arrays(folder: Path) -> None:
    rows = [utterance(0), replace(utterance(1), length=1024, frames=4), utterance(2)]
    write_manifest(folder, rows)
    with pytest.raises(UserError, match=r"audio\.i16 holds 1536 values, the manifest needs 2048"):
        ProcessedCorpus.open(folder)
