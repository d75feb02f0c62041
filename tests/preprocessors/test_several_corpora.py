"""Stage 1 with several speakers, languages and corpora."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from models.registry import load_config
from preprocessors import pipeline
from preprocessors.pipeline import preprocess_dataset
from preprocessors.speaker_report import Utterances, joint_report, speaker_lines
from processors.corpus import ProcessedCorpus, split_rows
from processors.corpus_statistics import speaker_statistics
from tests.preprocessors.conftest import speech
from utils.errors import UserError

RATE = 22050
pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, str]:
    """Two corpora with the same ids: one of two speakers, of whom one speaks a language of his own; one of one."""
    for corpus, line in (("many", "{0}|{1}|{2}|{3}"), ("one", "{0}|{3}")):
        (tmp_path / corpus / "wavs").mkdir(parents=True)
        lines = []
        for index in range(24):
            soundfile.write(tmp_path / corpus / f"wavs/u{index}.flac", speech(1.0, index), RATE)
            speaker, language = (("anna", "en-us"), ("bert", "EN"))[index % 2]
            path = f"wavs/u{index}.flac" if corpus == "many" else f"u{index}"
            lines.append(
                line.format(path, speaker, language, f"A good day, number {'one two three'.split()[index % 3]}")
            )
        (tmp_path / corpus / "metadata.csv").write_text("\n".join(lines))
    return {name: str(tmp_path / name) for name in ("many", "one")}


@pytest.fixture
def make_config(tmp_path: Path, folders: dict[str, str]) -> Callable:
    def make(**corpora: dict[str, object]) -> object:
        content = {
            "base_config": "config/jets.json",
            "dataset": ["many", "one"],
            "dataset_path": folders,
            "corpora": corpora,
            "preprocess": {"processed_dir": str(tmp_path / "data"), "num_workers": 1, "max_held_out_fraction": 0.4},
        }
        (tmp_path / "config.json").write_text(json.dumps(content))
        return load_config(tmp_path / "config.json")

    return make


def test_speakers_languages_statistics_and_reports(make_config: Callable) -> None:
    config = make_config(one={"speaker": "Eva", "language": "en"})
    corpora = [
        ProcessedCorpus.open(preprocess_dataset(config, name), config.preprocess_of(name)) for name in config.dataset
    ]
    many, one = corpora
    named = {(u.speaker, u.language, int(u.id.removeprefix("wavs/u")) % 2) for u in many.utterances}
    assert named == {("anna", "en-us", 0), ("bert", "en", 1)}
    assert set(one.names("speaker")) == {"Eva"} and set(one.names("language")) == {"en"}
    for speaker, statistics in speaker_statistics([many]).items():
        rows = [u.row for u in many.split("train") if u.speaker == speaker]
        log_f0 = np.concatenate([many.arrays(row)[1] for row in rows])
        assert statistics["log_f0_mean"] == pytest.approx(log_f0.mean(), rel=1e-4)
        assert statistics["log_f0_std"] == pytest.approx(log_f0.std(), rel=1e-3)
    assert speaker_statistics([one]) == {"Eva": one.statistics}
    together = speaker_statistics(corpora)
    assert list(together) == ["Eva", "anna", "bert"] and together["Eva"] == one.statistics

    report = (many.directory / "report.txt").read_text()
    assert "anna     en-us" in report and "too little to be learnt: " in report
    assert "speaker" not in (one.directory / "report.txt").read_text()
    text = joint_report(config)
    assert text.startswith("all corpora: many, one") and "all 2    en " in text and "all 1" not in text


def test_a_new_name_makes_no_new_features(make_config: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = preprocess_dataset(make_config(), "many")
    before = {path.name for path in (folder / "shards").iterdir()}
    monkeypatch.setattr(pipeline, "make_worker", None)
    config = make_config(many={"speaker": "x_*", "weight": 2.0})
    corpus = ProcessedCorpus.open(preprocess_dataset(config, "many"), config.preprocess)
    assert set(corpus.names("speaker")) == {"x_anna", "x_bert"}
    assert {path.name for path in (folder / "shards").iterdir()} == before


def test_texts_held_out_by_one_corpus_are_not_another_s_training(make_config: Callable) -> None:
    config = make_config()
    corpora = [ProcessedCorpus.open(preprocess_dataset(config, name)) for name in config.dataset]
    texts = {}
    for split in ("train", "valid", "test"):
        parts = zip(corpora, split_rows(corpora, split))
        texts[split] = {text for corpus, rows in parts for text in corpus.strings("normalised", rows)}
    assert texts["train"] and not texts["train"] & (texts["valid"] | texts["test"])
    assert [len(rows) for rows in split_rows(corpora[:1], "train")] == [len(corpora[0].rows("train"))]


def test_a_language_that_nobody_knows_costs_its_utterances_only(make_config: Callable, folders: dict[str, str]) -> None:
    pytest.importorskip("espeakng_loader")
    metadata = Path(folders["many"]) / "metadata.csv"
    metadata.write_text(metadata.read_text().replace("|EN|", "|xx|"))
    config = make_config(many={"phone_extractor": "espeak"})
    corpus = ProcessedCorpus.open(preprocess_dataset(config, "many"), config.preprocess_of("many"))
    assert set(corpus.names("language")) == {"en-us"} and len(corpus) == 12
    assert "'xx', which espeak-ng does not know" in (corpus.directory / "skipped.jsonl").read_text()


def test_many_speakers_are_listed_in_part() -> None:
    names = np.repeat([f"s{n:02d}" for n in range(60)], 3).astype(object)
    seconds = np.linspace(1, 400, 180)
    same = np.full(180, "de", object)
    lines = speaker_lines(Utterances(names, same, np.full(180, "train", object), seconds, seconds, seconds * 0 + 5))
    assert lines[1].startswith("s20") and lines[41].startswith("and 20 more, of ")
    assert lines[-1].startswith("warning: less than 5 minutes") and lines[-1].endswith(" and 7 more")


def test_config_of_a_corpus(make_config: Callable) -> None:
    with pytest.raises(UserError, match=r"dataset_format must be one of .*did you mean \"vctk\""):
        make_config(one={"dataset_format": "vtck"})
    with pytest.raises(UserError, match="corpora names 'three', which has no folder in dataset_path"):
        make_config(three={})
