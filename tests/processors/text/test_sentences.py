"""Sentence splitting: a table of hard cases, and properties that hold for any text."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from processors.text.sentences import Sentence, collapse_whitespace, sentence_spans, split_sentences
from processors.text.written.cues import rows

# "|" marks where the text is split.
CASES = [
    "Hello world.", "What? |Yes! |No.", "Really?! |Yes.", "Mr. Smith and Mrs. Jones met Dr. Who. |They left.",
    "He saw St. Louis and Mt. Everest. |Then he slept.", "Version 2.0.1 is out. |Get it.",
    "J. R. R. Tolkien wrote it. |So it goes.", "We chose plan B. |Then we left.", "He works at Acme Inc. in Ohio.",
    "The U.S. Army came. |It won.", "At 5 p.m. we ate. |At 6 p.m. |We left.", "Bring apples, pears, etc. |Then go.",
    "Use fruit, e.g. apples. |Or use nuts, i.e. Almonds.", "No. 5 is alive. |No. |It is not.",
    "On Jan. 5 it rained. |On Feb. 6 it snowed.", '"Stop!" he said. |She stopped.', '"Stop." |He ran.',
    "“Why?” she asked. |“Because.”", 'He said "yes." |Then he left.', "Well... |That is it.",
    "I was... |We were… |You know.", "(He came. He saw.) |He won.",
    "He left (see p. 3. It is long.) and came back. |Good.", "A list [one. Two. Three.] ends. |Yes.",
    "An open ( bracket. |Then more.", "1. First things first. |2. Second thing.",
    "{HH AH0 L OW1} is a word. |{B AY1}.", "hello there. |how are you? |fine! |good",
    "this is approx. five metres. |that is long.", "Visit example.com. |It is nice.", "It weighs 5 lbs. or more.",
    "John Smith Jr. was here. |So was Sr. |They left.", 'Is that so? |"It is." |(It is not.)',
    "Ça va? |Été comme hiver. |Élan.", "今天很好。|明天见！|再见", "Go to www.example.com/a.b?c=d. |Then stop.",
    "Call Lt. Gen. Grant. |He knows.", "He said so, cf. Smith et al. |The paper is old.",
]  # fmt: skip


def split(text: str, limit: int = 250, language: str = "en") -> list[str]:
    return [sentence.text for sentence in split_sentences(text, limit, language)]


@pytest.mark.parametrize("case", CASES)
def test_table(case: str) -> None:
    expected = [part.strip() for part in case.split("|")]
    assert split(case.replace("|", "")) == expected
    text = " ".join(case.replace("|", "").split())
    assert [text[start:end] for start, end in sentence_spans(text, 250, lambda at: "en")] == expected


# The same in other languages: ordinals, abbreviations, and what begins a sentence behind them.
OTHERS = [
    ("de", "Sie zogen am 3. Mai in den 2. Weltkrieg. |Vom 14.-16. Juni. |Sie ist 30. |Er ist 40. |Seit 1985. |Ende."),
    ("de-at", "Ludwig XIV. starb. |Ludwig XIV. König. |Es war Ludwig XIV. |Dann kam der 1. FC."),
    ("de", "Hr. Schmidt las Bd. 3 bzw. Mehr, z. B. Das Kapital usw. |Dann ging er."),
    ("de", "Sie kamen am\n3. Mai. |Einkauf:\n|1. Milch\n|2. Eier"),
    ("nl", "Dhr. Jansen en mevr. De Vries zijn hier. |Hij is 30. |Jan ook."),
    ("pl", "Dnia 3. Maja. |On ma 3. |Ona ma 4."), ("en", "It is May 3. |May is here. |Louis XIV. |King of France."),
]  # fmt: skip


@pytest.mark.parametrize(("language", "case"), OTHERS)
def test_other_languages(language: str, case: str) -> None:
    expected = [" ".join(part.split()) for part in case.split("|")]
    text = case.replace("|", "")
    assert split(text, language=language) == expected
    spans = sentence_spans(text, 250, lambda at: language)
    assert [" ".join(text[start:end].split()) for start, end in spans] == expected


def test_german_abbreviations_end_no_sentence() -> None:
    for written, _, kind in rows("german.tsv"):
        if kind in ("abbreviation", "number") and written != "etc.":
            assert len(split(f"Es war {written} {'7' if kind == 'number' else 'Mehr'} darin.", language="de")) == 1, (
                written
            )


def test_blank_lines_end_paragraphs_and_single_breaks_are_spaces() -> None:
    text = "A title\n\nOne line\nand its rest. Two.\n \t\r\n\n\nThree."
    assert list(split_sentences(text)) == [
        Sentence("A title", True),
        Sentence("One line and its rest.", False),
        Sentence("Two.", True),
        Sentence("Three.", True),
    ]


@pytest.mark.parametrize("bullet", ["-", "*", "•", "1.", "(a)", "iv)"])
def test_list_items_are_sentences(bullet: str) -> None:
    text = f"We need\n{bullet} flour and\n  sugar\n{bullet} eggs"
    assert split(text) == ["We need", f"{bullet} flour and sugar", f"{bullet} eggs"]


def test_an_overlong_sentence_is_cut_at_the_best_place() -> None:
    words = "word " * 20
    semicolon = f"{words.strip()}; {words.strip()}, and {words.strip()}"
    assert split(semicolon, 220)[0].endswith(";")
    assert split(semicolon.replace(";", ","), 220)[0].endswith(",")
    assert split("word " * 100, 100) == ["word " * 19 + "word"] * 5
    assert [len(part) for part in split("x" * 1000, 100)] == [100] * 10
    numbers = "1,000,000,000,000 " * 12
    assert all("000,000" in part for part in split(numbers, 50)), "no cut inside a number"


def test_parts_of_an_overlong_sentence_are_of_similar_length() -> None:
    parts = split("word " * 50 + "word.", 240)
    assert len(parts) == 2 and min(map(len, parts)) >= 80


def test_phones_in_braces_are_never_cut() -> None:
    text = ("go {HH AH0 L OW1 W ER1 L D} " * 30).strip()
    for part in split(text, 60):
        assert part.count("{") == part.count("}")


ALPHABET = ["word ", "Mr. ", "end. ", "why? ", "3.5 ", "\n", "\n\n", "\r\n", "(", ") ", '"', "{AA1} ", ", ", "A. "]


def random_texts() -> Iterator[tuple[str, random.Random]]:
    for seed in range(40):
        generator = random.Random(seed)
        yield "".join(generator.choices(ALPHABET, k=generator.randint(1, 400))), generator


def test_the_same_sentences_however_the_text_is_cut() -> None:
    for text, generator in random_texts():
        whole = list(split_sentences(text, 80))
        for largest in (1, 7, 300):
            pieces, rest = [], text
            while rest:
                size = generator.randint(1, largest)
                pieces.append(rest[:size])
                rest = rest[size:]
            assert list(split_sentences(pieces, 80)) == whole


def test_nothing_but_white_space_is_lost_and_no_limit_exceeded() -> None:
    for text, _ in random_texts():
        parts = split(text, 80)
        assert "".join("".join(parts).split()) == "".join(text.split())
        assert all(0 < len(part) <= 80 and part == part.strip() for part in parts)


def test_white_space_collapses_alike_in_any_pieces() -> None:
    text = " a \t\n b\r\n\r\nc\r\rd \u2029e\x0bf  "
    whole = "".join(collapse_whitespace([text]))
    assert whole == " a\nb\n\nc\n\nd\n\ne\nf "
    assert "".join(collapse_whitespace(text)) == whole


def test_a_too_small_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="max_chars"):
        next(split_sentences("text", 5))
