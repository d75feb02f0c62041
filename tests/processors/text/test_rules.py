"""The tables of rules: whatever they name exists."""

from __future__ import annotations

import pytest

from processors.text.normalise import ENGLISH, normalise
from processors.text.written.cues import rows
from processors.text.written.grammar import ENGLISH_RULES, GERMAN_RULES, OTHER_RULES, Language, template
from processors.text.written.scan import Scan, Written, conditions
from tests.processors.text.test_normalise import CASES

WHEN = [row[4] for row in (*ENGLISH_RULES, *GERMAN_RULES, *OTHER_RULES)] + [row[1] for row in rows("integers.tsv")]


@pytest.mark.parametrize("when", sorted(set(WHEN)))
def test_conditions_name_what_there_is(when: str) -> None:
    found = conditions(when)
    written = " ".join(f"{'!' * one.negated}{one.place}:{one.name}" for one in found)
    assert written == when.removeprefix("-"), "a part of it is no condition"
    # A cue or a list that is in no table is an error.
    assert all(isinstance(one.holds(Scan("x"), 1), bool) for one in found)


def test_a_name_is_a_table_or_a_function() -> None:
    with pytest.raises(ValueError, match="states is both a table and a function"):
        template("{states 1}", {"states": str})
    with pytest.raises(ValueError, match="statues is neither"):
        template("{statues 1}", {})


class Everywhere(Language):
    """A language whose rules are asked at every character."""

    def __init__(self, like: Language) -> None:
        self.watched, self.any_script, self.classes = like.watched, like.any_script, like.classes

    def classes_at(self, char: str) -> list[Written]:
        return self.classes


def test_no_rule_hides_behind_its_first_column() -> None:
    everywhere = Everywhere(ENGLISH)
    hidden = [text for text, said in CASES if normalise(text, language=everywhere) != normalise(text)]
    assert not hidden, "what a rule matches begins otherwise than its row says"
