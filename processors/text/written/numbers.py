"""Numbers in running text: cardinals as their place asks, decades, products, ratios, ranges, comparisons."""

from __future__ import annotations

import re

from processors.text import number_words as say
from processors.text.written.cues import follows, said_before, spoken
from processors.text.written.scan import Scan

SHORT_SCALES = {
    "k": "thousand", "m": "million", "mn": "million", "mm": "million", "b": "billion", "bn": "billion",
    "t": "trillion", "tn": "trillion",
}  # fmt: skip
_ALWAYS_YEAR = re.compile(r"(?:^ ?|[.!?;:] )In$|\bQ \w+(?: of)?$")
_ADJECTIVE = re.compile(" [a-z]+")
_PLURAL = re.compile(
    r" (?!(?:was|is|has|his|its|this|as|does|goes|us|always|perhaps|thus|plus|across|less|unless|towards|besides|"
    r"whereas|afterwards|census|games|series|olympics|news|congress)\b)"
    r"(?:(?!and|or|to|the|of|in|it|he|she|we|they|there|when|which|that|who)[a-z]+ )?"
    r"(?!(?:was|is|has|his|its|this|as|does|goes|us|always)\b)[a-z]{2,}s\b(?!')"
)
_ERA = re.compile(r",? ?(?:B\.? ?C|A\.? ?D|BCE|CE)\b")
_AFTER_SHORT_YEAR = re.compile(r"[,;)]|\.?$|\.? [A-Z]| (?:he|she|it|they|when|the|his|after|before)\b")
_PEOPLE_CALLED = re.compile(
    r" (?!(?:for|to|and|in|on|at)\b)(?:[a-z]+ )?(?!(?:times|minutes|hours)\b)(?:[a-z]{3,}s|people|men|women)\b"
)
_MANY = re.compile(
    r" (?:of|people|men|women|children|(?!(?:races|runs|walks|times|events|videos|screens|displays)\b)[a-z]+s)\b"
)


def integer(text: str, scan: Scan, end: int) -> str:
    """Words of a whole number (commas allowed) that ends at `end`, as its place asks: a quantity, a year, a name.

    "1963" in "of 1963" -> "nineteen sixty-three"; in "1963 men" -> "one thousand nine hundred sixty-three".
    """
    before, length = scan.said, len(text)
    if "," in text:
        return say.digits(text) if length > 5 and said_before("number", before) else say.quantity(text)
    if length > 1 and text[0] == "0":
        return say.digits(text, "oh" if length < 4 else "zero")
    if (
        length > 12 and text.rstrip("0") != text[0]
        or length >= 3 and said_before("identifies", before)
        or length >= 5 and said_before("number", before)
    ):  # fmt: skip
        return say.digits(text)
    if length in (3, 4) and _ERA.match(scan.text, end):
        return say.year(text)
    if length == 4:
        return _four(text, scan.text, before, end)
    return _three(text, scan.text, before, end) if length == 3 else say.cardinal(text)


def _four(text: str, whole: str, before: str, end: int) -> str:
    if said_before("house of", before):
        return say.pairs(text)
    if "1000" <= text <= "2099":
        if _ALWAYS_YEAR.search(before):
            return say.year(text)
        if not _is_counted(whole, end):
            plural = _PLURAL.match(whole, end)
            many = plural and not said_before("article", before)
            cued = said_before("in year", before) or text >= "1010" and not said_before("counting", before)
            if cued and not many or text >= "1100" and said_before("dated", before) and not plural:
                return say.year(text)
    return say.hundreds(text) if text.endswith("00") and text[1] != "0" else say.cardinal(text)


def _is_counted(text: str, end: int) -> bool:
    """ "1308 people", "1308 brave people"."""
    adjective = _ADJECTIVE.match(text, end)
    return follows("counted", text, end) or adjective is not None and follows("counted", text, adjective.end())


def _three(text: str, whole: str, before: str, end: int) -> str:
    if text in ("911", "112", "999"):
        called = said_before("called", before) and not _PEOPLE_CALLED.match(whole, end)
        if called or follows("call", whole, end):
            return say.digits(text)
    if text in ("403", "404", "500", "502", "503") and said_before("a", before):
        if follows("failure", whole, end) or end == len(whole):
            return say.pairs(text)
    in_year = said_before("in year", before) and _AFTER_SHORT_YEAR.match(whole, end)
    named = said_before("named", before) and not (_PLURAL.match(whole, end) or follows("amount", whole, end))
    return say.pairs(text) if not text.endswith("00") and (in_year or named) else say.cardinal(text)


def value(text: str, scan: Scan, end: int) -> str:
    """Words of a number with or without decimals that ends at `end`."""
    return say.decimal(text) if "." in text else integer(text, scan, end)


def counts_many(text: str, end: int) -> bool:
    """Whether many of something follow: "3K followers", but no "10K run"."""
    return _MANY.match(text, end) is not None


def number(match: re.Match[str], scan: Scan) -> str | None:
    """Any number, also of thousands or millions: "5 million", "1.5M", ".38 caliber"."""
    text, scale, end = match["number"], match["scale"], match.end("number")
    if scale and len(scale) < 3:
        if "." not in text and (scale == "B" or not counts_many(scan.text, match.end())):
            return None
        scale = " " + SHORT_SCALES[scale.lower()]
    if re.fullmatch(r"\.\d{2,3}", text) and follows("caliber", scan.text, end):
        return say.pairs(text[1:])
    return say.decimal(text) + scale if scale else value(text, scan, end)


def nth(text: str, suffix: str) -> str | None:
    """ "22", "nd" -> "twenty-second"; None for "2th", which is a code."""
    said = say.ordinal(text)
    return None if len(text) < 3 and suffix.lower() != "d" and not said.endswith(suffix.lower()) else said


def book(text: str) -> str:
    """ "1 Corinthians" is the first."""
    return say.ordinal(text).capitalize()


def over(one: str, other: str) -> str | None:
    """ "120", "80" -> "one hundred twenty over"."""
    return f"{say.cardinal(one)} over" if int(one) > int(other) > 20 else None


def minutes_of(text: str) -> str:
    """Seconds behind minutes."""
    return say.minutes(text) or "minutes"


def product(match: re.Match[str], scan: Scan) -> str | None:
    """ "3 x 4", "5 * 6", "6.02 x 10^23"."""
    sides = re.split(r" ?[x*] ?", match[0])
    said = []
    for side in sides:
        base, _, exponent = side.partition("^")
        said.append(f"{say.cardinal(base)} {say.power(exponent)}" if exponent else value(base, scan, match.end()))
    return (" times " if "*" in match[0] or sides[-1].startswith("10^") else " by ").join(said)


def plural_year(text: str) -> str:
    """ "1960" -> "nineteen sixties"."""
    return say.plural_of(say.year(text))


def plural_pairs(text: str) -> str:
    """ "747" -> "seven forty-sevens"."""
    return say.plural_of(say.pairs(text))


_UNIT_NEXT = re.compile(r" ?[a-zA-Z%°]{1,3}\b(?! (?:in|on|at|of)\b)")


def lower(match: re.Match[str], scan: Scan) -> str | None:
    """The lower end of a range: what the upper one is, its own class says."""
    first, end = match[1], match.end(3)
    if first[0] == "0" and len(first) > 1 and "." not in first:
        return None
    measured = " " not in match[0] and _UNIT_NEXT.match(scan.text, end)
    return say.quantity(first) if measured else value(first, scan, end)


_BRACKETED = re.compile(r"<[A-Za-z][\w -]{0,40}>")
_OPEN_BRACKET = re.compile(r"<[A-Za-z][\w -]{0,40}$")


def comparison(match: re.Match[str], scan: Scan) -> str | None:
    """ "a < b" is a statement, "<5%" and "be >= 18" are not; "<Enter>" is a word in brackets."""
    text, start = scan.text, match.start()
    if _BRACKETED.match(text, start) or _OPEN_BRACKET.search(text, max(0, start - 42), start):
        return None
    kind = scan.found[-1].kind if scan.found else "mark"
    states = kind != "mark" and (kind not in ("word", "abbreviation") or len(scan.last) == 1)
    compared = spoken("signs.tsv")[match[0]]
    return f"is {compared}" if states else compared.replace("greater", "more")
