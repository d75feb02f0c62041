"""Words that are written alike and sound different by part of speech: a small tagger from the words around them.

Each neighbour votes for classes: no statistics and no data beyond word lists, so that every decision can be traced.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from pathlib import Path

from processors.text.homograph_words import Context, special_class
from processors.text.morphology import plural_sound
from processors.text.word_classes import (
    BE,
    BEFORE_NOUN_TO,
    CONJUNCTIONS,
    DETERMINERS,
    HAVE,
    MODALS,
    NUMBERS,
    OBJECTS,
    PREPOSITIONS,
    SUBJECTS,
    is_adverb,
    is_plural,
)

_FILE = Path(__file__).with_name("data") / "homographs.txt"
# Where a class is missing, the first of these that the word has.
_FALLBACK = {"V": "VPNJ", "P": "PVJN", "N": "NJVP", "J": "JNVP"}


@lru_cache(maxsize=1)
def homographs() -> dict[str, dict[str, list[str]]]:
    """Word -> class -> phones, likelier class first; with the forms in -s."""
    table: dict[str, dict[str, list[str]]] = {}
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        word, *fields = (field.strip() for field in line.split("|"))
        table[word] = {field[0]: field[2:].split() for field in fields}
    for word, classes in list(table.items()):
        ending = "es" if word.endswith(("s", "x", "sh", "ch")) else "s"
        plural = word[:-1] + "ies" if word.endswith(("lly",)) else word + ending
        if "V" in classes and "N" in classes and plural not in table and not word.endswith("ing"):
            table[plural] = {c: classes[c] + plural_sound(classes[c]) for c in classes if c in "VN"}
    return table


def _votes_before(before: list[str], third_person: bool) -> dict[str, float]:
    """What the words before say; the last one is the nearest."""
    votes = {"V": 0.0, "N": 0.0, "J": 0.0, "P": 0.0}
    word = before[-1] if before else ""
    two = before[-2] if len(before) > 1 else ""
    if is_adverb(word) and word not in DETERMINERS:
        # "will not record", "he never read", "a very close friend": look past the adverb.
        inner = _votes_before(before[:-1], third_person) if len(before) > 1 else votes
        inner["V"] += 0.5
        return inner
    if word == "to":
        target = "N" if two in BEFORE_NOUN_TO or third_person else "V"
        votes[target] += 4
    elif word in MODALS:
        votes["V"] += -2 if third_person else 4
        votes["N"] += 2 if third_person else 0
    elif word in SUBJECTS or word in ("who", "which"):
        votes["V"] += 4
        votes["P"] += 3
    elif word == "that":
        votes["V"] += 2.5 if third_person else 0.5
        votes["N"] += 0 if third_person else 2
    elif word == "this" and third_person:
        votes["V"] += 3
    elif word in DETERMINERS or word.endswith("'s") or word.endswith("s'"):
        votes["N"] += 3
        votes["J"] += 3
        votes["V"] -= 2
        votes["P"] += 1
    elif word in NUMBERS:
        votes["N"] += 2.5
    elif word in BE:
        votes["J"] += 3
        votes["P"] += 3
        votes["N"] += 0.5
        votes["V"] -= 3
    elif word in HAVE:
        votes["P"] += 4
        votes["N"] += 2
        votes["V"] -= 2
    elif word in PREPOSITIONS:
        votes["N"] += 2.5
        votes["J"] += 2
        votes["V"] -= 2
    elif word in CONJUNCTIONS and not third_person:
        rest = before[:-1]
        # "to play and record", "would sit and read": the verb before decides.
        if any(w in MODALS or w == "to" for w in rest[-3:]):
            votes["V"] += 2
        if any(w in DETERMINERS or w in PREPOSITIONS for w in rest[-2:]):
            votes["N"] += 1
            votes["J"] += 0.5
    elif not word or word in CONJUNCTIONS:
        votes["N" if third_person else "V"] += 0.5
    elif is_plural(word):
        votes["V"] += 0 if third_person else 1.5
        votes["P"] += 1.5
        votes["N"] += 1 if third_person else 0
    else:
        # A noun, a name or an adjective.
        votes["V"] += 0.5 if third_person else -0.5
        votes["N"] += 1
        votes["P"] += 1.5
    return votes


def _votes_after(after: list[str], third_person: bool, governed: bool) -> dict[str, float]:
    votes = {"V": 0.0, "N": 0.0, "J": 0.0, "P": 0.0}
    word = after[0] if after else ""
    if not word:
        votes["N"] += 0.5
        votes["J"] += 0.3
    elif word in OBJECTS and not governed:
        votes["V"] += 2.5
        votes["P"] += 2
        votes["N"] -= 1
    elif word in ("into", "up") and third_person:
        votes["V"] += 1.5
    elif word == "of":
        votes["N"] += 2.5
        votes["V"] -= 1.5
    elif word in BE or word in HAVE or word in MODALS:
        votes["N"] += 2.5
        votes["V"] -= 1.5
    elif word == "to":
        votes["V"] += 0.5
    elif word in PREPOSITIONS or word in CONJUNCTIONS:
        pass
    elif governed and not is_adverb(word):
        # Determiner + word + noun: "the present time", "a separate room".
        votes["J"] += 1.5
    elif not governed:
        votes["V"] += 0.5
    return votes


def word_class(words: list[str], index: int, classes: Collection[str] | None = None) -> str:
    """Class of the homograph `words[index]`: one of `classes`, by default those it has in the table.

    :param words: the words of a text in lower case, with its punctuation marks as words of their own.
    """
    word = words[index]
    classes = homographs()[word] if classes is None else classes
    before: list[str] = []
    after: list[str] = []
    for neighbour in words[max(0, index - 4) : index]:
        before = [] if neighbour in ",.!?;:-…" else [*before, neighbour]
    for neighbour in words[index + 1 : index + 4]:
        if neighbour in ",.!?;:-…":
            break
        after.append(neighbour)
    around = words[max(0, index - 12) : index] + words[index + 1 : index + 10]
    special = special_class(word, Context(before, after, around))
    if special:
        return special if special in classes else next(iter(classes))
    third_person = word.endswith("s") and not word.endswith("ss")
    nearest = before[-1] if before else ""
    governed = nearest in DETERMINERS or nearest.endswith("'s") or nearest in PREPOSITIONS
    votes = _votes_before(before, third_person)
    for name, value in _votes_after(after, third_person, governed).items():
        votes[name] += value
    likelier = next(iter(classes))
    if likelier in votes:
        votes[likelier] += 0.6
    if "P" not in classes:
        votes["P"] = -1.0
    order = sorted(votes, key=lambda name: -votes[name])
    # A class that the word lacks hands its votes to the nearest that it has.
    for name in order:
        for choice in _FALLBACK[name]:
            if choice in classes:
                return choice
    return likelier


def homograph_phones(words: list[str], lower: list[str], index: int, capitals: bool = True) -> list[str] | None:
    """Phones of `words[index]` in its context, None if it is no homograph.

    :param lower: the same words in lower case.
    :param capitals: whether capitals mean anything.
    """
    word = lower[index]
    classes = homographs().get(word)
    if classes is None:
        return None
    if word in ("polish", "august") and capitals:
        # The people and the month are capitals in the middle of a sentence.
        starts = index == 0 or lower[index - 1] in ".!?"
        name = words[index][0].isupper()
        if word == "august":
            return classes["N" if name else "J"]
        return classes["C" if name and not (starts and lower[index + 1 : index + 2] == ["the"]) else "V"]
    return classes[word_class(lower, index)]
