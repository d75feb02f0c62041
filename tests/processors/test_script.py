"""From hostile texts to lines: what is markup is never read aloud, phones are never torn, and pauses have an end."""

from __future__ import annotations

import re
import tracemalloc

import pytest

from models.registry import load_config
from processors.cast import Cast
from processors.script import Line, Scriptwriter, explained
from processors.text.characters import TextError
from processors.text.frontend import TextFrontEnd
from processors.text.tokens import PUNCTUATION
from utils.files import PROJECT_ROOT

SETTINGS = load_config(PROJECT_ROOT / "config/jets.json").inference
FRONT_END = TextFrontEnd()
SCRIPT = Scriptwriter(FRONT_END, FRONT_END.tokens, 200.0, arpabet=True)


def lines(text: str | list[str], **changed: object) -> list[Line]:
    return list(SCRIPT.lines(text, SETTINGS.model_copy(update=changed)))


@pytest.mark.parametrize(
    ("unheard", "text", "marks"),
    [
        ("!?;:-…", "Why! Where to?", ". ."), ("!?;:-…", "Wait... what... He left - then: so; it was.", ", . , , , ."),
        ("!?;:-…", "He said: {K AE1 T}? No", ", . ."), (";", "Why! Is it; so?", "! , ?"),
        ("!?;:-…,", "One, two! Three - four?", ", . - ."), ("!.", "Go! Stop.", "! ."),
        (None, "Why! Wait... what?", "! … ?"),
    ],
)  # fmt: skip
def test_marks_that_a_voice_never_heard_are_spoken_as_commas_and_full_stops(
    unheard: str | None, text: str, marks: str
) -> None:
    script = Scriptwriter(FRONT_END, FRONT_END.tokens, 200.0, arpabet=True)
    script.hear(None if unheard is None else {mark: 9 if mark in unheard else 10 for mark in PUNCTUATION})
    spoken = [FRONT_END.tokens[token] for line in script.lines(text, SETTINGS) for token in line.ids]
    assert " ".join(token for token in spoken if token in PUNCTUATION) == marks


@pytest.mark.parametrize(
    "document",
    ["<!DOCTYPE speak>\n<speak>Hello.</speak>", f"<!--{'-a' * 5000}--><?note?>\n<speak>Hello.</speak>",
     '<?xml version="1.0"?><!DOCTYPE speak SYSTEM "a.dtd"><!-- <p> --><speak>Hello.</speak>'],
)  # fmt: skip
def test_markup_is_known_in_pieces_of_any_size(document: str) -> None:
    for size in (1, 7, 100_000):
        pieces = [document[start : start + size] for start in range(0, len(document), size)]
        assert [line.text for line in lines(pieces)] == ["Hello."]


BREAK = "<break time='60s'/>"


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        (f"<speak>a{BREAK * 4000}b</speak>", {}),
        (f"<speak>{f'a{BREAK}' * 4000}</speak>", {}),
        ("A. " * 4000, {"sentence_silence": 10.0}),
        ("A.\n\n" * 4000, {"paragraph_silence": 10.0}),
    ],
)
def test_pauses_that_add_up_are_refused_in_one_sentence(text: str, changed: dict[str, float]) -> None:
    tracemalloc.start()
    with pytest.raises(TextError, match="^the pauses of this text add up to more than 600 s .*paragraph_silence$"):
        lines(text, **changed)
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("text", "spoken", "phones"),
    [
        ("The lead pipe!", "The lead pipe!", "{DH AH0} {L EH1 D} {P AY1 P} !"),
        ("It is 3, {K AE1 T}.", "It is three, {K AE1 T}.", "{IH1 T} {IH1 Z} {TH R IY1} , {K AE1 T} ."),
        ("<speak>A <sub alias='cat'>dog</sub></speak>", "A cat", "{AH0} {K AE1 T}"),
        (["On", "e. Tw", "o."], "One. Two.", "{W AH1 N} . {T UW1} ."),
    ],
)
def test_a_text_is_explained_piece_by_piece(text: str | list[str], spoken: str, phones: str) -> None:
    rows = list(explained(lambda language: FRONT_END, text))
    heard = " ".join(row.spoken for row in rows if row.spoken)
    assert re.sub(r" (?=[,.!])", "", heard) == spoken
    assert " ".join(row.phones for row in rows if row.phones) == phones
    assert all(row.kind and row.written in str(row) for row in rows)


def test_markup_is_explained_in_its_languages() -> None:
    asked: list[str] = []

    def frontends(language: str) -> TextFrontEnd:
        asked.append(language)
        return FRONT_END

    cast = Cast({"anna": "en-us"}, ("de", "en-us"), "en-us")
    text = '<speak>One.<break/><lang xml:lang="de">Two. Three.</lang> Four.</speak>'
    rows = list(explained(frontends, text, cast, cast.manner(None, None)))
    assert [row.written for row in rows if row.kind == "word"] == ["One", "Two", "Three", "Four"]
    assert [cast.language if not language else language for language in asked] == ["en-us", "de", "en-us"]
