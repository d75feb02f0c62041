"""phone_extractor "espeak", where its optional package is installed."""

from __future__ import annotations

import importlib.util
import pickle
import sys
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.text import espeak
from processors.text.arpabet import arpabet_to_ipa
from processors.text.frontend import TextFrontEnd
from processors.text.normalise import LANGUAGES, OTHER, normalise
from processors.text.text_error import TextError
from processors.text.tokens import PUNCTUATION, ipa_tokens
from utils.errors import UserError

installed = pytest.mark.skipif(
    importlib.util.find_spec("espeakng_loader") is None, reason="needs the optional package espeakng-loader"
)


def front_end(language: str = "en-us", lexicon_path: str | None = None) -> TextFrontEnd:
    return TextFrontEnd.from_config(
        SimpleNamespace(phone_extractor="espeak", language=language, lexicon_path=lexicon_path)
    )


def test_the_token_table_is_fixed() -> None:
    tokens = ipa_tokens()
    assert tokens[:3] == ["<pad>", "^", "$"] and tuple(tokens[3:11]) == PUNCTUATION and tokens[11] == " "
    assert len(tokens) == len(set(tokens)) and all(len(token) == 1 for token in tokens[1:])
    assert {"ə", "ˈ", "ː", "ʃ", "θ", "ɹ", "\u0303"} <= set(tokens)


def test_every_arpabet_phone_has_ipa() -> None:
    from processors.text.arpabet import PHONES

    known = set(ipa_tokens())
    for phone in PHONES:
        assert set(arpabet_to_ipa([phone])) <= known
    assert "".join(arpabet_to_ipa("HH AH0 L OW1".split())) == "həlˈoʊ"


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
    with pytest.raises(UserError, match="preprocess.language is 'xx'"):
        front_end("xx")


@installed
def test_phones_in_braces_and_user_lexicon(tmp_path) -> None:
    lexicon = tmp_path / "lexicon.txt"
    lexicon.write_text("kyoto K IY0 OW1 T OW0\n")
    voice = front_end(lexicon_path=str(lexicon))
    assert "".join(voice.phonemise("Kyoto, {K AE1 T}")[1:-1]) == "kiˈoʊtoʊ, kˈæt"
    assert pickle.loads(pickle.dumps(voice)).encode("Kyoto") == voice.encode("Kyoto")
    with pytest.raises(TextError, match="'XX'"):
        voice.phonemise("{XX AH0}")


@installed
@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.text(max_size=120))
def test_any_text_gives_ids_or_a_text_error(text: str) -> None:
    for voice in (VOICES := _voices()):
        try:
            ids = voice.encode(text)
        except TextError:
            continue
        assert ids[0] == 1 and ids[-1] == 2 and max(ids) < len(VOICES[0].tokens)


_made: list[TextFrontEnd] = []


def _voices() -> list[TextFrontEnd]:
    if not _made:
        _made.extend((front_end(), front_end("de")))
    return _made


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
        ("Vgl. 1 000 000, www.x.de", "Vergleiche 1000000, www Punkt x Punkt de"),
    ],
)
def test_german(written: str, spoken: str) -> None:
    assert normalise(written, language=LANGUAGES["de"]) == spoken
    assert normalise(spoken, language=LANGUAGES["de"]) == spoken


def test_other_languages_keep_their_signs_and_digits() -> None:
    assert normalise("Het kost 25,50 euro – «echt» (ja)!", language=OTHER) == "Het kost 25,50 euro - echt, ja!"
    assert normalise("日本、東京。", language=OTHER) == "日本, 東京."
