"""Pronunciations of unknown words from known parts: endings, prefixes, compounds, British spellings."""

from __future__ import annotations

from collections.abc import Callable

from processors.text.arpabet import is_vowel
from processors.text.compound_parts import PLACE_ENDINGS, SECOND_PARTS

Lookup = Callable[[str], "list[str] | None"]

_SIBILANTS = frozenset(["S", "Z", "SH", "ZH", "CH", "JH"])
_VOICELESS = frozenset(["P", "T", "K", "F", "TH", "S", "SH", "CH"])
# Endings that add phones and leave the stem's as they are.
_ENDINGS = (
    ("ly", "L IY0"), ("ness", "N AH0 S"), ("nesses", "N AH0 S IH0 Z"), ("less", "L AH0 S"),
    ("lessly", "L AH0 S L IY0"), ("lessness", "L AH0 S N AH0 S"), ("ful", "F AH0 L"), ("fully", "F AH0 L IY0"),
    ("ment", "M AH0 N T"), ("ments", "M AH0 N T S"), ("ship", "SH IH2 P"), ("ships", "SH IH2 P S"),
    ("hood", "HH UH2 D"), ("like", "L AY2 K"), ("wise", "W AY2 Z"), ("ward", "W ER0 D"), ("wards", "W ER0 D Z"),
    ("er", "ER0"), ("ers", "ER0 Z"), ("est", "AH0 S T"), ("ish", "IH0 SH"), ("able", "AH0 B AH0 L"),
    ("ably", "AH0 B L IY0"), ("ism", "IH2 Z AH0 M"), ("isms", "IH2 Z AH0 M Z"), ("ist", "IH0 S T"),
    ("ists", "IH0 S T S"), ("dom", "D AH0 M"), ("some", "S AH0 M"), ("man", "M AH0 N"), ("men", "M AH0 N"),
    ("ings", "IH0 NG Z"), ("ingly", "IH0 NG L IY0"), ("edly", "IH0 D L IY0"), ("y", "IY0"), ("eth", "IH0 TH"),
    ("most", "M OW2 S T"), ("teen", "T IY1 N"), ("fold", "F OW2 L D"), ("proof", "P R UW2 F"),
)  # fmt: skip
_PREFIXES = (
    ("un", "AH0 N"), ("re", "R IY0"), ("non", "N AA0 N"), ("over", "OW2 V ER0"), ("under", "AH2 N D ER0"),
    ("out", "AW2 T"), ("mis", "M IH0 S"), ("dis", "D IH0 S"), ("pre", "P R IY0"), ("anti", "AE2 N T IY0"),
    ("inter", "IH2 N T ER0"), ("super", "S UW2 P ER0"), ("sub", "S AH0 B"), ("semi", "S EH2 M IY0"),
    ("multi", "M AH2 L T IY0"), ("micro", "M AY2 K R OW0"), ("fore", "F AO2 R"), ("counter", "K AW2 N T ER0"),
    ("cyber", "S AY2 B ER0"), ("bio", "B AY2 OW0"), ("auto", "AO2 T OW0"), ("ultra", "AH2 L T R AH0"),
    ("mega", "M EH2 G AH0"), ("co", "K OW0"), ("de", "D IY0"), ("im", "IH0 M"), ("in", "IH0 N"),
)  # fmt: skip
_BRITISH = (
    ("our", "or"), ("ours", "ors"), ("oured", "ored"), ("ouring", "oring"), ("ourable", "orable"),
    ("ourite", "orite"), ("ourless", "orless"), ("ise", "ize"), ("ised", "ized"), ("ises", "izes"),
    ("ising", "izing"), ("isation", "ization"), ("isations", "izations"), ("iser", "izer"), ("isers", "izers"),
    ("yse", "yze"), ("ysed", "yzed"), ("ysing", "yzing"), ("tre", "ter"), ("tres", "ters"), ("bre", "ber"),
    ("bres", "bers"), ("lled", "led"), ("lling", "ling"), ("ller", "ler"), ("llers", "lers"), ("ence", "ense"),
    ("ences", "enses"), ("ogue", "og"), ("ogues", "ogs"), ("mme", "m"), ("mmes", "ms"), ("ilful", "illful"),
    ("ilfully", "illfully"), ("ilment", "illment"), ("ilments", "illments"), ("elled", "eled"), ("elling", "eling"),
    ("plough", "plow"), ("ploughed", "plowed"), ("aeology", "eology"), ("aemia", "emia"),
)  # fmt: skip


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


_CLITICS = {"ll": ["AH0", "L"], "re": ["ER0"], "m": ["AH0", "M"], "t": ["T"]}


def with_clitic(stem: list[str], ending: str) -> list[str] | None:
    """Phones of a stem and what follows its apostrophe ("s", "ll", "ve" ...), None for an ending that is none."""
    if ending in ("s", ""):
        return stem + plural_sound(stem) if ending else stem
    if ending in ("d", "ve"):
        return stem + ([] if is_vowel(stem[-1]) else ["AH0"]) + [ending[0].upper()]
    sound = _CLITICS.get(ending)
    return stem + sound if sound else None


def _stems(word: str, ending: str) -> list[str]:
    """Spellings of the stem before an ending: plain, with a dropped e, with a doubled consonant, with y for i."""
    stem = word[: -len(ending)]
    if len(stem) < 3:
        return []
    stems = [stem]
    if ending[0] in "aeiouy":
        stems.append(stem + "e")
        if stem[-1] == stem[-2] and stem[-1] not in "aeiou":
            stems.append(stem[:-1])
    if stem[-1] == "i":
        stems.append(stem[:-1] + "y")
    return stems


def _first(candidates: list[str], lookup: Lookup) -> list[str] | None:
    for candidate in candidates:
        phones = lookup(candidate)
        if phones:
            return phones
    return None


def _weaken(phones: list[str]) -> list[str]:
    """Primary stress as secondary: the second half of a compound."""
    return [phone[:-1] + "2" if phone[-1] == "1" else phone for phone in phones]


def _join(stem: list[str], sound: str, spelt: str) -> list[str]:
    """Stem and ending; -ly says the L that both have once ("capital-ly")."""
    ending = sound.split()
    if ending == ["L", "IY0"]:
        if stem[-1] == "L":
            return stem + ending[1:]
        if spelt.endswith("ily") and stem[-1] == "IY0":
            # "happily": the vowel is a weaker one than in "happy".
            return [*stem[:-1], "AH0", *ending]
    return stem + ending


def _inflected(word: str, lookup: Lookup) -> list[str] | None:
    if word.endswith("s") and not word.endswith("ss"):
        stems = [word[:-1]]
        if word.endswith("ies"):
            stems.append(word[:-3] + "y")
        elif word.endswith("es"):
            stems.append(word[:-2])
        stem = _first([s for s in stems if len(s) > 2], lookup)
        if stem:
            return stem + plural_sound(stem)
    if word.endswith("ed"):
        stem = _first(_stems(word, "ed"), lookup)
        if stem:
            return stem + past_sound(stem)
    for ending, sound in (("ing", ["IH0", "NG"]), ("in'", ["AH0", "N"])):
        if word.endswith(ending):
            stem = _first(_stems(word, ending), lookup)
            if stem:
                return stem + sound
    return None


def _respelt(word: str, lookup: Lookup) -> list[str] | None:
    for british, american in _BRITISH:
        if word.endswith(british):
            phones = lookup(word[: -len(british)] + american)
            if phones:
                return phones
    return None


def _derived(word: str, lookup: Lookup) -> list[str] | None:
    for ending, sound in _ENDINGS:
        if word.endswith(ending):
            stem = _first(_stems(word, ending), lookup)
            if stem:
                return _join(stem, sound, word)
    for prefix, sound in _PREFIXES:
        if word.startswith(prefix) and len(word) > len(prefix) + 3:
            rest = word[len(prefix) :]
            stem = lookup(rest) or _inflected(rest, lookup)
            if stem:
                return sound.split() + stem
    return None


def _compound(word: str, lookup: Lookup) -> list[str] | None:
    # The longest second part first: "housekeeper", not "housekeep" + "er".
    for cut in range(3, len(word) - 2):
        second = word[cut:]
        if second in SECOND_PARTS:
            first, last = lookup(word[:cut]), lookup(second)
            if first and last:
                return first + _weaken(last)
    for ending, sound in PLACE_ENDINGS:
        if word.endswith(ending):
            first = _first([s for s in (word[: -len(ending)], word[: -len(ending)] + "e") if len(s) > 2], lookup)
            if first:
                return first + sound.split()
    return None


def from_parts(word: str, lookup: Lookup) -> list[str] | None:
    """Phones of an unknown lower-case word from those of known ones, or None.

    `lookup` gives the phones of a known word. "kennedy's", "phonemises", "unhappiest", "schoolmasters", "colour".
    """
    if "'" in word:
        stem, _, ending = word.rpartition("'")
        phones = (lookup(stem) or from_parts(stem, lookup)) if stem else None
        return with_clitic(phones, ending) if phones else None
    if len(word) > 30:
        return None

    def one_step(part: str) -> list[str] | None:
        return lookup(part) or _derived(part, lookup) or _compound(part, lookup)

    return (
        _inflected(word, lookup)
        or _respelt(word, lookup)
        or _derived(word, lookup)
        or _compound(word, lookup)
        or _inflected(word, one_step)
        or _derived(word, one_step)
    )
