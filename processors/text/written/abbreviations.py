"""Abbreviations by the table, initials, dotted initialisms, and what slashes and ampersands join."""

from __future__ import annotations

import re
from functools import lru_cache

from processors.text.written.places import _STREETS as STREETS
from processors.text.written.scan import Scan, Written
from processors.text.written.tables import rows, words

# After a dotted abbreviation a capital starts a sentence only in words that rarely follow one otherwise.
_STARTER = re.compile(
    r"\s*[\"'(]*(?:The|A(?!\.)|An|He|She|It|They|We|You|I|This|That|These|Those|There|His|Her|Its|Their|Our|My|In|On|At|But|And|Or|"
    r"So|If|When|While|As|After|Before|For|From|To|With|By|Then|Now|Yes|Not|What|Who|Where|Why|How|Here|Since|Although|"
    r"However|Some|Such|No|All)\b"
)
# Capitals before "St." that are no name of a street.
_FUNCTION_WORDS = frozenset(
    "The In At On Near By From To Of For And Saint His Her When Then But With This Old New".split()
)


@lru_cache(maxsize=1)
def _table() -> dict[str, tuple[str, frozenset[str]]]:
    return {row[0]: (row[1], frozenset(row[2].split())) for row in rows("abbreviations.tsv")}


def free() -> frozenset[str]:
    """Abbreviations, in small letters, that need no full stop."""
    return frozenset(written for written, (_, kinds) in _table().items() if "free" in kinds)


def closing_stop(text: str, end: int) -> str:
    """ "." if the stop of an abbreviation, which ends at `end`, also closes a sentence."""
    rest = text[end : end + 16]
    if not rest.strip("\"') "):
        return "."
    return "." if rest[:1].isspace() and _STARTER.match(text, end) else ""


def _abbreviation(match: re.Match[str], scan: Scan) -> str | None:
    word, stop, gap, following = match.groups()
    text, end, lower = scan.text, match.end(), word.lower()
    named = scan.last[:1].isupper() and scan.last not in _FUNCTION_WORDS and scan.last.isalpha()
    if lower in STREETS and word[0].isupper() and (stop or lower in ("blvd", "hwy", "expy", "pkwy", "fwy")):
        if (
            named
            and not (lower in ("st", "dr") and following.isupper() and not _STARTER.match(text, end))
            or lower not in _table()
            and lower not in ("pl", "ct", "ter", "cir", "av", "sq", "ste")
        ):
            return STREETS[lower] + (closing_stop(text, end) if stop else "")
    if lower not in _table():
        return None
    spoken, kinds = _table()[lower]
    if (
        "number" in kinds
        and (following.isdigit() or stop and re.match(r"\s*[A-Z]?[\dIVXLC]+\b", text[end:][:8]))
        and (stop or "free" in kinds)
    ):
        return _as_written(word, spoken)
    if kinds == {"number"} or kinds == {"number", "free"} and not stop:
        return None
    if "title" in kinds:
        if following.isdigit():
            return None
        if stop and word[0].isupper():
            return _as_written(word, spoken)
        free_title = "free" in kinds and not stop and gap and following.isupper()
        return _as_written(word, spoken) if free_title and word[1:].islower() else None
    if not stop and "free" not in kinds:
        return None
    if lower == "vs" and word.isupper() and re.match(r" ?(?:Code|Studio)\b", text[end:]):
        return None
    if (
        not stop
        and lower == "etc"
        and (text[max(0, match.start() - 1) : match.start()] in ("/", ".", "\\") or re.match(r"/| slash\b", text[end:]))
    ):
        return None
    return _as_written(word, spoken) + (closing_stop(text, end) if stop else "")


def _as_written(word: str, spoken: str) -> str:
    return spoken[0].upper() + spoken[1:] if word[0].isupper() and spoken != "versus" else spoken


def _dotted(match: re.Match[str], scan: Scan) -> str | None:
    spelt = " ".join(re.sub(r"[. ]", "", match[1]).upper())
    if match[2]:
        return f"{spelt}'s"
    return spelt + closing_stop(scan.text, match.end())


def _initial(match: re.Match[str], scan: Scan) -> str | None:
    # "plan B. The" ends a sentence, "John F. The" hardly does; so does a numeral.
    follows_name = scan.last[:1].isupper()
    if match[1] in "IVX" and scan.last.lower() in words("rulers.txt"):
        return None
    if _STARTER.match(scan.text, match.end()) and scan.text[match.end() : match.end() + 1].isspace():
        counted = match[1] in "IVX" and scan.last.lower() in words("counted.txt")
        if counted or not follows_name:
            return None
    return match[1]


def _phrase(match: re.Match[str], scan: Scan) -> str | None:
    said = _PHRASES[match[0].replace(" ", "").lower()]
    return said + (closing_stop(scan.text, match.end()) if said == "P H D" and match[0].endswith(".") else "")


_PHRASES = {
    "i.e.": "that is", "e.g.": "for example", "etal.": "et al", "a.k.a.": "A K A", "ph.d.": "P H D", "ph.d": "P H D",
    "b.sc.": "B S C", "m.sc.": "M S C", "&c.": "et cetera", "w/o": "without", "c/o": "care of", "n/a": "not applicable",
    "w/": "with", "i.e": "that is", "e.g": "for example", "and/or": "and or",
}  # fmt: skip


def _circa(match: re.Match[str], scan: Scan) -> str | None:
    kind = match[1].lower()
    if kind != "c" and not scan.said.endswith((",", ";", "-")):
        return None
    return {"c": "circa", "b": "born", "d": "died"}[kind]


def _either(match: re.Match[str], scan: Scan) -> str | None:
    return f"{match[1]} or {match[2]}"


CLASSES = [
    Written("letters", re.compile(r"(?<![\w.'])((?:[A-Z]\.){2,8}|Ph\.D\.)s\b"), lambda m, s: f"{' '.join(m[1].upper().replace('.', ''))}'s"),
    Written("abbreviation", re.compile(
        r"(?<![\w.])(?:i\. ?e\.|e\. ?g\.|i\.e\b|e\.g\b|et al\.|a\.k\.a\.|ph\. ?d\b\.?(?!s)|[bm]\. ?sc\b\.?|&c\.|w/o\b|c/o\b|n/a\b|w/(?=\s)|and/or\b)(?!\w)", re.I), _phrase),
    Written("abbreviation", re.compile(r"(?<![\w.])([cbd])\. ?(?=(?:1\d|20)\d\d\b)"), _circa),
    Written("letters", re.compile(r"(?<![\w.'])((?:[A-Za-z]\.){1,10}[A-Za-z]|(?:[A-Z]\. ){1,4}[A-Z])\.('s)?(?!\w)"), _dotted),
    Written("letters", re.compile(r"(?<![\w.'])(?<![A-Z] )([A-Z])\.(?=\s+[A-Z\"']|,|;|-[A-Z])"), _initial),
    Written("versus", re.compile(r"v\.?(?= [A-Z])"), lambda m, s: _against(m, s)),
    Written("abbreviation", re.compile(r"(?<![\w'.])([A-Za-z]{1,9}(?:'y)?)(?![\w'-])(\.?)(?=(\s*)(\S?))"), _abbreviation),
    Written("letters", re.compile(r"(?<![\w&])([A-Z]{1,3})&([A-Z]{1,3})(?![\w&])"), lambda m, s: f"{' '.join(m[1])} and {' '.join(m[2])}"),
    Written("letters", re.compile(r"(?<![\w.'])([B-HJ-LNP-TV-Z])s\b(?!\.? ?\d|[.']\w)"), lambda m, s: f"{m[1]}'s" if s.said else None),
    Written("letters", re.compile(r"\b([A-G])#(?![\w#])"), lambda m, s: f"{m[1]} sharp"),
    Written("either", re.compile(r"\b(he|she|his|her|him)/(she|he|her|his|him|hers)\b", re.I), _either),
]  # fmt: skip


def _against(match: re.Match[str], scan: Scan) -> str | None:
    """ "Roe v. Wade", but "Chapter v. The"."""
    counted = scan.last.lower() in words("counted.txt")
    named = bool(re.match(r"[A-Z]", scan.last))
    if not named or counted and re.match(r" (?:The|An?|In|At|On|Of|It)\b", scan.text[match.end() :][:5]):
        return None
    return "versus"
