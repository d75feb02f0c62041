"""The rules of a language: tables of what things look like and what is said for them (data/written/*_rules.tsv)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from processors.text.tables import DATA
from processors.text.written.cues import column, rows, spoken
from processors.text.written.scan import Scan, Written, conditions

Functions = Mapping[str, Callable[..., Any]]
Around = Mapping[str, Callable[[str, str], str]]
_PIECE = re.compile(r"\{([A-Z_]+)\}|\{([a-z]+)(?: ([a-z]+))?\}")
# "{ordinal_of roman 1}": functions, the last of which takes the group; "{counted 1 hour}": and a word.
_SLOT = re.compile(r"\{((?:[a-z_]+ )*)(\d[^{}]*)\}")


@lru_cache(maxsize=1 << 10)
def beginning(char: str) -> str:
    """What rules call a character: capitals "A", small letters "a", digits "1", currencies "¤", others themselves."""
    if char.isalpha():
        return "A" if char.isupper() else "a"
    return "1" if char.isdigit() else "¤" if unicodedata.category(char) == "Sc" else char


def rules_of(name: str) -> list[tuple[str, ...]]:
    """Pattern with its pieces put in, characters that it begins with, kind, what is said, conditions."""
    pieces: dict[str, str] = {}

    def piece(match: re.Match[str]) -> str:
        if match[1]:
            return pieces[match[1]]
        return f"(?:{'|'.join(map(re.escape, sorted(column(match[2], match[3]), key=len, reverse=True)))})"

    found: list[tuple[str, ...]] = []
    for *fields, pattern in rows(name):
        try:
            pattern = _PIECE.sub(piece, pattern)
            re.compile(pattern)
        except (KeyError, re.error) as error:
            raise ValueError(f"{name}: {error} in {pattern!r}") from None
        if len(fields) == 1:
            pieces[fields[0]] = pattern
        elif len(fields) != 4:
            raise ValueError(f"{name}: a rule has five fields between tabs, a piece two: {pattern!r}")
        else:
            found.append((pattern, *fields))
    return found


ENGLISH_RULES, GERMAN_RULES, OTHER_RULES = (rules_of(f"{name}_rules.tsv") for name in ("english", "german", "other"))


class Language:
    """The rules of a language."""

    def __init__(
        self, rules: list[tuple[str, ...]], functions: Functions, watched: frozenset[str], around: Around | None = None,
        any_script: bool = False,
    ) -> None:  # fmt: skip
        """`watched`: words of small letters that are more than words; `any_script`: all scripts are read on.

        `around`: groups that are said by themselves, in this order: what becomes of the words, by the group's text.
        """
        self.watched, self.any_script = watched, any_script
        self.classes: list[Written] = []
        for pattern, begins, kind, said, when in rules:
            compiled = re.compile(pattern)
            speak = _speaker(said, when, compiled, functions, around or {})
            self.classes.append(Written(begins, kind, compiled, speak))
        self._at: dict[str, list[Written]] = {}

    def classes_at(self, char: str) -> list[Written]:
        """The classes that may begin with a character, in their order."""
        if (found := self._at.get(char)) is None:
            begins = beginning(char)
            found = self._at[char] = [one for one in self.classes if begins in one.begins or one.begins == "any"]
        return found


def _speaker(
    said: str, when: str, pattern: re.Pattern[str], functions: Functions, around: Around
) -> Callable[..., str | None]:
    """What a rule says for a match: None if its conditions do not hold, or its functions know nothing to say."""
    needed = conditions(when)
    said_for = functions[said[1:]] if said[:1] == "=" else template(said, functions)
    named = [name for name in (*around, "stop", "end") if name in pattern.groupindex]
    if not named and not needed:
        return said_for

    def speak(match: re.Match[str], scan: Scan) -> str | None:
        if not all(condition.holds(scan, match.end()) for condition in needed) or not (text := said_for(match, scan)):
            return None
        given = {name: match[name] for name in named if match[name]}
        for name, say in around.items():
            text = say(text, given[name]) if name in given else text
        closes = "stop" in given and scan.closes(match.end()) or "end" in given and scan.ends(match.end())
        return text + "." if closes else text

    return speak


def template(said: str, functions: Functions) -> Callable[[re.Match[str], Scan], str | None]:
    """ "{cardinal 1} o'clock" as a function."""
    literals, slots = _SLOT.split(said)[::3], []
    for names, arguments in _SLOT.findall(said):
        makers = [_maker(name, functions) for name in names.split()]
        slots.append((makers[::-1] or [str], [int(one) if one.isdigit() else one for one in arguments.split()]))

    def said_for(match: re.Match[str], scan: Scan) -> str | None:
        text = literals[0]
        for ((make, *others), arguments), literal in zip(slots, literals[1:]):
            made = make(*(match[one] or "" if isinstance(one, int) else one for one in arguments))
            for other in others:
                made = made and other(made)
            if made is None:
                return None
            text += made + literal
        return " ".join(text.split())

    return said_for


def _maker(name: str, functions: Functions) -> Callable[..., Any]:
    """The function of a name, or the look-up of a text in that table: as it is, or in small letters without blanks."""
    if (is_table := (DATA / "written" / f"{name}.tsv").exists()) == (name in functions):
        raise ValueError(f"{name} is {'both a table and a function' if is_table else 'neither a table nor a function'}")
    if not is_table:
        return functions[name]
    table = spoken(f"{name}.tsv")
    return lambda text: table.get(text) or table.get(text.lower().replace(" ", "").rstrip("."), "")
