"""phone_extractor "espeak", where its optional package is installed."""

from __future__ import annotations

import importlib.util
import pickle
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace

import pytest

from processors.text import espeak
from processors.text.arpabet import arpabet_to_ipa
from processors.text.characters import TextError
from processors.text.frontend import FrontEnds, TextFrontEnd, espeak_release
from processors.text.normalise import LANGUAGES, OTHER, normalise
from processors.text.tokens import PUNCTUATION
from utils.errors import UserError

installed = pytest.mark.skipif(
    importlib.util.find_spec("espeakng_loader") is None, reason="needs the optional package espeakng-loader"
)


def front_end(language: str = "en-us", lexicon_path: str | None = None) -> TextFrontEnd:
    return TextFrontEnd.from_config(
        SimpleNamespace(phone_extractor="espeak", language=language, lexicon_path=lexicon_path)
    )


def test_the_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(espeak, "_shared_library", espeak._Library)
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(UserError, match="pip install espeakng-loader"):
        front_end()


@installed
def test_english() -> None:
    voice = front_end()
    phones = voice.phonemise("Hello, world! In 1963 - right?")
    assert phones[0] == "^" and phones[-1] == "$" and [p for p in phones if p in PUNCTUATION] == [",", "!", "-", "?"]
    assert "".join(phones[1:-1]).split(",")[0] == "həlˈoʊ"
    assert phones.count(" ") >= 4
    assert [voice.tokens[index] for index in voice.encode("Hello, world!")] == voice.phonemise("Hello, world!")


@installed
def test_other_languages_and_unknown_ones() -> None:
    german = front_end("de")
    assert german.normalise("„Schöne Grüße“ – 25,5 %") == "Schöne Grüße - fünfundzwanzig Komma fünf Prozent"
    assert "ø" in german.phonemise("Schöne Grüße")
    assert "2" in front_end("cmn").phonemise("你好")
    assert german.phonemise("Hello") != front_end().phonemise("Hello")
    with pytest.raises(UserError, match="language is 'xx', which espeak-ng does not know"):
        front_end("xx")


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("Am 5. März 2020, 3.10.1990", "Am fünften März zweitausendzwanzig, dritter zehnter neunzehnhundertneunzig"),
        ("der 3. Platz im 19. Jahrhundert.", "der dritte Platz im neunzehnten Jahrhundert."),
        ("Es kostet 5,50 €, 20 % mehr.", "Es kostet fünf Euro fünfzig, zwanzig Prozent mehr."),
        ("um 14:30 Uhr, z. B. 10-20 km", "um vierzehn Uhr dreißig, zum Beispiel zehn bis zwanzig Kilometer"),
        ("Dr. Müller, Nr. 5, 1 kg", "Doktor Müller, Nummer fünf, ein Kilogramm"),
        ("Heinrich VIII. und die 1990er", "Heinrich der Achte und die neunzehnhundertneunziger"),
        ("2,5 m² bei -3 °C, 2:1", "zwei Komma fünf Quadratmeter bei minus drei Grad Celsius, zwei zu eins"),
        ("Er kam. Dann ging er.", "Er kam. Dann ging er."),
        (
            "1914–1918, 1848/49",
            "neunzehnhundertvierzehn bis neunzehnhundertachtzehn, achtzehnhundertachtundvierzig neunundvierzig",
        ),
        (
            "030 12, Hauptstr. 1, 10115 Berlin",
            "null drei null, eins zwei, Hauptstraße eins, eins null eins eins fünf Berlin",
        ),
        ("Mo–Fr 9–18 Uhr, um 08 Uhr", "Montag bis Freitag neun bis achtzehn Uhr, um acht Uhr"),
        ("am 5.3., 1/2 l zu 5 €/Monat", "am fünften dritten, einhalb Liter zu fünf Euro pro Monat"),
        ("am 3.5. und 03.05. um", "am dritten fünften und dritten fünften um"),
        ("Der 3. und 4. Mai", "Der dritte und vierte Mai"),
        ("Vgl. 1 000 000, www.x.de", "Vergleiche 1000000, www Punkt x Punkt de"),
    ],
)
def test_german(written: str, spoken: str) -> None:
    assert normalise(written, language=LANGUAGES["de"]) == spoken
    assert normalise(spoken, language=LANGUAGES["de"]) == spoken


def test_other_languages_keep_their_signs_and_digits() -> None:
    assert normalise("Het kost 25,50 euro – «echt» (ja)!", language=OTHER) == "Het kost 25,50 euro - echt, ja!"
    assert normalise("日本、東京。", language=OTHER) == "日本, 東京."


def preprocess(language: str, lexicon: Path | None = None, extractor: str = "ipa") -> SimpleNamespace:
    path = None if lexicon is None else str(lexicon)
    return SimpleNamespace(phone_extractor=extractor, language=language, lexicon_path=path)


def test_a_lexicon_reads_a_language_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Words with IPA, in any script, and no espeak-ng at all."""
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    monkeypatch.setattr(espeak, "_shared_library", espeak._Library)
    lexicon = tmp_path / "de.txt"
    lexicon.write_text("Grüße ɡʁyːsə  # a comment\nwelt v ɛ l t\nmoin M OY1 N\nмир mʲir\n", encoding="utf-8")
    reader = TextFrontEnd.from_config(preprocess("de", lexicon))
    assert reader.phonemise("Grüße, „Welt“!") == ["^", *"ɡʁyːsə", ",", " ", *"vɛlt", "!", "$"]
    assert reader.phonemise("Moin мир")[1:-1] == [*arpabet_to_ipa(["M", "OY1", "N"]), " ", *"mʲir"]
    assert reader.phonemise("Moin {ˈʃøːn}, {Əl ə}")[1:-1] == [*arpabet_to_ipa(["M", "OY1", "N"]), " ", *"ˈʃøːn", ","]
    assert reader.left_out("Grüße aus der Welt") == ["aus", "der"]
    with pytest.raises(TextError, match="nothing that can be spoken"):
        reader.phonemise("Hallo")
    assert pickle.loads(pickle.dumps(reader)).phonemise("Welt") == reader.phonemise("Welt")
    for line, message in (
        ("haus HH Q", "or IPA as in `haus"),
        ("h4us h", "letters"),
    ):
        lexicon.write_text(f"{line}\n", encoding="utf-8")
        with pytest.raises(UserError, match=message):
            TextFrontEnd.from_config(preprocess("de", lexicon))
    with pytest.raises(UserError, match="espeakng-loader"):
        TextFrontEnd.from_config(preprocess("de"))


@installed
def test_a_lexicon_goes_before_espeak(tmp_path: Path) -> None:
    lexicon = tmp_path / "de.txt"
    lexicon.write_text("haus h o s\n", encoding="utf-8")
    reader = TextFrontEnd.from_config(preprocess("de", lexicon, "espeak"))
    assert reader.phonemise("Haus und Maus") == ["^", *"hos", " ", *front_end("de").phonemise("und Maus")[1:]]
    plain = TextFrontEnd.from_config(preprocess("de"))
    assert plain.phonemise("Haus") == front_end("de").phonemise("Haus")


@installed
def test_another_release_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    release = espeak.release()
    assert release[0].isdigit() and espeak_release(preprocess("de")) == release
    assert espeak_release(preprocess("en-us")) == ""
    for stored, told in ((release, 0), ("1.48.03", 1), ("", 0)):
        caplog.clear()
        readers = FrontEnds(preprocess, "en-us", stored)
        readers("de"), readers("nl"), readers("de")
        assert [record.message.count(stored) for record in caplog.records] == [1] * told


def together(call: Callable[[], object]) -> list[object]:
    """What four threads get that call at the same time."""
    barrier = threading.Barrier(4)
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda _: (barrier.wait(10), call())[1], range(4)))


def test_threads_that_come_together_share_one_library_and_one_front_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow() -> object:
        time.sleep(0.05)  # so that without a lock all would be within
        return object()

    monkeypatch.setattr(espeak, "_the_library", lru_cache(maxsize=1)(slow))
    assert len(set(map(id, together(espeak._shared_library)))) == 1

    def settings(language: str) -> SimpleNamespace:
        time.sleep(0.05)
        return SimpleNamespace(phone_extractor="g2p_en", language=language, lexicon_path=None)

    front_ends = FrontEnds(settings, "en-us")  # type: ignore[arg-type]
    assert len(set(map(id, together(lambda: front_ends("en"))))) == 1
