"""Amounts of money, by the table of currencies."""

from __future__ import annotations

import re

from processors.text.number_words import cardinal, digits, hundreds
from processors.text.written.cues import rows, said_before, spoken
from processors.text.written.scan import Scan

# Sign or code -> one, many, a hundredth, hundredths.
_CURRENCIES = {sign: names for sign, *names in rows("currencies.tsv")}
_THING = re.compile(r" [a-z]|-")


def amount(sign: str, whole: str, part: str | None, scale: str | None = None, one: bool = False) -> str:
    """ "$", "21", "45" -> "twenty-one dollars, forty-five cents".

    :param one: whether a thing of that price follows: "a ten dollar bill".
    """
    single, many, cent, cents = _CURRENCIES[sign]
    value, part = whole.replace(",", "").replace(".", "").lstrip("0"), part or ""
    if not scale:
        part = part[:2] + part[2:].rstrip("0")
    unit = single if one or value == "1" and not scale and len(part) < 3 else many
    if scale or len(part) > 2:
        point = f"point {digits(part)}" if part.strip("0") else ""
        return " ".join(word for word in (cardinal(value) if whole else "", point, scale, unit) if word)
    # "fifteen hundred pounds" is how 1500 is said; with a comma only up to 1,900.
    rounded = len(value) == 4 and value.endswith("00") and value[1] != "0" and ("," not in whole or value[0] == "1")
    words = [f"{hundreds(value) if rounded else cardinal(value)} {unit}"] if value or not part.strip("0") else []
    if part.strip("0"):
        part = part.ljust(2, "0")
        words.append(f"{cardinal(part)} {cent if part == '01' else cents}")
    return ", ".join(words)


def money(match: re.Match[str], scan: Scan) -> str | None:
    """ "$21.45", "20 USD", "$5-10 million"."""
    groups = match.groupdict()
    sign, joint, lower = groups["unit"], groups.get("joint"), ""
    whole, part, scale = _number(groups, "")
    if joint is not None:
        lower = amount(sign, whole, part, scale)
        if not part and not groups["unit2"]:
            # One sign for both: "five to ten dollars".
            lower = lower.rsplit(" ", len(_CURRENCIES[sign][1].split()))[0]
        lower += " to "
        whole, part, scale = _number(groups, "2")
    thing = _THING.match(scan.text, match.end()) if match.start("unit") < match.start("whole") else None
    one = thing is not None and (thing[0] == "-" or said_before("a", scan.said) and bool(scale or not part))
    return lower + amount(sign, whole, part, scale, one)


def _number(groups: dict[str, str], which: str) -> tuple[str, str, str | None]:
    short = (groups["short" + which] or "").strip().lower()
    return groups["whole" + which], groups["part" + which], groups["long" + which] or spoken("scales.tsv").get(short)
