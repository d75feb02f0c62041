"""The demonstration corpus: varied sentences, a valid corpus, the same one every time."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from preprocessors import demo_corpus
from preprocessors.demo_corpus import build_demo_corpus, demo_sentences
from preprocessors.download import is_corpus
from processors.text.english import EnglishPhones
from processors.text.frontend import TextFrontEnd
from utils.config import PROJECT_ROOT
from utils.errors import UserError

ARPABET = set(
    "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH".split()
)


def test_sentences_cover_every_phone_and_need_no_normalising():
    sentences = demo_sentences()
    assert 60 <= len(sentences) <= 90
    assert len(set(sentences)) == len(sentences)
    assert {sentence[-1] for sentence in sentences} == {".", "?", "!"}
    assert not re.search(r"[^A-Za-z ,.;:?!']", "".join(sentences))
    front_end = TextFrontEnd(EnglishPhones())
    counts = Counter(token.rstrip("012") for sentence in sentences for token in front_end.phonemise(sentence))
    assert not {phone for phone in ARPABET if counts[phone] < 5}


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three sentences only."""
    pytest.importorskip("espeakng_loader", reason="needs egs/tts/Jets/requirements-demo.txt")
    monkeypatch.setattr(demo_corpus, "demo_sentences", lambda: demo_sentences()[:3])


def test_corpus_is_always_the_same(tmp_path):
    pytest.importorskip("espeakng_loader", reason="needs egs/tts/Jets/requirements-demo.txt")
    for name in ("one", "two"):
        command = [sys.executable, "-m", "preprocessors.demo_corpus", str(tmp_path / name)]
        done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=120, check=True)
        assert "78 sentences, 3.7 minutes" in done.stdout
    first, second = (
        {path.name: path.read_bytes() for path in (tmp_path / name).rglob("*.*")} for name in ("one", "two")
    )
    assert first == second
    assert len(first) == 79


def test_corpus_is_speech_in_ljspeechs_layout(few, tmp_path):
    seconds = build_demo_corpus(tmp_path)
    assert is_corpus(tmp_path)
    rows = [line.split("|") for line in (tmp_path / "metadata.csv").read_text().splitlines()]
    assert [row[1:] for row in rows] == [[sentence, sentence] for sentence in demo_sentences()[:3]]
    total = 0.0
    for name, text, _ in rows:
        wave, rate = soundfile.read(tmp_path / "wavs" / f"{name}.wav")
        total += len(wave) / rate
        assert rate == 22050
        assert 8 < len(text) / (len(wave) / rate) < 30  # characters a second
        assert 0.03 < np.sqrt(np.mean(wave**2)) and np.abs(wave).max() < 1
    assert seconds == pytest.approx(total)


def test_corpus_that_is_there_is_left_alone(few, tmp_path):
    build_demo_corpus(tmp_path / "demo")
    before = (tmp_path / "demo/metadata.csv").stat().st_mtime_ns
    build_demo_corpus(tmp_path / "demo")
    assert (tmp_path / "demo/metadata.csv").stat().st_mtime_ns == before


def test_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match="is no corpus; move it away"):
        build_demo_corpus(tmp_path)


def test_interrupted_building_leaves_no_corpus_and_is_made_up_for(few, tmp_path, monkeypatch):
    speak = demo_corpus.Espeak.speak
    calls: list[str] = []

    def interrupted(self: demo_corpus.Espeak, text: str) -> np.ndarray:
        calls.append(text)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return speak(self, text)

    monkeypatch.setattr(demo_corpus.Espeak, "speak", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build_demo_corpus(tmp_path / "demo")
    assert not (tmp_path / "demo").exists()
    build_demo_corpus(tmp_path / "demo")
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]
    assert len(list((tmp_path / "demo/wavs").iterdir())) == 3


def test_missing_package_is_named(monkeypatch, tmp_path: Path):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(UserError, match=r"pip install -r egs/tts/Jets/requirements-demo\.txt"):
        build_demo_corpus(tmp_path / "demo")
