"""The tables of rules: whatever they name exists."""

from __future__ import annotations

import pytest

from processors.text.written.cues import rows
from processors.text.written.grammar import ENGLISH_RULES, GERMAN_RULES, OTHER_RULES
from processors.text.written.scan import Scan, conditions

WHEN = [row[4] for row in (*ENGLISH_RULES, *GERMAN_RULES, *OTHER_RULES)] + [row[1] for row in rows("integers.tsv")]


@pytest.mark.parametrize("when", sorted(set(WHEN)))
def test_conditions_name_what_there_is(when: str) -> None:
    found = conditions(when)
    written = " ".join(f"{'!' * one.negated}{one.place}:{one.name}" for one in found)
    assert written == when.removeprefix("-"), "a part of it is no condition"
    # A cue or a list that is in no table is an error.
    assert all(isinstance(one.holds(Scan("x"), 1), bool) for one in found)


def test_every_rule_says_with_what_it_begins() -> None:
    for pattern, begins, *_ in ENGLISH_RULES:
        assert begins and pattern and not set(begins) & set(" {"), pattern
