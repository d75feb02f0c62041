"""Whom a user means by a speaker's name, a mixture or a language."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from processors.cast import Cast
from processors.text.characters import TextError
from processors.text.prosody import NEUTRAL, Prosody
from processors.text.ssml import Boundary, Span, parse_ssml
from processors.text.tokens import ipa_tokens, load_tokens, save_tokens
from utils.errors import UserError

SPEAKERS = {"anna": "en-us", "ben": "de", "zoë k": "nl", "nina": "de"}
CAST = Cast(SPEAKERS, ("de", "en-us", "nl"), "en-us")


@pytest.mark.parametrize(
    ("speaker", "language", "wanted"),
    [
        (None, None, ("anna", "en-us")), ("ben", None, ("ben", "de")), (None, "nl", ("zoë k", "nl")),
        (" anna ", "DE_de", ("anna", "de")), (None, "en", ("anna", "en-us")), (None, "de-AT", ("ben", "de")),
        ("ben+anna:3", None, ("ben:0.250000000+anna:0.750000000", "en-us")), ("ben(2)+ben", None, ("ben", "de")),
    ],
)  # fmt: skip
def test_who_is_meant(speaker: str | None, language: str | None, wanted: tuple[str, str]) -> None:
    manner = CAST.manner(speaker, language, Prosody(rate=2.0))
    assert (manner.speaker, manner.language) == wanted and manner.rate == 2.0


@pytest.mark.parametrize(
    ("speaker", "language", "message"),
    [
        ("ana", None, "no speaker 'ana': did you mean anna?"), ("anna:0.5+nena:1", None, "'nena': did you mean nina"),
        ("anna:0+ben:0", None, "no shares above 0"), ("", None, "no speaker ''"),
        ("anna:x", None, "'anna:x' cannot be read"), ("anna:-1+ben", None, "cannot be read; write for instance"),
        ("anna+", None, "'anna+' cannot be read"),
        (None, "fr", "does not speak 'fr': it has de, en-us, nl"), ("x.npy", None, "no speaker 'x.npy'"),
    ],
)  # fmt: skip
def test_who_is_not_there(speaker: str | None, language: str | None, message: str) -> None:
    with pytest.raises(UserError) as caught:
        CAST.manner(speaker, language)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("column", "wanted"),
    [("ben", "ben"), ("anna:1+anna:2", "anna"), ("A sentence of words.", None), ("Two + two: 4", None), ("", None)],
)
def test_the_column_of_a_list_is_a_speaker_or_a_text(column: str, wanted: str | None) -> None:
    assert CAST.listed(column) == wanted


@pytest.mark.parametrize("column", ["Anna", "nena", "anna:0.5+x", "ben:much"])
def test_nearly_a_speaker_is_no_text(column: str) -> None:
    with pytest.raises(TextError, match="did you mean|no speaker 'x'|cannot be read"):
        CAST.listed(column)
    assert Cast({"anna": "de"}, ("de",)).listed(column) is None, "a voice of one has nobody to choose"


def test_shares_add_up_to_one() -> None:
    assert CAST.shares("ben") == [0.0, 1.0, 0.0, 0.0] and CAST.shares("") == [1.0, 0.0, 0.0, 0.0]
    shares = CAST.shares(CAST.find_speaker("anna:2+ben+nina"))
    assert shares == pytest.approx([0.5, 0.25, 0.0, 0.25])


def test_a_voice_of_before_has_no_names() -> None:
    cast = Cast(language="en-us")
    assert cast.manner(None, None) == NEUTRAL == cast.manner(None, "en") and cast.shares("") == []
    with pytest.raises(UserError, match="no speakers by name"):
        cast.manner("anna", None)
    with pytest.raises(UserError, match="does not speak 'de'"):
        cast.manner(None, "de")
    assert len(cast.lines()) == 1 and len(CAST.lines()) == 6


def test_vectors_from_files(tmp_path: Path) -> None:
    cast = Cast(vector_size=3, language="en-us")
    np.save(tmp_path / "a.npy", np.arange(3.0))
    np.save(tmp_path / "b.npy", np.arange(4.0))
    name = cast.manner(str(tmp_path / "a.npy"), None).speaker
    assert cast.vector(name).tolist() == [0, 1, 2] and cast.vector("").tolist() == [0, 0, 0]
    for wrong, message in (("b.npy", "holds 4 numbers"), ("c.npy", "cannot be read")):
        with pytest.raises(UserError, match=message):
            cast.manner(str(tmp_path / wrong), None)


def test_it_travels_in_the_token_table(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    save_tokens(path, ipa_tokens(), "ipa", "en-us", None, **CAST.table())
    assert Cast.read(load_tokens(path)) == CAST
    assert list(Cast.read(load_tokens(path)).speakers) == list(SPEAKERS), "their order is their number"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"anna"', '"anne"'), encoding="utf-8")
    with pytest.raises(UserError, match="was changed"):
        load_tokens(path)
    path.write_text(text.replace('"de",\n  "en-us"', '"en-us",\n  "de"'), encoding="utf-8")
    with pytest.raises(UserError, match="was changed"):
        load_tokens(path)


def spoken(markup: str, speaker: str | None = None, language: str | None = None) -> list[tuple[str, str, str]]:
    """Text, speaker and language of each span; a boundary is ("|", "", "")."""
    manner = CAST.manner(speaker, language)
    asked = (speaker is not None, language is not None)
    items = parse_ssml(markup, cast=CAST, manner=manner, asked=asked, on_note=lambda _: None)
    rows = {Span: lambda i: (i.text, i.prosody.speaker, i.prosody.language), Boundary: lambda _: ("|", "", "")}
    return [rows[type(item)](item) for item in items]


def test_voices_and_languages_of_ssml() -> None:
    assert spoken('<speak>a<voice name="ben">b</voice>c</speak>') == [
        ("a", "anna", "en-us"), ("|", "", ""), ("b", "ben", "de"), ("|", "", ""), ("c", "anna", "en-us"),
    ]  # fmt: skip
    # A language moves nobody from the place, unless a voice of it is asked for, or the whole document is in it.
    assert spoken('<speak>a<lang xml:lang="de">b</lang></speak>')[1:] == [("b", "anna", "de")]
    assert spoken('<speak>a<voice languages="fr nl">b</voice></speak>')[2] == ("b", "zoë k", "nl")
    assert spoken('<speak xml:lang="de-DE">a</speak>') == [("a", "ben", "de")]
    assert spoken('<speak xml:lang="de-DE">a</speak>', "anna") == [("a", "anna", "de")]
    # What is chosen stays chosen.
    assert spoken('<speak>a<voice name="ben">b</voice></speak>', language="en")[2] == ("b", "ben", "en-us")
    assert spoken('<speak>a<voice name="ben" language="nl">b</voice></speak>')[2] == ("b", "ben", "nl")
    notes: list[str] = []
    items = parse_ssml('<speak><voice name="annna">a</voice></speak>', cast=CAST, on_note=notes.append)
    assert items == [Span("a", NEUTRAL)] and "<voice>" in notes[0] and "did you mean anna" in notes[0]
