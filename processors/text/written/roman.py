"""Roman numerals: ordinals after names of rulers, cardinals after "Chapter" and its like."""

from __future__ import annotations

import re
from functools import lru_cache

from processors.text.number_words import cardinal, ordinal, roman_value
from processors.text.written.scan import Scan, Written
from processors.text.written.tables import words

# Capitals at the start of a sentence that are no names.
_NOT_NAMES = frozenset("the a an in of and or to see".split())
# A letter behind these and a name is the initial of a surname, or "I" the pronoun: kings are no misters.
_PRIVATE = re.compile(
    r"\b(?:Mister|Missus|Miz|Miss|Doctor|Professor|Uncle|Aunt|(?:^|(?<=[.!?] ))[Cc]ousin|"
    r"(?:[Mm]y|[Oo]ur) (?:[a-z]{1,12} )?(?:cousin|uncle|aunt|nephew|niece|friend|colleague|neighbou?r|boss)) \w+$"
)
# "I" after a name is the pronoun unless one of these follows: "what George I saw", "James I was".
_AFTER_RULER = re.compile(
    r" (?:was|is|had|of|in|and|to|by|who|from|as|on|at|for|died|became|reigned|came|granted|did)\b"
)
# "I" after what is counted is the pronoun before these: "Type I like best", "every round I lose".
_PRONOUN_VERB = re.compile(r" (?:am|have|do|don't|like|love|prefer|want|think|hate|bought|liked|loved|wanted)\b")
# A title is written large, so that behind "part" and "book" more verbs speak for the pronoun: "the book I read".
_SMALL_VERB = re.compile(
    r" (?:know|need|wrote|read|made|met|lose|lost|win|believe|feel|felt|saw|see|can|can't|could|play|played|got|get|"
    r"hope|wish|brought|would|said)\b"
)
_POINTED_VERB = re.compile(r" (?:will|won't|had|was|did|didn't|shall|should|may|might|must|never|always|just)\b")
_POINTS = re.compile(r"\b(?:this|that|each|every|any|the|a|what|which|last|next|first|second|final|new) \w+$", re.I)
_JOINED = re.compile(r"(?: to|,|,? and|,? or|-)$")


@lru_cache(maxsize=1)
def _counted() -> dict[str, bool]:
    """Words behind which a numeral counts -> whether a single letter behind them is a letter."""
    return {word.rstrip("*"): word.endswith("*") for word in words("counted.txt")}


def _is_pronoun(word: str, scan: Scan, end: int) -> bool:
    """Whether the "I" after the counted `word` is who speaks."""
    text = scan.text
    if not re.match(r" ?[a-z]", text[end : end + 2]):
        return False
    if _PRONOUN_VERB.match(text, end) and word.lower() != "war":
        return True
    if word[0].isupper():
        return False
    return bool(_SMALL_VERB.match(text, end) or _POINTS.search(scan.said) and _POINTED_VERB.match(text, end))


def _numeral(match: re.Match[str], scan: Scan) -> str | None:
    written, stop = match[1], match[2]
    numeral, word, end, text = written.upper(), scan.last, match.end(), scan.text
    number = roman_value(numeral)
    if not number:
        return None
    name, small = word.lower(), written.islower()
    # The stop of "Charles I. in" belongs to the numeral, unless a sentence ends there.
    rest = text[end : end + 2]
    stop = stop if not rest.strip() or rest[0] not in ",;:" and rest.lstrip()[:1].isupper() else ""
    count = str(number)
    joined = _JOINED.search(scan.said) and len(scan.found) > 2 and any(r.kind == "roman" for r in scan.found[-3:])
    if joined and not (numeral == "I" and not stop):
        return cardinal(count) + stop
    if name in _counted():
        letter = len(numeral) == 1 and (numeral not in "IVX" or _counted()[name])
        first = numeral == "I" and name in ("type", "class", "grade") and word[0].isupper()
        several = re.match(r"(?:,? (?:and|or|to) |, | ?[-–] ?)[IVX]+\b", text[end : end + 12])
        if small and (
            len(numeral) == 1
            and (not word[0].isupper() or numeral == "X")
            or numeral == "I"
            and name not in ("chapter", "part", "scene", "book", "section", "volume", "act", "canto")
        ):
            return None
        if not letter or first or several:
            return None if numeral == "I" and not stop and _is_pronoun(word, scan, end) else cardinal(count) + stop
        return None
    if len(numeral) == 1 and numeral not in "IVX":
        return None
    if small:
        return (
            cardinal(count)
            if re.search(r"\($", text[: match.start()][-1:])
            and text[end : end + 1] == ")"
            and set(numeral) <= set("IVX")
            and numeral not in "VX"
            else None
        )
    if numeral == "IV" and (
        name == "an"
        or re.match(
            r" (?:drip|fluids?|line|bag|antibiotics?|therapy|needle|injections?|infusion)\b", text[end : end + 13]
        )
    ):
        return f"I V{stop}"
    if not set(numeral) <= set("IVX") and name not in words("rulers.txt"):
        return None
    capitals = word.isupper() and len(word) > 1
    if word[:1].isupper() and name in words("rulers.txt"):
        if (
            len(numeral) == 1
            and _PRIVATE.search(scan.said)
            and not re.match(r" of (?:the )?[A-Z]", text[end : end + 8])
        ):
            return numeral + stop
        pronoun = numeral == "I" and not stop and re.match(r" ?[A-Za-z]", rest) and not _AFTER_RULER.match(text, end)
        return None if pronoun else f"the {ordinal(count)}{stop}"
    if len(numeral) == 1:
        return None
    if name == "the" or re.match(r" (?:century|centuries|dynasty)\b", text[end : end + 11], re.I):
        return ordinal(count) + stop
    named = re.search(r"\b[A-Z][a-z'.-]+ [A-Z][a-z'-]+$", scan.said) and word[:1].isupper() and name not in _NOT_NAMES
    if named and not capitals and number < 5:
        return f"the {ordinal(count)}{stop}"
    return cardinal(count) + stop


def _war(match: re.Match[str], scan: Scan) -> str | None:
    return f"World War {'one' if match[1] in ('1', 'I') else 'two'}"


CLASSES = [
    Written("roman", re.compile(r"\bWW ?(II|I|[12])\b"), _war),
    Written("roman", re.compile(r"(?<![\w'.&-])(?<!- )([IVXLCDM]{1,15})\b(?!'(?!s\b)|&|-(?![a-z])|\.\w)(\.?)"), _numeral),
    Written("roman", re.compile(r"(?<![\w'.&-])([ivx]{1,6})\b(?!['&-]|\.\w)()"), _numeral),
]  # fmt: skip
