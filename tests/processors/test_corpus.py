"""The processed corpus as a format: what opens, what is refused, which keys count."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from config.schema import PreprocessConfig
from processors import corpus as corpus_module
from processors.corpus import ProcessedCorpus, feature_values, fingerprint
from processors.text.tokens import lexicon_tokens
from tests.stored_corpus import store_corpus
from utils.errors import OwnError, UserError

FIXTURE = Path(__file__).resolve().parents[1] / "fixtures/v2/data/tiny"
KEYS = corpus_module.UTTERANCE_KEYS + corpus_module.SPLIT_KEYS


@pytest.fixture
def make(tmp_path: Path, preprocess: PreprocessConfig):
    """Function from a config to a corpus of three utterances in two shards."""

    def make(config: PreprocessConfig = preprocess) -> Path:
        rows = [
            {
                "id": f"u{number}",
                "text": "Ça va?",
                "phones": ["^", "K", "AA1", "$"][: number + 1],
                "split": "valid" if number == 1 else "train",
                "audio": np.arange(512 * number, 512 * (number + 1), dtype=np.int16),
                "log_f0": np.array([4.5, 5.0 + number], np.float32),
            }
            for number in range(3)
        ]
        statistics = {"log_f0_mean": 5.0, "log_f0_std": 0.2, "energy_mean": 10.0, "energy_std": 8.0}
        return store_corpus(
            tmp_path / "corpus",
            rows,
            lexicon_tokens(),
            fingerprint=fingerprint(config),
            sample_rate=22050,
            hop_size=256,
            statistics=statistics,
            preprocess=feature_values(config, KEYS),
        )

    return make


@pytest.fixture
def folder(make) -> Path:
    return make()


def files(folder: Path) -> dict[str, Path]:
    """meta.json, the manifest and a shard."""
    return {
        "meta": folder / "meta.json",
        "manifest": next(folder.glob("*.arrow")),
        "shard": sorted((folder / "shards").iterdir())[-1],
    }


def test_round_trip(folder: Path, preprocess: PreprocessConfig) -> None:
    corpus = ProcessedCorpus.open(folder, preprocess)
    corpus.check()
    assert [u.id for u in corpus.utterances] == corpus.strings("id", np.arange(3)) == ["u0", "u1", "u2"]
    last = corpus.utterances[2]
    assert (last.text, last.speaker, last.language, last.split) == ("Ça va?", "a", "en-us", "train")
    assert (last.row, last.frames, last.length, last.phones) == (2, 2, 512, ("^", "K", "AA1"))
    assert [u.id for u in corpus.split("train")] == ["u0", "u2"] and corpus.split("test") == []
    phones, starts = corpus.phones
    assert [corpus.tokens[number] for number in phones] == ["^", "^", "K", "^", "K", "AA1"]
    assert starts.tolist() == [0, 1, 3, 6] and corpus.frames.tolist() == [2, 2, 2]
    assert (corpus.sample_rate, corpus.hop_size, corpus.statistics["energy_std"]) == (22050, 256, 8.0)
    audio, log_f0, voiced = corpus.arrays(2)
    np.testing.assert_array_equal(audio, np.arange(1024, 1536))
    assert log_f0.tolist() == [4.5, 7.0] and voiced.tolist() == [1, 1]
    with pytest.raises(ValueError):
        audio[0] = 1
    with pytest.raises(UserError, match="no split 'training'"):
        corpus.split("training")


@pytest.mark.parametrize("name", ["meta", "manifest", "shard"])
@pytest.mark.parametrize("damage", ["gone", "cut", "rubbish", "empty", "one bit"])
def test_a_lost_or_damaged_file_is_one_sentence(folder: Path, name: str, damage: str) -> None:
    path = files(folder)[name]
    content = path.read_bytes()
    flipped = content[: len(content) // 2] + bytes([content[len(content) // 2] ^ 1]) + content[len(content) // 2 + 1 :]
    path.unlink()
    if damage != "gone":
        cut = content[: len(content) // 2 - 1]
        path.write_bytes({"cut": cut, "rubbish": b"\xff\xfe[" * 5, "empty": b"", "one bit": flipped}[damage])
    with pytest.raises(UserError, match="run stage 1"):
        ProcessedCorpus.open(folder).check()
    if name == "shard" and damage not in ("one bit",):
        with pytest.raises(UserError, match="run stage 1 again"):
            ProcessedCorpus.open(folder).arrays(2)


def test_a_changed_bit_is_noticed_when_its_utterance_is_read(folder: Path) -> None:
    shard = files(folder)["shard"]
    content = bytearray(shard.read_bytes())
    content[content.index(np.arange(1024, 1536, dtype=np.int16).tobytes()) + 9] ^= 4  # in the audio of u2
    shard.write_bytes(content)
    corpus = ProcessedCorpus.open(folder)
    corpus.check_for_training("*")  # does not read it
    assert corpus.arrays(1)[0][0] == 512
    # Of several processes, perhaps only this one reads it.
    with pytest.raises(OwnError, match=f"{shard.name}, a part of the features, is damaged: run stage 1 again"):
        corpus.arrays(2)
    shard.unlink()
    with pytest.raises(UserError, match="is missing: run stage 1 again"):
        corpus.check_for_training()


def test_a_corpus_without_checksums_of_utterances_is_compared_as_a_whole(tmp_path: Path) -> None:
    folder = shutil.copytree(FIXTURE, tmp_path / "old")
    corpus = ProcessedCorpus.open(folder)
    corpus.check_for_training()
    assert len(corpus.arrays(0)[1]) == corpus.frames[0]
    counts = corpus.token_counts(corpus.rows("train"))
    assert counts.tolist() == [sum(u.phones.count(token) for u in corpus.split("train")) for token in corpus.tokens]
    shard = files(folder)["shard"]
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 4
    shard.write_bytes(content)
    with pytest.raises(UserError, match="damaged: run stage 1 again"):
        corpus.check_for_training()


def test_a_missing_folder_and_another_format(folder: Path) -> None:
    with pytest.raises(UserError, match=r"no finished features in .*nowhere: run stage 1"):
        ProcessedCorpus.open(folder / "nowhere")
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps(meta | {"format_version": 3}))
    with pytest.raises(UserError, match="format version 3, this program reads 2: run stage 1 again"):
        ProcessedCorpus.open(folder)


def test_stale_features_are_refused_with_the_key(folder: Path, preprocess: PreprocessConfig) -> None:
    changed = preprocess.model_copy(update={"hop_size": 128, "f0_min": 60.0})
    words = r"stale \(preprocess.hop_size, preprocess.f0_min changed\): run stage 1 again"
    with pytest.raises(UserError, match=words):
        ProcessedCorpus.open(folder, changed)
    ProcessedCorpus.open(folder)
    ProcessedCorpus.open(folder, preprocess.model_copy(update={"num_workers": 3, "n_mel": 40, "processed_dir": "x"}))


def test_every_key_is_known_to_the_fingerprint() -> None:
    """A new key of the preprocess section must be put into one of the three lists."""
    assert sorted([*KEYS, *corpus_module.NEUTRAL_KEYS]) == sorted(PreprocessConfig.model_fields)


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
