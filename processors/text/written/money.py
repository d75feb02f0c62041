"""Amounts of money, by the table of currencies."""

from __future__ import annotations

import re

from processors.text.number_words import cardinal, digits, hundreds, plural_of
from processors.text.written.cues import rows, said_before
from processors.text.written.numbers import SCALE, SHORT_SCALES, WHOLE
from processors.text.written.scan import Scan, Written

# Sign or code -> one, many, a hundredth, hundredths.
_CURRENCIES = {sign: names for signs, *names in rows("currencies.tsv") for sign in signs.split()}
_SIGN = "|".join(sorted(map(re.escape, _CURRENCIES), key=len, reverse=True))
# "3 Rs" are letters, "20 Fr. Brown" is a priest.
_SIGN_BEHIND = "|".join(sorted((re.escape(s) for s in _CURRENCIES if s[:2] not in ("Rs", "Fr")), key=len, reverse=True))
_SHORT_SCALE = r"(?: ?(?:[kKmMbB]|bn|BN|mn|MN|mm|tn|TN)\b(?!\.\w))"
_AMOUNT = rf"({WHOLE}|(?=\.\d))(?:\.(\d{{1,12}}))?(?: ?-? ?({SCALE})\b|({_SHORT_SCALE}))?"
_TO = rf"(?: ?[-–—] ?| to )(?:{_SIGN})? ?"

_MONEY = re.compile(
    rf"(?:(?<![\w)\]])([-−]))?(?<![A-Za-z])({_SIGN})[ -]?{_AMOUNT}(?:({_TO}){_AMOUNT}(?=[ ,;:.!?)]|$))?(?!\w)"
)
_BEHIND = re.compile(rf"(?<![\w.])(?<!\d,){_AMOUNT} ?({_SIGN_BEHIND})(?![\w$])")
# "€1.299,00" as it is written where the euro is.
_CONTINENTAL = re.compile(r"€ ?(\d{1,3}(?:\.\d{3}){1,6}|\d{1,9}),(\d\d)(?!\d)")
_NOTES = re.compile(r"[$£€](\d{1,3})s\b")
_CENTS = re.compile(r"(?<![\w.,])(\d{1,20})(\.\d{1,9})? ?¢")
_SHILLINGS = re.compile(r"(?<![\w.,'])(\d{1,4})s\.(?: ?(\d{1,2})(?: ?(1/2|1/4|3/4))?d\.?)?(?!\w)")
_PENCE = re.compile(r"(?<![\w.,])(\d{1,3})(?: ?(1/2|1/4|3/4))?d\.(?!\w)")
_FRACTIONS = {"1/2": "a half", "1/4": "a quarter", "3/4": "three quarters"}
_THING = re.compile(r" [a-z]|-")


def amount(sign: str, whole: str, part: str | None, scale: str | None, one: bool = False) -> str:
    """ "$", "21", "45" -> "twenty-one dollars, forty-five cents".

    :param one: whether a thing of that price follows: "a ten dollar bill".
    """
    single, many, cent, cents = _CURRENCIES[sign]
    value, part = whole.replace(",", "").lstrip("0"), part or ""
    if not scale:
        part = part[:2] + part[2:].rstrip("0")
    unit = single if one or value == "1" and not scale and len(part) < 3 else many
    if scale or len(part) > 2:
        words = [
            cardinal(value) if whole else "",
            f"point {digits(part)}" if part.strip("0") else "",
            scale or "",
            unit,
        ]
        return " ".join(word for word in words if word)
    # "fifteen hundred pounds" is how 1500 is said; with a comma only up to 1,900.
    rounded = len(value) == 4 and value.endswith("00") and value[1] != "0" and ("," not in whole or value[0] == "1")
    words = [f"{hundreds(value) if rounded else cardinal(value)} {unit}"] if value or not part.strip("0") else []
    if part.strip("0"):
        part = part.ljust(2, "0")
        words.append(f"{cardinal(part)} {cent if part == '01' else cents}")
    return ", ".join(words)


def _scale(long: str | None, short: str | None) -> str | None:
    return long or SHORT_SCALES.get((short or "").strip().lower())


def _money(match: re.Match[str], scan: Scan) -> str | None:
    minus, sign, whole, part, long, short, to, whole2, part2, long2, short2 = match.groups()
    scale, lower = _scale(long, short), ""
    if whole2 is not None:
        lower = amount(sign, whole, part, scale)
        if not part and not re.search(r"[^ –—to-]", to):
            # One sign for both: "five to ten dollars".
            lower = lower.rsplit(" ", len(_CURRENCIES[sign][1].split()))[0]
        whole, part, scale, lower = whole2, part2, _scale(long2, short2), lower + " to "
    thing = _THING.match(scan.text, match.end())
    one = thing is not None and (thing[0] == "-" or said_before("a", scan.said) and bool(scale or not part))
    return f"{'minus ' if minus else ''}{lower}{amount(sign, whole, part, scale, one)}"


def _behind(match: re.Match[str], scan: Scan) -> str | None:
    whole, part, long, short, sign = match.groups()
    return amount(sign, whole, part, _scale(long, short))


def _shillings(match: re.Match[str], scan: Scan) -> str | None:
    count, pence, part = match.groups()
    closes = scan.closes(match.end())
    if not pence and (len(count) == 4 or closes and not said_before("paid", scan.said.rstrip(","))):
        return None
    words = f"{cardinal(count)} {'shilling' if count == '1' else 'shillings'}"
    return words + (f", {_pence(pence, part)}" if pence else "") + ("." if closes else "")


def _pence(pence: str, part: str | None) -> str:
    if part:
        return f"{cardinal(pence)} and {_FRACTIONS[part]} pence"
    return "one penny" if pence == "1" else f"{cardinal(pence)} pence"


CLASSES = [
    Written("money", _CONTINENTAL, lambda match, scan: amount("€", match[1].replace(".", ""), match[2], None)),
    Written("money", _NOTES, lambda match, scan: plural_of(cardinal(match[1]))),
    Written("money", _MONEY, _money),
    Written("money", _BEHIND, _behind),
    Written(
        "money",
        _CENTS,
        lambda match, scan: f"{cardinal(match[1])} {'cent' if match[1] == '1' and not match[2] else 'cents'}",
    ),
    Written("money", _SHILLINGS, _shillings),
    Written("money", _PENCE, lambda match, scan: _pence(match[1], match[2])),
]
