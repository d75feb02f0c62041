"""Words that are written alike and sound different by part of speech: which of them is meant, by the words around.

The words are data/homographs.txt; what decides is data/homograph_rules.txt, rules for single words and votes for the
rest, so that every decision can be traced to a row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from fnmatch import fnmatchcase
from functools import lru_cache

from processors.text.morphology import plural_sound
from processors.text.tables import kinds, rows

# Where a class is missing, the first of these that the word has.
_FALLBACK = {"V": "VPNJ", "P": "PVJN", "N": "NJVP", "J": "JNVP"}
_LIKELIER = 0.6  # votes for the first class of a word
_MARKS = frozenset(",.!?;:-…")

Places = dict[str, list[str]]  # a place of the rules -> the words that stand there
Condition = tuple[str, tuple[str, ...], bool]  # a place, the words that may stand there, and whether none of them may


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
    found: dict[str, list[tuple[str, list[Condition]]]] = defaultdict(list)
    for words, result, written in rows("homograph_rules.txt"):
        conditions = [text.removeprefix("!").partition(":") for text in written.split()]
        negated = [text[0] == "!" for text in written.split()]
        row = [(place, tuple(choices.split(",")), no) for (place, _, choices), no in zip(conditions, negated)]
        for word in words.split():
            found[word].append((result, row))
    return found


@lru_cache(maxsize=1 << 15)
def is_word(word: str, choices: tuple[str, ...] | frozenset[str]) -> bool:
    """Whether a word in lower case is among words, patterns ("*ing"), and classes ("@be"); "_" stands for no word."""
    if word in choices or not word and "_" in choices:
        return True
    classes = [kinds("word_classes.txt")[choice[1:]] for choice in choices if choice[0] == "@"]
    patterns = [choice for choice in choices if "*" in choice and choice[0] != "@"]
    return f"-{word}" not in choices and (
        any(is_word(word, one) for one in classes) or any(fnmatchcase(word, one) for one in patterns)
    )


def _decide(name: str, places: Places) -> str:
    """What the first row of a name says whose conditions hold; nothing if there is none."""
    for result, conditions in _rules().get(name, ()):
        if all(any(is_word(word, choices) for word in places[at]) != no for at, choices, no in conditions):
            return result
    return ""


def _places(words: list[str], index: int, written: str) -> Places:
    before, after = words[max(0, index - 4) : index], words[index + 1 : index + 4]
    first = max((at + 1 for at, word in enumerate(before) if word in _MARKS), default=0)
    before, after = before[first:], after[: next((at for at, word in enumerate(after) if word in _MARKS), None)]
    plain = [word for word in before if not is_word(word, ("@adverb",))]
    places = {"<": before, ">": after, "=": [written]}
    places["~"] = words[max(0, index - 12) : index] + words[index + 1 : index + 10]
    for n in (1, 2):
        places |= {f"-{n}": ["", "", *before][-n:][:1], f"^{n}": ["", "", *plain][-n:][:1]}
        places[f"+{n}"] = after[n - 1 : n] or [""]
    return places


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
        for vote in _decide(name, places).split():
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
