"""Pronunciations of unknown words from known parts: endings, prefixes, compounds, British spellings."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import lru_cache

from processors.text.arpabet import is_vowel
from processors.text.tables import rows

Lookup = Callable[[str], "list[str] | None"]

_SIBILANTS = frozenset(["S", "Z", "SH", "ZH", "CH", "JH"])
_VOICELESS = frozenset(["P", "T", "K", "F", "TH", "S", "SH", "CH"])
_CLITICS = {"ll": ["AH0", "L"], "re": ["ER0"], "m": ["AH0", "M"], "t": ["T"]}
_LONGEST = 30
# After a prefix in -o these move its stress: "geo" but "geologist", "thermo" but "thermometer".
_STRESSING = ("log", "graph", "gram", "meter", "nom", "cra", "pha", "ly")
# A consonant after one vowel: what ends so and takes an ending mostly lacks an e.
_SHORT = re.compile("^[^aeiouy]*[aeiou][^aeiouwxy]$")


@lru_cache(maxsize=1)
def parts() -> dict[str, dict[str, list[str]]]:
    """Kind -> spelling -> phones of the parts in the table, in its order."""
    found: dict[str, dict[str, list[str]]] = defaultdict(dict)
    for kind, spellings, *phones in rows("parts.txt"):
        if kind != "turn":
            found[kind] |= {spelling: " ".join(phones).split() for spelling in spellings.split()}
    return found


@lru_cache(maxsize=1)
def _turns() -> list[tuple[str, str, list[str], list[str]]]:
    """Endings that stand for others: ending, the other, its phones, and what is said instead."""
    return [(row[1], row[2], row[3].split(), row[4].split()) for row in rows("parts.txt") if row[0] == "turn"]


def plural_sound(phones: list[str]) -> list[str]:
    """The sound of -s and 's after a stem."""
    if phones[-1] in _SIBILANTS:
        return ["IH0", "Z"]
    return ["S"] if phones[-1] in _VOICELESS else ["Z"]


def past_sound(phones: list[str]) -> list[str]:
    """The sound of -ed after a stem."""
    if phones[-1] in ("T", "D"):
        return ["IH0", "D"]
    return ["T"] if phones[-1] in _VOICELESS else ["D"]


def with_clitic(stem: list[str], ending: str) -> list[str] | None:
    """Phones of a stem and what follows its apostrophe ("s", "ll", "ve" ...), None for an ending that is none."""
    if ending in ("s", ""):
        return stem + plural_sound(stem) if ending else stem
    if ending in ("d", "ve"):
        return stem + ([] if is_vowel(stem[-1]) else ["AH0"]) + [ending[0].upper()]
    sound = _CLITICS.get(ending)
    return stem + sound if sound else None


def _stem(word: str, ending: str, lookup: Lookup) -> list[str] | None:
    """Phones of the stem before an ending, which may lack its e, double its consonant or write i for y."""
    stem = word[: -len(ending)]
    if len(stem) < 3 or ending == "y" and stem[-1] in "aeiou":
        return None
    spellings = [stem]
    if ending[0] in "aeiouy":
        # "homing" is of "home", not of "hom"; but "opening" is of "open".
        spellings.insert(0 if _SHORT.search(stem) else 1, stem + "e")
        if stem[-1] == stem[-2] and stem[-1] not in "aeiou":
            spellings.append(stem[:-1])
    if stem[-1] == "i":
        spellings.append(stem[:-1] + "y")
    phones = _first(spellings, lookup)
    if phones and ending[0] in "eiy" and stem[-1] == "c" and phones[-1] == "K":
        return [*phones[:-1], "S"]  # "ethic-ist"
    return phones


def _first(spellings: Iterable[str], lookup: Lookup) -> list[str] | None:
    return next((phones for spelling in spellings if (phones := lookup(spelling))), None)


def _with_ending(stem: list[str], sound: list[str], word: str) -> list[str]:
    """Stem and ending; -ly says the L that both have once ("capital-ly")."""
    if sound == ["L", "IY0"]:
        if stem[-1] == "L":
            return stem + sound[1:]
        if word.endswith("ily") and stem[-1] == "IY0":
            # "happily": the vowel is a weaker one than in "happy".
            return [*stem[:-1], "AH0", *sound]
    return stem + sound


def _joined(first: list[str], second: list[str]) -> list[str]:
    """Two parts; a consonant that both have is said once ("film-maker")."""
    return first + second[first[-1] == second[0] :]


def _turned(word: str, lookup: Lookup) -> list[str] | None:
    """Endings that stand for others: "colour" for "color", "itemization" of "itemize"."""
    for ending, other, old, new in _turns():
        stem = lookup(word.removesuffix(ending) + other) if word.endswith(ending) and word != ending else None
        if stem and stem[len(stem) - len(old) :] == old:
            head = stem[: len(stem) - len(old)]
            return ([p.replace("1", "2") for p in head] if any("1" in p for p in new) else head) + new
    return None


def _inflected(word: str, lookup: Lookup) -> list[str] | None:
    if word.endswith("s") and not word.endswith("ss"):
        spellings = [word[:-1]]
        if word.endswith("ies"):
            spellings.append(word[:-3] + "y")
        elif word.endswith("es"):
            spellings.append(word[:-2])
        if stem := _first([spelling for spelling in spellings if len(spelling) > 2], lookup):
            return stem + plural_sound(stem)
    if word.endswith("ed") and (stem := _stem(word, "ed", lookup)):
        return stem + past_sound(stem)
    for ending, sound in (("ing", ["IH0", "NG"]), ("in'", ["AH0", "N"])):
        if word.endswith(ending) and (stem := _stem(word, ending, lookup)):
            return stem + sound
    return None


def _derived(word: str, lookup: Lookup) -> list[str] | None:
    for ending, sound in parts()["ending"].items():
        if word.endswith(ending) and (stem := _stem(word, ending, lookup)):
            return _with_ending(stem, sound, word)
    for prefix, sound in parts()["prefix"].items():
        rest = word.removeprefix(prefix)
        if prefix[-1] == "o" and rest.startswith(_STRESSING):
            continue
        if 3 < len(rest) < len(word) and (stem := lookup(rest) or _inflected(rest, lookup)):
            return sound + stem
    return None


def _compound(word: str, lookup: Lookup) -> list[str] | None:
    # The longest second part first: "housekeeper", not "housekeep" + "er".
    for cut in range(3, len(word) - 2):
        if word[cut:] in parts()["second"] and (first := lookup(word[:cut])) and (second := lookup(word[cut:])):
            return _joined(first, [phone.replace("1", "2") for phone in second])
    for ending, sound in parts()["place"].items():
        stem = word.removesuffix(ending)
        if 3 <= len(stem) < len(word) and (first := _first((stem, stem + "e"), lookup)):
            return _joined(first, sound)
    return None


def from_parts(word: str, lookup: Lookup) -> list[str] | None:
    """Phones of an unknown lower-case word from those of known ones, or None.

    `lookup` gives the phones of a known word. "kennedy's", "phonemises", "unhappiest", "schoolmasters", "colour".
    """
    if "'" in word:
        stem, _, ending = word.rpartition("'")
        phones = (lookup(stem) or from_parts(stem, lookup)) if stem else None
        return with_clitic(phones, ending) if phones else None
    if len(word) > _LONGEST:
        return None

    def one_step(part: str) -> list[str] | None:
        return lookup(part) or _derived(part, lookup) or _compound(part, lookup)

    return (
        _inflected(word, lookup)
        or _turned(word, lookup)
        or _derived(word, lookup)
        or _compound(word, lookup)
        or _inflected(word, one_step)
        or _derived(word, one_step)
    )
