"""Abbreviations by the table, initials, dotted initialisms, and what slashes and ampersands join."""

from __future__ import annotations

import re

from processors.text.written.cues import rows, words
from processors.text.written.places import STREETS
from processors.text.written.scan import Scan, Written

# Written in small letters -> spoken, kinds.
_TABLE = {written: (spoken, frozenset(kinds.split())) for written, spoken, kinds in rows("abbreviations.tsv")}
# Those that need no full stop.
FREE = frozenset(written for written, (_, kinds) in _TABLE.items() if "free" in kinds)
# Streets whose abbreviation is no other word.
_SURE_STREETS = frozenset(("blvd", "hwy", "expy", "pkwy", "fwy", "ave", "rd", "ln"))
_STARTERS = "|".join(sorted(words("starters.txt")))
_STARTER = re.compile(rf"\s*[\"'(]*(?:{_STARTERS})\b(?!(?<=\bA)\.)")
# Capitals before "St." that are no name of a street.
_NO_STREETS = frozenset("The In At On Near By From To Of For And Saint His Her When Then But With This Old New".split())
_ABBREVIATION = re.compile(r"(?<![\w'.])([A-Za-z]{1,9}(?:'y)?)(?![\w'-])(\.?)(?=(\s*)(\S?))")
_NUMERAL_NEXT = re.compile(r"\s*[A-Z]?[\dIVXLC]+\b")
_EDITOR = re.compile(r" ?(?:Code|Studio)\b")
_SLASH_NEXT = re.compile(r"/| slash\b")


def closing_stop(text: str, end: int) -> str:
    """ "." if the stop of an abbreviation, which ends at `end`, also closes a sentence."""
    if not text[end : end + 16].strip("\"') "):
        return "."
    return "." if text[end].isspace() and _STARTER.match(text, end) else ""


def _abbreviation(match: re.Match[str], scan: Scan) -> str | None:
    word, stop, gap, following = match.groups()
    text, end, key = scan.text, match.end(), word.lower()
    if (
        word[0].isupper()
        and key in STREETS
        and (stop or key in _SURE_STREETS)
        and _is_street(key, following, end, scan)
    ):
        return STREETS[key] + (closing_stop(text, end) if stop else "")
    spoken, kinds = _TABLE.get(key, ("", frozenset()))
    free = "free" in kinds
    if word[0].isupper():
        spoken = spoken[:1].upper() + spoken[1:] if key != "vs" else spoken
    if "number" in kinds:
        numbered = following.isdigit() or stop and _NUMERAL_NEXT.match(text, end)
        return spoken if numbered and (stop or free) or stop and free else None
    if "title" in kinds:
        named = gap and following.isupper() and word[1:].islower()
        return (
            spoken if not following.isdigit() and (stop and word[0].isupper() or free and not stop and named) else None
        )
    if not spoken or not stop and not free or word == "VS" and _EDITOR.match(text, end):
        return None
    if key == "etc" and not stop and (text[: match.start()][-1:] in ("/", ".", "\\") or _SLASH_NEXT.match(text, end)):
        return None
    return spoken + (closing_stop(text, end) if stop else "")


def _is_street(key: str, following: str, end: int, scan: Scan) -> bool:
    """Whether "St." and the like follow the name of a street, and no name follows them."""
    named = scan.last[:1].isupper() and scan.last.isalpha() and scan.last not in _NO_STREETS
    saint = key in ("st", "dr") and following.isupper() and not _STARTER.match(scan.text, end)
    return named and not saint or key in _SURE_STREETS


_PHRASES = {
    "i.e.": "that is", "i.e": "that is", "e.g.": "for example", "e.g": "for example", "etal.": "et al",
    "a.k.a.": "A K A", "ph.d.": "P H D", "ph.d": "P H D", "b.sc.": "B S C", "m.sc.": "M S C", "&c.": "et cetera",
    "w/o": "without", "c/o": "care of", "n/a": "not applicable", "w/": "with", "and/or": "and or",
}  # fmt: skip
_PHRASE = re.compile(
    r"(?<![\w.])(?:i\. ?e\.|e\. ?g\.|i\.e\b|e\.g\b|et al\.|a\.k\.a\.|ph\. ?d\b\.?(?!s)|[bm]\. ?sc\.|&c\."
    r"|w/o\b|c/o\b|n/a\b|w/(?=\s)|and/or\b)(?!\w)",
    re.I,
)
_CIRCA = re.compile(r"(?<![\w.])([cbd])\. ?(?=(?:1\d|20)\d\d\b)")
_BEFORE_YEARS = {"c": "circa", "b": "born", "d": "died"}
_DOTTED_PLURAL = re.compile(r"(?<![\w.'])((?:[A-Z]\.){2,8}|Ph\.D\.)s\b")
# U.S., a.m., B.C., J. F. K.: two or more letters with stops.
_DOTTED = re.compile(r"(?<![\w.'])((?:[A-Za-z]\.){1,10}[A-Za-z]|(?:[A-Z]\. ){1,4}[A-Z])\.('s)?(?!\w)")
_INITIAL = re.compile(r"(?<![\w.'])(?<![A-Z] )([A-Z])\.(?=\s+[A-Z\"']|,|;|-[A-Z])")
_VERSUS = re.compile(r"(?<!\w)v\.?(?= [A-Z])")
_ARTICLE_NEXT = re.compile(r" (?:The|An?|In|At|On|Of|It)\b")
_JOINED = re.compile(r"(?<![\w&])([A-Z]{1,3})&([A-Z]{1,3})(?![\w&])")
# A lone letter with a plural, but no word: "three Ds".
_PLURAL_LETTER = re.compile(r"(?<![\w.'])([B-HJ-LNP-TV-Z])s\b(?!\.? ?\d|[.']\w)")
_SHARP = re.compile(r"\b([A-G])#(?![\w#])")
_EITHER = re.compile(r"\b(he|she|his|her|him)/(she|he|her|his|him|hers)\b", re.I)


def _spelt(text: str) -> str:
    return " ".join(re.sub(r"[. ]", "", text).upper())


def _phrase(match: re.Match[str], scan: Scan) -> str | None:
    said = _PHRASES[match[0].replace(" ", "").lower()]
    return said + (closing_stop(scan.text, match.end()) if said == "P H D" and match[0].endswith(".") else "")


def _circa(match: re.Match[str], scan: Scan) -> str | None:
    return _BEFORE_YEARS[match[1]] if match[1] == "c" or scan.said.endswith((",", ";", "-")) else None


def _dotted(match: re.Match[str], scan: Scan) -> str | None:
    return f"{_spelt(match[1])}{match[2] or closing_stop(scan.text, match.end())}"


def _initial(match: re.Match[str], scan: Scan) -> str | None:
    """ "plan B. The" ends a sentence, "John F. The" hardly does; numerals are others' matter."""
    numeral = match[1] in "IVX"
    if numeral and scan.last.lower() in words("rulers.txt"):
        return None
    starts = scan.text[match.end()].isspace() and _STARTER.match(scan.text, match.end())
    counted = numeral and scan.last.lower() in words("counted.txt")
    return None if starts and (counted or not scan.last[:1].isupper()) else match[1]


def _versus(match: re.Match[str], scan: Scan) -> str | None:
    """ "Roe v. Wade", but "Chapter v. The"."""
    numeral = scan.last.lower() in words("counted.txt") and _ARTICLE_NEXT.match(scan.text, match.end())
    return "versus" if scan.last[:1].isupper() and not numeral else None


CLASSES = [
    Written("letters", _DOTTED_PLURAL, lambda match, scan: f"{_spelt(match[1])}'s"),
    Written("abbreviation", _PHRASE, _phrase),
    Written("abbreviation", _CIRCA, _circa),
    Written("letters", _DOTTED, _dotted),
    Written("letters", _INITIAL, _initial),
    Written("abbreviation", _VERSUS, _versus),
    Written("abbreviation", _ABBREVIATION, _abbreviation),
    Written("letters", _JOINED, lambda match, scan: f"{' '.join(match[1])} and {' '.join(match[2])}"),
    Written("letters", _PLURAL_LETTER, lambda match, scan: f"{match[1]}'s" if scan.said else None),
    Written("letters", _SHARP, lambda match, scan: f"{match[1]} sharp"),
    Written("either", _EITHER, lambda match, scan: f"{match[1]} or {match[2]}"),
]
