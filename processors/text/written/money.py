"""Amounts of money, by the table of currencies."""

from __future__ import annotations

import re
from functools import lru_cache

from processors.text.number_words import cardinal, digits, hundreds, plural_of
from processors.text.written.numbers import SCALE, SHORT_SCALES, WHOLE
from processors.text.written.scan import Scan, Written
from processors.text.written.tables import rows


@lru_cache(maxsize=1)
def _currencies() -> dict[str, tuple[str, str, str, str]]:
    """Sign or code -> one, many, a hundredth, hundredths."""
    return {
        sign: (one, many, cent, cents)
        for signs, one, many, cent, cents in rows("currencies.tsv")
        for sign in signs.split()
    }


_SIGN = "|".join(sorted(map(re.escape, _currencies()), key=len, reverse=True))
_BEHIND = _SIGN.replace("Rs\\.|", "").replace("Rs|", "").replace("Frs\\.|", "").replace("Fr\\.|", "")
_SHORT_SCALE = r"(?: ?(?:[kKmMbB]|bn|BN|mn|MN|mm|tn|TN)\b(?!\.\w))"
_AMOUNT = rf"({WHOLE}|(?=\.\d))(?:\.(\d{{1,12}}))?(?: ?-? ?({SCALE})\b|({_SHORT_SCALE}))?"
# The lower and the upper end: "$5-10", "$5 to $10", "$1-2 million".
_TO = rf"(?: ?[-–—] ?| to )(?:{_SIGN})? ?"
_FRACTIONS = {"1/2": "a half", "1/4": "a quarter", "3/4": "three quarters"}


def amount(sign: str, whole: str, part: str | None, scale: str | None, one: bool = False) -> str:
    """ "$", "21", "45" -> "twenty-one dollars, forty-five cents".

    :param one: whether a thing of that price follows: "a ten dollar bill".
    """
    single, many, cent, cents = _currencies()[sign]
    if part and not scale:
        part = part[:2] + part[2:].rstrip("0")
    value = whole.replace(",", "").lstrip("0")
    unit = single if one or value == "1" and not scale and len(part or "") < 3 else many
    if scale or part and len(part) > 2:
        decimals = f"point {digits(part)} " if part and part.strip("0") else ""
        return f"{cardinal(value) if whole else ''} {decimals}{scale + ' ' if scale else ''}{unit}".strip()
    # "fifteen hundred pounds" is how 1500 is said; with a comma only up to 1,900.
    rounded = len(value) == 4 and value.endswith("00") and value[1] != "0" and ("," not in whole or value[0] == "1")
    words = f"{hundreds(value) if rounded else cardinal(value)} {unit}"
    if not part or not part.strip("0"):
        return words
    part = part.ljust(2, "0")
    small = f"{cardinal(part)} {cent if part == '01' else cents}"
    return small if not value else f"{words}, {small}"


def _scale(long: str | None, short: str | None) -> str | None:
    return long or SHORT_SCALES.get((short or "").strip().lower())


def _money(match: re.Match[str], scan: Scan) -> str | None:
    minus, sign, whole, part, long, short, joint, whole2, part2, long2, short2 = match.groups()
    scale, last_scale = _scale(long, short), _scale(long2, short2)
    words = ""
    if whole2 is not None:
        words = f"{amount(sign, whole, part, scale)} to "
        if joint.strip(" -–—to") == "" and not part:
            # "five to ten dollars"
            words = words.replace(f" {_currencies()[sign][1]} to", " to").replace(
                f" {_currencies()[sign][0]} to", " to"
            )
        whole, part, scale = whole2, part2, last_scale
    article = re.search(r"\b[Aa]n?$", scan.said) and re.match(r" [a-z]|-", scan.text[match.end() :][:2])
    one = bool(article and (scale or not part)) or scan.text[match.end() : match.end() + 1] == "-"
    return f"{'minus ' if minus else ''}{words}{amount(sign, whole, part, scale, one)}"


def _behind(match: re.Match[str], scan: Scan) -> str | None:
    whole, part, long, short, sign = match.groups()
    return amount(sign, whole, part, _scale(long, short))


def _continental(match: re.Match[str], scan: Scan) -> str | None:
    return amount("€", match[1].replace(".", ""), match[2], None)


def _cents(match: re.Match[str], scan: Scan) -> str | None:
    return f"{cardinal(match[1])} {'cent' if match[1] == '1' and not match[2] else 'cents'}"


def _shillings(match: re.Match[str], scan: Scan) -> str | None:
    count, pence, part = match.groups()
    closes = re.match(r"[\"')]*(?:$| [A-Z])", scan.text[match.end() :][:4])
    paid = re.search(
        r"(?:pounds?,?|shillings?,?(?: and| to| or)?|pence|\b(?:paid|pays?|costs?|worth|fined|price of|sum of|fee of|fine of|rent of|wages of))$", scan.said)  # fmt: skip
    if not pence and (len(count) == 4 or closes and not paid):
        return None
    words = f"{cardinal(count)} {'shilling' if count == '1' else 'shillings'}"
    return words + (f", {_pence_words(pence, part)}" if pence else "") + ("." if closes else "")


def _pence_words(pence: str, part: str | None) -> str:
    if part:
        return f"{cardinal(pence)} and {_FRACTIONS[part]} pence"
    return "one penny" if pence == "1" else f"{cardinal(pence)} pence"


CLASSES = [
    Written("money", re.compile(r"€ ?(\d{1,3}(?:\.\d{3}){1,6}|\d{1,9}),(\d\d)(?!\d)"), _continental),
    Written("money", re.compile(r"[$£€](\d{1,3})s\b"), lambda m, s: plural_of(cardinal(m[1]))),
    Written("money", re.compile(
        rf"(?:(?<![\w)\]])([-−]))?(?<![A-Za-z])({_SIGN})[ -]?{_AMOUNT}(?:({_TO}){_AMOUNT}(?=[ ,;:.!?)]|$))?(?![\w])"), _money),
    Written("money", re.compile(rf"(?<![\w.])(?<!\d,){_AMOUNT} ?({_BEHIND})(?![\w$])"), _behind),
    Written("money", re.compile(r"(?<![\w.,])(\d{1,20})(?:\.(\d{1,9}))? ?¢"), _cents),
    Written("money", re.compile(r"(?<![\w.,'])(\d{1,4})s\.(?: ?(\d{1,2})(?: ?(1/2|1/4|3/4))?d\.?)?(?!\w)"), _shillings),
    Written("money", re.compile(r"(?<![\w.,])(\d{1,3})(?: ?(1/2|1/4|3/4))?d\.(?!\w)"), lambda m, s: _pence_words(m[1], m[2])),
]  # fmt: skip
