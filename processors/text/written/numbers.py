"""Numbers in running text: cardinals as their place asks, products, ranges, comparisons, days and years."""

from __future__ import annotations

import re

from processors.text import number_words as say
from processors.text.written.cues import follows, rows, spoken
from processors.text.written.grammar import template
from processors.text.written.scan import Scan, conditions

# Pattern first, and a name in _RULES: tests/faults tries the patterns of such tables.
_INTEGER_RULES = [(pattern, when, said) for said, when, pattern in rows("integers.tsv")]
_INTEGERS = [
    (re.compile(pattern), conditions(when), template(said, vars(say))) for pattern, when, said in _INTEGER_RULES
]


def integer(text: str, scan: Scan, end: int) -> str:
    """Words of a whole number (commas allowed) that ends at `end`, as its place asks: a quantity, a year, a name.

    "1963" in "of 1963" -> "nineteen sixty-three"; in "1963 men" -> "one thousand nine hundred sixty-three".
    """
    for pattern, needed, said in _INTEGERS:
        match = pattern.fullmatch(text)
        if match and all(condition.holds(scan, end) for condition in needed):
            return said(match, scan) or text
    return text


def value(text: str, scan: Scan, end: int) -> str:
    """Words of a number with or without decimals that ends at `end`."""
    return say.decimal(text) if "." in text else integer(text, scan, end)


def number(match: re.Match[str], scan: Scan) -> str | None:
    """Any number, also of thousands or millions: "5 million", "1.5M", ".38 caliber"."""
    text, scale, end = match["number"], match["scale"], match.end("number")
    if scale and len(scale) < 3:
        if "." not in text and (scale == "B" or not follows("many", scan.text, match.end())):
            return None
        scale = " " + spoken("scales.tsv")[scale.lower()]
    if re.fullmatch(r"\.\d{2,3}", text) and follows("caliber", scan.text, end):
        return say.pairs(text[1:])
    return say.decimal(text) + scale if scale else value(text, scan, end)


def nth(text: str, suffix: str) -> str | None:
    """ "22", "nd" -> "twenty-second"; None for "2th", which is a code."""
    said = say.ordinal(text)
    return None if len(text) < 3 and suffix.lower() != "d" and not said.endswith(suffix.lower()) else said


def over(one: str, other: str) -> str | None:
    """ "120", "80" -> "one hundred twenty over"."""
    return f"{say.cardinal(one)} over" if int(one) > int(other) > 20 else None


def product(match: re.Match[str], scan: Scan) -> str | None:
    """ "3 x 4", "5 * 6", "6.02 x 10^23"."""
    sides = re.split(r" *[x*] *", match[0])
    said = []
    for side in sides:
        base, _, exponent = side.partition("^")
        said.append(f"{say.cardinal(base)} {say.power(exponent)}" if exponent else value(base, scan, match.end()))
    return (" times " if "*" in match[0] or sides[-1].startswith("10^") else " by ").join(said)


# Names of months and days in small letters that are no other word.
NAMES = frozenset(written for written, _, kind in rows("calendar.tsv") if "free" in kind)
# Groups of a pattern that are said by themselves.
AROUND = {
    "sign": lambda said, sign: f"{spoken('shorthand.tsv')[sign.strip()]} {said}",
    "half": lambda said, half: f"{said} {half.upper()} M",
    "to": lambda said, _: f"{said} to",
}
_UNIT_NEXT = re.compile(r" ?[a-zA-Z%°]{1,3}\b(?! (?:in|on|at|of)\b)")


def lower(match: re.Match[str], scan: Scan) -> str | None:
    """The lower end of a range: what the upper one is, its own class says."""
    first, end = match[1], match.end(3)
    if first[0] == "0" and len(first) > 1 and "." not in first:
        return None
    measured = " " not in match[0] and _UNIT_NEXT.match(scan.text, end)
    return say.quantity(first) if measured else value(first, scan, end)


_BRACKETED = re.compile(r"<[A-Za-z][\w .@:/+-]{0,60}>")
_OPEN_BRACKET = re.compile(r"<[A-Za-z][\w .@:/+-]{0,60}$")


def comparison(match: re.Match[str], scan: Scan) -> str | None:
    """ "a < b" is a statement, "<5%" and "be >= 18" are not; "<Enter>" is a word in brackets."""
    text, start = scan.text, match.start()
    if _BRACKETED.match(text, start) or _OPEN_BRACKET.search(text, max(0, start - 62), start):
        return None
    kind = scan.found[-1].kind if scan.found else "mark"
    states = kind != "mark" and (kind not in ("word", "abbreviation") or len(scan.last) == 1)
    compared = spoken("signs.tsv")[match[0]]
    return f"is {compared}" if states else compared.replace("greater", "more")


def years(first: str, second: str) -> str | None:
    """ "1914", "18" -> "nineteen fourteen to eighteen"; None if the second is no later one."""
    if len(second) == 2 and int(second) <= int(first[2:]) and first[2:] != "99":
        return None
    return f"{say.year(first)} to {say.any_year(second)}"


def joint(text: str) -> str:
    """What stands between two days."""
    return text.strip() if text.strip() in ("to", "and", "or") else "through" if "thr" in text else "to"


def days(first: str, between: str, day: str) -> str:
    """ "5", "-", "7" -> "fifth to seventh"; "9 to 5 May" is no range."""
    if not first:
        return say.ordinal(day)
    return f"{say.ordinal(first) if int(first) < int(day) else first} {joint(between)} {say.ordinal(day)}"


def days_to(first: str, last: str) -> str | None:
    """ "5", "7" -> "fifth to seventh"; None for a score."""
    if last and int(first) >= int(last):
        return None
    return f"{say.ordinal(first)} to {say.ordinal(last)}" if last else say.ordinal(first)
