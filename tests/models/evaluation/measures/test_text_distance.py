"""Word and character errors, against hand-counted examples and a textbook implementation."""

from __future__ import annotations

import random

import pytest

from models.evaluation.measures.text_distance import align, distance, text_errors, whisper_normaliser


@pytest.mark.parametrize(
    ("expected", "heard", "words", "characters"),
    [
        ("the cat sat", "the cat sat", (0, 3), (0, 11)),
        ("the cat sat", "the hat sat", (1, 3), (1, 11)),  # replaced
        ("the cat sat", "the sat", (1, 3), (4, 11)),  # missing, with its space
        ("the cat sat", "the big cat sat", (1, 3), (4, 11)),  # extra
        ("the cat sat", "", (3, 3), (11, 11)),
        ("one", "a b c d", (4, 1), (7, 3)),  # more errors than words
        ("  spaces   do not ", "spaces do not", (0, 3), (0, 13)),
    ],
)
def test_hand_counted(expected, heard, words, characters):
    assert text_errors(expected, heard) == {"wer": words, "cer": characters}


def textbook(a: str, b: str) -> int:
    if not a or not b:
        return len(a) + len(b)
    return min(textbook(a[:-1], b) + 1, textbook(a, b[:-1]) + 1, textbook(a[:-1], b[:-1]) + (a[-1] != b[-1]))


def test_distance_and_alignment_agree_with_the_textbook():
    generator = random.Random(0)
    for _ in range(60):
        a, b = ("".join(generator.choices("abc", k=generator.randint(0, 6))) for _ in range(2))
        edits = align(a, b)
        assert distance(a, b) == textbook(a, b) == sum(edit.kind != "same" for edit in edits)
        assert "".join(edit.expected for edit in edits) == a and "".join(edit.heard for edit in edits) == b


def test_alignment_names_the_edits():
    edits = align("he sat down".split(), "he sits down now".split())
    assert [(e.kind, e.expected, e.heard) for e in edits] == [
        ("same", "he", "he"), ("replaced", "sat", "sits"), ("same", "down", "down"), ("extra", "", "now"),
    ]  # fmt: skip
    assert align(["a"], [])[0].kind == "missing"


def test_whisper_rules():
    pytest.importorskip("whisper_normalizer", reason="whisper-normalizer is an optional package")
    normalise = whisper_normaliser()
    assert normalise("Mr. Smith's twenty-two cats, aren't they?") == normalise("mister smith's 22 cats are not they")
    assert normalise("The colour, grey!") == "the color gray"
