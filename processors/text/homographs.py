"""Words that are written alike and sound different by part of speech: which of them is meant, by the words around.

The words are data/homographs.txt; what decides is data/homograph_rules.txt, rules for single words and votes for the
rest, so that every decision can be traced to a row.
"""

from __future__ import annotations

from collections.abc import Collection
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import NamedTuple

from processors.text.morphology import plural_sound
from processors.text.tables import kinds, rows

# Where a class is missing, the first of these that the word has.
_FALLBACK = {"V": "VPNJ", "P": "PVJN", "N": "NJVP", "J": "JNVP"}
_LIKELIER = 0.6  # votes for the first class of a word
_MARKS = frozenset(",.!?;:-…")

Places = dict[str, list[str]]  # a place of the rules -> the words that stand there


class Condition(NamedTuple):
    """Whether one of the words in a place is one of the choices, or, `negated`, none is."""

    place: str
    choices: tuple[str, ...]
    negated: bool

    def holds(self, places: Places) -> bool:
        """Whether it does around a homograph."""
        return any(is_word(word, self.choices) for word in places[self.place]) != self.negated


@lru_cache(maxsize=1)
def homographs() -> dict[str, dict[str, list[str]]]:
    """Word -> class -> phones, likelier class first; with the forms in -s."""
    table = {word: {field[0]: field[2:].split() for field in fields} for word, *fields in rows("homographs.txt")}
    for word, classes in list(table.items()):
        ending = "es" if word.endswith(("s", "x", "sh", "ch")) else "s"
        plural = word[:-1] + "ies" if word.endswith("lly") else word + ending
        if "V" in classes and "N" in classes and plural not in table and not word.endswith("ing"):
            table[plural] = {c: classes[c] + plural_sound(classes[c]) for c in classes if c in "VN"}
    return table


@lru_cache(maxsize=1)
def _rules() -> dict[str, list[tuple[str, list[Condition]]]]:
    """Word, or name of a vote -> its rows: class or votes, conditions."""
    found: dict[str, list[tuple[str, list[Condition]]]] = {}
    for words, result, written in rows("homograph_rules.txt"):
        conditions = []
        for text in written.split():
            place, _, choices = text.removeprefix("!").partition(":")
            conditions.append(Condition(place, tuple(choices.split(",")), text[0] == "!"))
        for word in words.split():
            found.setdefault(word, []).append((result, conditions))
    return found


@lru_cache(maxsize=1)
def _classes() -> dict[str, frozenset[str]]:
    return kinds("word_classes.txt")


@lru_cache(maxsize=1 << 15)
def is_word(word: str, choices: tuple[str, ...] | frozenset[str]) -> bool:
    """Whether a word in lower case is among words, patterns ("*ing"), and classes ("@be"); "_" stands for no word."""
    if word in choices or not word and "_" in choices:
        return True
    patterns = (choice for choice in choices if choice[0] == "@" or "*" in choice)
    return f"-{word}" not in choices and any(
        is_word(word, _classes()[choice[1:]]) if choice[0] == "@" else fnmatchcase(word, choice) for choice in patterns
    )


def _decide(name: str, places: Places) -> str | None:
    """What the first row of a name says whose conditions hold."""
    for result, conditions in _rules().get(name, ()):
        if all(condition.holds(places) for condition in conditions):
            return result
    return None


def _places(words: list[str], index: int, written: str) -> Places:
    before: list[str] = []
    after: list[str] = []
    for word in words[max(0, index - 4) : index]:
        before = [] if word in _MARKS else [*before, word]
    for word in words[index + 1 : index + 4]:
        if word in _MARKS:
            break
        after.append(word)
    plain = [word for word in before if not is_word(word, ("@adverb",))]
    return {
        **{f"-{n}": before[-n:][:1] if n <= len(before) else [""] for n in (1, 2)},
        **{f"^{n}": plain[-n:][:1] if n <= len(plain) else [""] for n in (1, 2)},
        **{f"+{n}": after[n - 1 : n] or [""] for n in (1, 2)},
        "<": before,
        ">": after,
        "~": words[max(0, index - 12) : index] + words[index + 1 : index + 10],
        "=": [written],
    }


def word_class(words: list[str], index: int, classes: Collection[str] | None = None, written: str = "") -> str:
    """Class of the homograph `words[index]`: one of `classes`, by default those it has in the table.

    :param words: the words of a text in lower case, with its punctuation marks as words of their own.
    :param written: the word as it stands in the text.
    """
    word = words[index]
    classes = homographs()[word] if classes is None else classes
    likelier = next(iter(classes))
    places = _places(words, index, written or word)
    if special := _decide(word, places):
        return special if special in classes else likelier
    votes = {"V": 0.0, "N": 0.0, "J": 0.0, "P": 0.0}
    for name in ("before", "adverb", "after"):
        for vote in (_decide(name, places) or "").split():
            votes[vote[0]] += float(vote[1:])
    if likelier in votes:
        votes[likelier] += _LIKELIER
    if "P" not in classes:
        votes["P"] = -1.0
    # A class that the word lacks hands its votes to the nearest that it has.
    order = sorted(votes, key=lambda name: -votes[name])
    return next((choice for name in order for choice in _FALLBACK[name] if choice in classes), likelier)


def homograph_phones(words: list[str], lower: list[str], index: int) -> list[str] | None:
    """Phones of `words[index]` in its context, None if it is no homograph; `lower` are the words in lower case."""
    classes = homographs().get(lower[index])
    return classes[word_class(lower, index, written=words[index])] if classes else None
