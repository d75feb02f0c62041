"""Word and character errors, against hand-counted examples."""

from __future__ import annotations

import pytest

from models.evaluation.listening import text_errors


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
