"""Pronunciations of unknown words from known parts: endings, prefixes, compounds, British spellings."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import lru_cache, partial

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
    """Kind -> spelling -> phones of the parts in the table, in its order; of turns, the fields."""
    found: dict[str, dict[str, list[str]]] = defaultdict(dict)
    for kind, spellings, *phones in rows("parts.txt"):
        found[kind] |= {one: phones if kind == "turn" else " ".join(phones).split() for one in spellings.split()}
    return found


def plural_sound(phones: list[str]) -> list[str]:
    """The sound of -s and 's after a stem."""
    if phones[-1] in _SIBILANTS:
        return ["IH0", "Z"]
    return ["S"] if phones[-1] in _VOICELESS else ["Z"]


def _past_sound(phones: list[str]) -> list[str]:
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


def _stems(word: str, ending: str) -> list[str]:
    """Spellings of the stem before an ending, which may lack its e, double its consonant or write i for y."""
    stem = word[: -len(ending)]
    if len(stem) < 3 or ending == "y" and stem[-1] in "aeiou" or ending == "s" and stem[-1] == "s":
        return []
    spellings = [stem]
    if ending[0] in "aeiouy":
        # "homing" is of "home", not of "hom"; but "opening" is of "open".
        spellings.insert(0 if _SHORT.search(stem) else 1, stem + "e")
        if stem[-1] == stem[-2] and stem[-1] not in "aeiou":
            spellings.append(stem[:-1])
    if stem[-1] == "i":
        spellings.append(stem[:-1] + "y")
    return spellings


def _with_ending(stem: list[str], sound: list[str], word: str, ending: str) -> list[str]:
    """Stem and ending; -ly says the L that both have once ("capital-ly")."""
    if sound in (["PLURAL"], ["PAST"]):
        return stem + (plural_sound(stem) if sound == ["PLURAL"] else _past_sound(stem))
    if ending[0] in "eiy" and stem[-1] == "K" and word[: -len(ending)].endswith("c"):
        stem = [*stem[:-1], "S"]  # "ethic-ist"
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


def _turned(stem: list[str], old: list[str], new: list[str]) -> list[str] | None:
    """A stem whose last phones are others: "itemization" of "itemize"."""
    head = stem[: len(stem) - len(old)]
    if stem[len(head) :] != old:
        return None
    return ([phone.replace("1", "2") for phone in head] if any("1" in phone for phone in new) else head) + new


def _ways(
    word: str, lookup: Lookup, turns: bool
) -> Iterator[tuple[list[str], Callable[[list[str]], list[str] | None]]]:
    """Spellings of a part of a word, one of which may be known, and the phones of the word by those of that part."""
    for ending, sound in parts()["inflection"].items():
        if word.endswith(ending):
            yield _stems(word, ending), partial(_with_ending, sound=sound, word=word, ending=ending)
    for ending, (other, old, new) in parts()["turn"].items():
        if turns and word.endswith(ending) and word != ending:
            yield [word.removesuffix(ending) + other], partial(_turned, old=old.split(), new=new.split())
    for ending, sound in parts()["ending"].items():
        if word.endswith(ending):
            yield _stems(word, ending), partial(_with_ending, sound=sound, word=word, ending=ending)
    for prefix, sound in parts()["prefix"].items():
        rest = word.removeprefix(prefix)
        if 3 < len(rest) < len(word) and not (prefix[-1] == "o" and rest.startswith(_STRESSING)):
            yield [rest], sound.__add__
    # The longest second part first: "housekeeper", not "housekeep" + "er".
    for cut in range(3, len(word) - 2):
        if word[cut:] in parts()["second"] and (second := lookup(word[cut:])):
            yield [word[:cut]], partial(_joined, second=[phone.replace("1", "2") for phone in second])
    for ending, sound in parts()["place"].items():
        if word.endswith(ending) and len(stem := word.removesuffix(ending)) >= 3:
            yield [stem, stem + "e"], partial(_joined, second=sound)


def from_parts(word: str, lookup: Lookup, steps: int = 2) -> list[str] | None:
    """Phones of an unknown lower-case word from those of known ones, or None.

    `lookup` gives the phones of a known word. "kennedy's", "phonemises", "unhappiest", "schoolmasters", "colour".
    """
    if "'" in word:
        stem, _, ending = word.rpartition("'")
        phones = (lookup(stem) or from_parts(stem, lookup)) if stem else None
        return with_clitic(phones, ending) if phones else None
    if len(word) > _LONGEST:
        return None
    for spellings, made in _ways(word, lookup, turns=steps > 1):
        known = next((phones for spelling in spellings if (phones := lookup(spelling))), None)
        if known and (phones := made(known)):
            return phones
    return from_parts(word, lambda part: lookup(part) or from_parts(part, lookup, 1), 1) if steps > 1 else None
