"""Amounts of money: dollars, pounds, euros and their parts."""

from __future__ import annotations

import re

from processors.text.number_words import cardinal, digits, hundreds, plural_of
from processors.text.substitute import substitute

# One, many, part, parts.
_CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "€": ("euro", "euros", "cent", "cents"),
    "¥": ("yen", "yen", "sen", "sen"),
    "₹": ("rupee", "rupees", "paisa", "paise"),
}
_CODES = {"USD": "$", "GBP": "£", "EUR": "€", "JPY": "¥", "INR": "₹"}
_PREFIXES = {"US$": "U S dollars", "A$": "Australian dollars", "C$": "Canadian dollars", "NZ$": "New Zealand dollars",
             "HK$": "Hong Kong dollars"}  # fmt: skip
_SCALES = {"k": "thousand", "m": "million", "mn": "million", "bn": "billion", "b": "billion", "tn": "trillion"}
_AMOUNT = r"(\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.(\d+))?"
_MONEY = re.compile(
    rf"(US|A|C|NZ|HK)?([$£€¥₹]) ?{_AMOUNT}"
    r"(?:(?: ?-? ?(thousand|million|billion|trillion|hundred)\b)|([kKmMbB]| ?(?:bn|BN|mn|tn))\b(?!\.\w))?"
    rf"(?:( ?[-–] ?| to )(?:[$£€¥₹] ?)?{_AMOUNT}"
    r"(?: ?(thousand|million|billion|trillion)\b|([kKmMbB]|bn|mn)\b)?(?=[ ,;:.!?)]|$))?"
)
_SHILLINGS = re.compile(
    r"(?<![\d.,'])(?<![A-Z])(?<![A-Z]-)(\d{1,4})s\.(?: ?(\d{1,2})(?: ?(1/2|1/4|3/4))?d\.?)?(?!\w)"
    r"(?=[\"')]*(?: (\S)|$))?"
)
# "30s." at the end of a sentence is money only behind such words; otherwise it is a decade, seconds or many of a kind.
_PAID = re.compile(
    r"(?:pounds?,?|\d[sd]\.,?(?: (?:and|to|or))?|\b(?:paid|pays?|cost|costs|worth|fined|price of|sum of|fee of|"
    r"fine of|rent of|wages of)) $"
)
_PENCE = re.compile(r"(?<![\d.,])(\d{1,3})(?: ?(1/2|1/4|3/4))?d\.(?!\w)")
_CENTS = re.compile(r"(?<![\d.,])(\d+)(?:\.(\d+))? ?¢")
_CODE = re.compile(rf"\b(USD|GBP|EUR|JPY|INR) ?(?=\d)|(?<!\d)(?<!\d[.,]){_AMOUNT} ?(USD|GBP|EUR|JPY|INR)\b")
# "€1.299,00" as it is written where the euro is.
_CONTINENTAL = re.compile(r"€ ?(\d{1,3}(?:\.\d{3}){1,6}),(\d\d)(?!\d)|€ ?(\d{1,9}),(\d\d)(?!\d)")
_CENTS_ONLY = re.compile(r"([$£€])\.(?=\d\d\b)")
_OWED = re.compile(r"(?<![\w)\]-])-(?=[$£€] ?\d)")
_RUPEES = re.compile(r"\b(?:Rs\.?|INR) ?(?=\d)")
# Several notes: "two $20s".
_NOTES = re.compile(r"[$£€](\d{1,3})s\b")
_ATTRIBUTE = re.compile(r"\b[Aa]n? $")
_FRACTIONS = {"1/2": "half", "1/4": "quarter", "3/4": "three quarters"}


def _plain_amount(whole: str) -> str:
    # "fifteen hundred pounds" is how 1500 is said, "one thousand pounds" how 1000 is; with a comma only up to 1,900.
    value = whole.replace(",", "")
    if len(value) == 4 and value.endswith("00") and value[1] != "0" and ("," not in whole or value[0] == "1"):
        return hundreds(value)
    return cardinal(value)


def _amount(sign: str, whole: str, part: str | None, scale: str | None) -> str:
    one, many, cent, cents = _CURRENCIES[sign]
    if scale:
        decimals = f" point {digits(part)}" if part and part.strip("0") else ""
        return f"{cardinal(whole.replace(',', ''))}{decimals} {scale} {many}"
    if part and len(part) != 2:
        return f"{cardinal(whole.replace(',', ''))} point {digits(part)} {many}"
    value = whole.replace(",", "").lstrip("0")
    words = f"{_plain_amount(whole)} {one if value == '1' else many}"
    if not part or part == "00":
        return words
    small = f"{cardinal(part)} {cent if part == '01' else cents}"
    return small if not value else f"{words}, {small}"


def _money(match: re.Match[str]) -> str:
    prefix, sign, whole, part, scale, short, joint, whole2, part2, scale2, short2 = match.groups()
    scale = scale or _SCALES.get((short or "").strip().lower())
    scale2 = scale2 or _SCALES.get((short2 or "").lower())
    if joint and whole2:
        first = _amount(sign, whole, part, scale).rsplit(" ", 1)[0] if not part else _amount(sign, whole, part, scale)
        words = f"{first} to {_amount(sign, whole2, part2, scale2)}"
    else:
        words = _amount(sign, whole, part, scale)
    if _ATTRIBUTE.search(match.string, max(0, match.start() - 3), match.start()) and not joint and (scale or not part):
        # "a ten dollar bill".
        if re.match(r" [a-z]", match.string[match.end() : match.end() + 2]):
            words = f"{words.rsplit(' ', 1)[0]} {_CURRENCIES[sign][0]}"
    if prefix:
        many = _CURRENCIES[sign][1]
        words = words.replace(many, _PREFIXES.get(f"{prefix}{sign}", many))
    return words


def _shillings(match: re.Match[str]) -> str:
    count, pence, part, following = match.groups()
    closes = not following or following.isupper()
    before = match.string[max(0, match.start() - 16) : match.start()]
    if not pence and (len(count) == 4 or closes and not _PAID.search(before)):
        return match[0]
    words = f"{cardinal(count)} {'shilling' if count == '1' else 'shillings'}"
    if pence:
        words += f", {_pence_words(pence, part)}"
    return words + ("." if closes else "")


def _pence_words(pence: str, part: str | None) -> str:
    if part:
        return f"{cardinal(pence)} and {'a ' if part != '3/4' else ''}{_FRACTIONS[part]} pence"
    return "one penny" if pence == "1" else f"{cardinal(pence)} pence"


def _code(match: re.Match[str]) -> str:
    if match[1]:
        return _CODES[match[1]]
    return _amount(_CODES[match[4]], match[2], match[3], None)


def expand_money(text: str) -> str:
    """ "$21.45" -> "twenty-one dollars, forty-five cents"; "£1.5m" -> "one point five million pounds"."""
    if any(code in text for code in _CODES):
        text = substitute(_CODE, _code, text)
    if "€" in text:
        text = _CONTINENTAL.sub(lambda m: f"€{(m[1] or m[3]).replace('.', '')}.{m[2] or m[4]}", text)
    if "Rs" in text:
        text = _RUPEES.sub("₹", text)
    if any(sign in text for sign in _CURRENCIES):
        text = _CENTS_ONLY.sub(r"\g<1>0.", _OWED.sub("minus ", text))
        text = substitute(_NOTES, lambda m: plural_of(cardinal(m[1])), text)
        text = substitute(_MONEY, _money, text)
    if "¢" in text:
        text = substitute(_CENTS, lambda m: f"{cardinal(m[1])} {'cent' if m[1] == '1' and not m[2] else 'cents'}", text)
    if "s." in text:
        text = substitute(_SHILLINGS, _shillings, text)
    if "d." in text:
        text = substitute(_PENCE, lambda m: _pence_words(m[1], m[2]), text)
    return text
