"""Roman numerals: ordinals after names of rulers, cardinals after "Chapter" and its like."""

from __future__ import annotations

import re

from processors.text.number_words import cardinal, ordinal, roman_value
from processors.text.written.cues import follows, said_before, words
from processors.text.written.scan import Scan

# Words behind which a numeral counts -> whether a single letter behind them is a letter.
_COUNTED = {word.rstrip("*"): word.endswith("*") for word in words("counted.txt")}
# ... and behind which a single small letter counts, too: "Act i".
_SMALL_COUNTED = frozenset("chapter part scene book section volume act canto".split())
# A letter behind these and a name is the initial of a surname, or "I" the pronoun: kings are no misters.
_PRIVATE = re.compile(
    r"\b(?:Mister|Missus|Miz|Miss|Doctor|Professor|Uncle|Aunt|(?:^|(?<=[.!?] ))[Cc]ousin|(?:[Mm]y|[Oo]ur) "
    r"(?:[a-z]{1,12} )?(?:cousin|uncle|aunt|nephew|niece|friend|colleague|neighbou?r|boss)) \w+$"
)
_OF_REALM = re.compile(r" of (?:the )?[A-Z]")
_WORD_NEXT = re.compile(r" [A-Za-z]")
_JOINED = re.compile(r"(?: to|,|,? and|,? or|-)$")
_MORE = re.compile(r"(?:,? (?:and|or|to) |, | ?[-–] ?)[IVX]+\b")
# "John Smith III" is the third; "Grade II" counts.
_FULL_NAME = re.compile(r"\b[A-Z][a-z'.-]+ (?!(?:The|And|Of|In|A)\b)[A-Z][a-z'-]+$")


def numeral(match: re.Match[str], scan: Scan) -> str | None:
    """ "Henry VIII", "Chapter IV", "World Wars I and II"; None for initials and the pronoun."""
    numeral, end, text, name = match[1], match.end(), scan.text, scan.last.lower()
    count = str(roman_value(numeral) or "")
    if not count:
        return None
    single, pronoun = len(numeral) == 1, numeral == "I" and not match["stop"]
    if name in _COUNTED:
        letter = single and (numeral not in "IVX" or _COUNTED[name] and not _is_kind(name, numeral, scan))
        if (
            letter
            and not (numeral in "IVX" and _MORE.match(text, end))
            or pronoun
            and _is_pronoun(scan.last, scan, end)
        ):
            return None
        return cardinal(count)
    if any(reading.kind == "roman" for reading in scan.found[-3:]) and _JOINED.search(scan.said):
        return None if pronoun else cardinal(count)
    if numeral == "IV" and (name == "an" or follows("drip", text, end)):
        return "I V"
    if single and numeral not in "IVX" or not set(numeral) <= set("IVX") and name not in words("rulers.txt"):
        return None
    if scan.last[:1].isupper() and name in words("rulers.txt"):
        if single and _PRIVATE.search(scan.said) and not _OF_REALM.match(text, end):
            return numeral
        speaks = pronoun and _WORD_NEXT.match(text, end) and not follows("ruling", text, end)
        return None if speaks else f"the {ordinal(count)}"
    if single:
        return None
    if name == "the" or follows("century", text, end):
        return ordinal(count)
    named = int(count) < 5 and _FULL_NAME.search(scan.said)
    return f"the {ordinal(count)}" if named else cardinal(count)


def _is_kind(name: str, numeral: str, scan: Scan) -> bool:
    """ "Type I", where other letters are letters."""
    return numeral == "I" and name in ("type", "class", "grade") and scan.last[0].isupper()


def _is_pronoun(word: str, scan: Scan, end: int) -> bool:
    """Whether the "I" after the counted `word` is who speaks."""
    text = scan.text
    if follows("I do", text, end) and word.lower() != "war":
        return True
    if word[0].isupper():
        return False
    return follows("I may do", text, end) or said_before("pointed at", scan.said) and follows("I will do", text, end)


def small_numeral(match: re.Match[str], scan: Scan) -> str | None:
    """ "part iii", "Act I, Scene ii", "item (iii)"."""
    numeral, name = match[1].upper(), scan.last.lower()
    count = roman_value(numeral)
    if not count:
        return None
    large = len(numeral) > 1 or numeral != "X" and scan.last[:1].isupper() and name in _SMALL_COUNTED
    item = (
        scan.text[match.start() - 1] == "(" and scan.text[match.end() : match.end() + 1] == ")" and numeral not in "VX"
    )
    return cardinal(str(count)) if name in _COUNTED and large or item else None
