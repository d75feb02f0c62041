"""Signs that are read as words, and brackets, quotes and dashes as pauses."""

from __future__ import annotations

import re

from processors.text.characters import PLACEHOLDER

_WORDS = {
    "&": "and", "%": "percent", "@": "at", "+": "plus", "=": "equals", "°": "degrees", "§": "section", "¶": "paragraph",
    "±": "plus or minus", "÷": "divided by", "≈": "approximately", "≠": "is not equal to", "≤": "is at most",
    "≥": "is at least", "$": "dollars", "£": "pounds", "€": "euros", "¥": "yen", "₹": "rupees", "¢": "cents", "μ": "mu",
    "‰": "per mille",
}  # fmt: skip
_WORD_SIGN = re.compile("[" + re.escape("".join(_WORDS)) + "]")
_AND_OR = re.compile(r"\b([Aa]nd)/([Oo]r)\b")
_EITHER = re.compile(r"\b(he|she|his|her|him)/(she|he|her|his|him|hers)\b", re.I)
_PER = re.compile(
    r"\b(dollars?|cents?|euros?|pounds?|pence|yen|miles|meters|gallons|liters|times|hours?|days?|weeks?)/"
    r"(lb|kg|hr|hour|day|month|year|week|night|gallon|person|minute|second|piece|mile|wk|yr|mo|min|sec)\b"
)
_PER_WORDS = {
    "lb": "pound", "kg": "kilogram", "hr": "hour", "wk": "week", "yr": "year", "mo": "month", "min": "minute",
    "sec": "second",
}  # fmt: skip
# "19th- and 20th-century art" has no pause.
_HANGING = re.compile(r"(?<=[A-Za-z\d])- (?=(?:and|or|to) \w+-\w)")
_SLASH = re.compile(r"(?<=[A-Za-z])/(?=[A-Za-z])")
_HASH_NUMBER = re.compile(r"#(?= ?\d)")
_TILDE_NUMBER = re.compile(r"~(?= ?[\d$£€.])")
_TIMES = re.compile(r"(?<=\d) ?\* ?(?=\d)")
_BY = re.compile(r"(?<=\d) ?x ?(?=\d)")
_TIMES_TEN = re.compile(r"(?<=\d) ?x ?(?=10\^)")
_NUMERO = re.compile(r"\b[Nn]° ?(?=\d)")
_EXPONENT = re.compile(r"(?<=\d)[eE]([+-]?)(\d{1,3})\b(?![.-])")
_POWER = re.compile(r"(?<=\w)\^(-?)(\d{1,4})")
_THAN = re.compile(r"(?:(?<=^)|(?<=[\s(]))([<>]) ?(?=[$£€]?\d)")
_SHARP = re.compile(r"\b([A-G])#(?![\w#])")
_COMPARE = re.compile(r"(?<=\d) ?([<>]) ?(?=\d)")
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,200}>")

_ELIDED = re.compile(
    r"(?:em|tis|twas|twill|twere|til|till|cause|bout|round|neath|tween|gainst|cept|n|im|er|ere|fraid|spect|scuse|cos|cuz|"
    r"nother|nuff|gin|mongst|fore|pon|lectric|prentice)\b",
    re.I,
)
_APOSTROPHE = re.compile(r"(?<![A-Za-z])'|'(?![A-Za-z])")
_OPEN = re.compile(r"(?<=\S)? ?[(\[] ?")
_PLURAL_OPTION = re.compile(r"(?<=[a-z])\((e?s)\)")
_DASH = re.compile(r" ?(?:—|–|--+| -(?= )|(?<= )- ?(?=\S)|(?<=\S)-(?= |$)) ?")
_NOT_SPOKEN = re.compile(rf"[^A-Za-z' ,.!?;:…{PLACEHOLDER}-]+")
_NOT_SAID_ABROAD = re.compile(r"[\\|_{}<>~^`]+")
_CLOSE = re.compile(r" ?[)\]]")
_MARK_DASH = re.compile(r"([,.!?;:…]) - ")
_LOOSE_HYPHEN = re.compile(r"(?<![A-Za-z'])-+|-+(?![A-Za-z'])")
# Not the mark inside "25,5", which other languages keep.
_MARKS = re.compile(r" ?(?!(?<=\d)[.,:]\d)[,.!?;:…][ ,.!?;:…]*")
_STRENGTH = {",": 0, "-": 1, ":": 2, ";": 3, ".": 4, "…": 5, "!": 6, "?": 7}


def expand_number_signs(text: str) -> str:
    """Signs that depend on a number beside them, which stays: "#5" -> "number 5", "3 x 4" -> "3 by 4"."""
    if "#" in text:
        text = _HASH_NUMBER.sub(" number ", text)
    if "~" in text:
        text = _TILDE_NUMBER.sub("about ", text)
    if "*" in text:
        text = _TIMES.sub(" times ", text)
    if "°" in text:
        text = _NUMERO.sub("number ", text)
    if "x" in text:
        text = _TIMES_TEN.sub(" times ", text)
        text = _BY.sub(" by ", text)
    if "<" in text or ">" in text:
        text = _COMPARE.sub(lambda m: " is less than " if m[1] == "<" else " is greater than ", text)
        text = _THAN.sub(lambda m: "less than " if m[1] == "<" else "more than ", text)
    return text


def _power(match: re.Match[str]) -> str:
    if not match[1] and match[2] in ("2", "3"):
        return " squared " if match[2] == "2" else " cubed "
    return f" to the power of {'minus ' if match[1] else ''}{match[2]}"


def expand_powers(text: str) -> str:
    """ "10^6" -> "10 to the power of 6"; "x^2" -> "x squared"."""
    text = _EXPONENT.sub(lambda m: f" times ten to the power of {'minus ' if m[1] == '-' else ''}{m[2]}", text)
    return _POWER.sub(_power, text) if "^" in text else text


def expand_symbols(text: str) -> str:
    """ "A & B" -> "A and B"; markup vanishes."""
    if "#" in text:
        text = _SHARP.sub(r"\1 sharp", text)
    if "<" in text:
        text = _TAG.sub(" ", text)
    text = _HANGING.sub(" ", text)
    text = _AND_OR.sub(r"\1 \2", text)
    if "/" in text:
        text = _EITHER.sub(r"\1 or \2", text)
        text = _PER.sub(lambda m: f"{m[1]} per {_PER_WORDS.get(m[2], m[2])}", text)
    text = _SLASH.sub(" slash ", text)
    return _WORD_SIGN.sub(lambda m: f" {_WORDS[m[0]]} ", text)


def _apostrophes(text: str) -> str:
    """Single quotation marks vanish, apostrophes that belong to a word stay: 'tis, boys', o'."""
    open_quotes = 0

    def replace(match: re.Match[str]) -> str:
        nonlocal open_quotes
        start, end = match.start(), match.end()
        after = text[end : end + 1]
        before = text[start - 1 : start]
        if not before.isalpha() and after.isalpha():
            if _ELIDED.match(text, end):
                return "'"
            open_quotes += 1
            return ""
        if open_quotes:
            open_quotes -= 1
            return ""
        return "'" if before.isalpha() and before in "sSnoOfFhH" else ""

    return _APOSTROPHE.sub(replace, text)


def _mark(match: re.Match[str]) -> str:
    marks = match[0].replace(" ", "")
    # Of several marks the strongest speaks: "?!" -> "?", ".," -> ".".
    return max(marks, key=_STRENGTH.__getitem__) + " "


def _settle(text: str, not_spoken: re.Pattern[str]) -> str:
    """Quotes vanish, brackets become commas, dashes " - ", and of several marks in a row one is left."""
    text = text.replace('"', " ")
    if "(" in text or "[" in text:
        text = _OPEN.sub(", ", _PLURAL_OPTION.sub(r"\1", text))
    if ")" in text or "]" in text:
        text = _CLOSE.sub(", ", text)
    text = _DASH.sub(" – ", text)
    parts = []
    for part in text.split("–"):
        part = not_spoken.sub(" ", part)
        part = " ".join(_LOOSE_HYPHEN.sub(" ", part).split())
        part = _MARKS.sub(_mark, part)
        parts.append(part.lstrip(" ,;:.…!?-").rstrip())
    text = " - ".join(part for part in parts if part)
    # A mark before a dash says enough.
    return _MARK_DASH.sub(r"\1 ", text)


def settle_punctuation(text: str) -> str:
    """Only letters, apostrophes, hyphens inside words and , . ! ? ; : - … are left."""
    if "'" in text:
        text = _apostrophes(text)
    return _settle(text, _NOT_SPOKEN)


def settle_marks(text: str) -> str:
    """The same for a text of another language, whose letters, digits and signs stay."""
    return _settle(text, _NOT_SAID_ABROAD)
