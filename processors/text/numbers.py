"""Numbers in running text: ordinals, fractions, decimals, ranges, telephone numbers, codes, and what is left."""

from __future__ import annotations

import re

from processors.text.number_context import join_thousands, spoken_whole
from processors.text.number_words import cardinal, digits, fraction, ordinal, pairs, plural_of, year
from processors.text.substitute import substitute
from processors.text.times import minutes_and_seconds
from processors.text.units import decimal

# Where a number starts; without it a search through a long run of digits would begin at each of them.
_START = r"(?<!\d)(?<!\d[.,])"
_WHOLE = r"(\d{1,3}(?:,\d{3})+(?!\d)|\d+)"
_VALUE = r"(?:\d{1,3}(?:,\d{3}){1,10}|\d{1,12})(?:\.\d{1,12})?"
_VERSION = re.compile(r"(?<![\d.])\d{1,6}(?:\.\d{1,6}){2,20}(?!\.?\d)")
_PHONE = re.compile(
    r"(?<![\w-])(?:(\+?\d{1,3})[ .-])?(?:\((\d{3})\) ?|(\d{3})[ .-])(\d{3})[-. ](\d{4})(?![\w-])"
    r"|(?<![\w.,-])(\d{3})-(\d{4})(?![\w-])"
)
_INTERNATIONAL = re.compile(r"(?<![\w+])\+(\d{1,4}(?:[ -]\d{2,6}){1,6})(?![\w-])")
_CHAIN = re.compile(r"(?<![\w.-])\d{1,20}(?:-\d{1,20}){2,20}(?![\w-])")
_ORDINAL = re.compile(rf"{_START}{_WHOLE}(?:(?:st|nd|rd|th|ST|ND|RD|TH)\b|(?<=[23])d(?= [A-Z]))")
_MIXED = re.compile(r"(?<![\d/.,])(\d{1,9})(?: |-| and )(\d{1,2})/(\d{1,3})(?![\d/])")
_FRACTIONS_TO = re.compile(r"(?<![\d/])(\d{1,2}/\d{1,2})[-–](?=\d{1,2}(?:/\d{1,2})?(?![\w/-]))")
_FOLDS_TO = re.compile(r"(?<=\d)[-–](?=\d{1,3}x\b)")
_FRACTION = re.compile(r"(?<![\w/.,])(\d{1,9})/(\d{1,9})(?![\d/])")
# "2/3rds", "1/100th".
_NTHS = re.compile(r"(?<![\w/.,])(\d{1,3})/(\d{1,3})(?:st|nd|rd|th)s?\b")
# What is called by its paragraph: "a 401(k) plan".
_PARAGRAPH = re.compile(r"\b(401|403|501)\((k|b|c)\)")
_POSTCODE = re.compile(r"(?<=, )([A-Z]{2},? )(\d{5})(?:-(\d{4}))?(?![\w-])")
# Groups of digits that begin with 0: "020 7946 0958".
_NATIONAL = re.compile(r"(?<![\w.,+-])0\d{2,4}[ -]\d{3,4}[ -]\d{3,4}(?![\w-])")
_TRUNK = re.compile(r"(\+\d{1,3}) ?\(0\) ?(?=\d)")
# The number of a table in a chapter: "Table 2-1".
_TABLE = re.compile(r"\b(Table|Figure|Listing|Exhibit|Example) (\d{1,2})-(\d{1,2})(?![\w-])")
_DECIMAL = re.compile(rf"{_START}{_WHOLE}?\.(\d+)")
_MINUS = re.compile(r"(?<=\d) ?[-–—] ?(?=\d[^=]{0,12}=)")
_RANGE = re.compile(rf"(?<![\w.,-])({_VALUE}) ?[-–—] ?({_VALUE})(?![\w-]|[.,]\d)")
_RATIO = re.compile(r"(?<![\d:.])(\d{1,6}):(\d{1,6})(?![\d:])")
# Minutes and seconds: "in 45:30", but "a 45:30 ratio" and "it ended 31:28".
_CLOCKED = re.compile(r"(?<![\d:.,])(2[5-9]|[345]\d):([0-5]\d)(?![\d:]|[.,]\d|[-–])")
_BEFORE_CLOCK = re.compile(
    r"\b(?:in|at|took|takes|lasts?|lasted|after|under|until|till|time of|then|mark|clocked|ran) $", re.I
)
_AS_RATIO = re.compile(r"\b(?:ratios?|scores?|odds|split|mix|won|lost|win|beat|led|leads?|result|vote)\b", re.I)
_POINT_RATIO = re.compile(r"(?<=\d\.\d):(?=\d{1,4}\b)")
_VERSE = re.compile(
    r"\b(Psalms?|Genesis|Exodus|Leviticus|Deuteronomy|Joshua|Samuel|Kings|Job|Proverbs|Isaiah|Jeremiah|Ezekiel|Daniel|"
    r"Matthew|Mark|Luke|John|Acts|Romans|Corinthians|Galatians|Ephesians|Hebrews|James|Peter|Revelation)"
    r" (\d{1,3}):(\d{1,3})\b"
)
_BOOK = re.compile(
    r"\b([123])(?= (?:Samuel|Kings|Chronicles|Corinthians|Thessalonians|Timothy|Peter|John|Maccabees) \d{1,3}:\d)"
)
_NTH = {"1": "First", "2": "Second", "3": "Third"}
# "Python 3.10" is a later release than 3.9.
_RELEASE = re.compile(r"\b([Vv]ersion|Python|Ubuntu|macOS|Android|Linux|[Vv]) ?(\d{1,4})\.(\d{2})(?![\w.]*\w)")
# Thousands apart as in "1 000 000" and "1.000.000"; "rooms 101 102 103" is a list.
_GROUPED = re.compile(
    r"(?<![\w.,-])(?<!\d )(?:\d{1,2}(?: \d{3}){2,5}|\d{1,3}(?:(?: \d{3}){0,4} 000|(?:\.000){2,5}))(?![\w.,-]*\w)(?! \d)"
)
_SCREEN = re.compile(r"(?<![\w.,-])(480|720|1080|1440|2160)([pi])\b")
# "pre-1900", "FY2021".
_YEAR_CODE = re.compile(r"\b([Pp]re|[Pp]ost|[Mm]id|[Cc]irca|[Ee]arly|[Ll]ate|FY|CY)-?(1[1-9]\d\d|20\d\d)(?![\w-])")
_SCALED = re.compile(rf"{_START}{_WHOLE}([ -])(hundred|thousand|million|billion|trillion)\b")
_CODE = re.compile(
    r"(?<![A-Za-z0-9])(?=[A-Za-z-]{0,40}\d)(?=[\d-]{0,40}[A-Za-z])[A-Za-z0-9]{1,40}(?:-[A-Za-z0-9]{1,40}){0,5}(?![A-Za-z0-9])"
)
_COMMA_WORD = re.compile(r"(?<![\w.,-])(\d{1,3}(?:,\d{3}){1,10})-(?=[A-Za-z]{2})")
# Several of what a code names: "B-52s", "MP3s".
_PLURAL_CODE = re.compile(r"[A-Z]{1,5}-?\d{1,4}s")
_PART = re.compile(r"\d+|[A-Za-z]+")
_NEGATIVE = re.compile(r"(?<![\w)\]-])-(?=\d|\.\d)")
_SIGNED = re.compile(r"(?<!\w)\+(?=\d)")
_FOLD = re.compile(r"(?<![\w.])(\d{1,4})x(?= [a-z])")
_NUMBER = re.compile(_WHOLE)
_CALIBER = re.compile(r"(?:-| )?(?:caliber|calibre|magnum|special|revolver|automatic|pistol|rifle|winchester)\b", re.I)
_SAID_OTHERWISE = {"9/11": "nine eleven", "24/7": "twenty-four seven", "50/50": "fifty fifty", "20/20": "twenty twenty"}


def _phone(match: re.Match[str]) -> str:
    parts = [digits(part) for part in match.groups() if part]
    return ("plus " if match[0].startswith("+") else "") + ", ".join(parts)


def _release_part(part: str) -> str:
    return digits(part, "oh") if part[0] == "0" else cardinal(part)


def _mixed(match: re.Match[str]) -> str:
    words = fraction(match[2], match[3])
    if words.startswith("one ") and match[3] in ("2", "4"):
        words = f"a {words[4:]}"
    return f"{cardinal(match[1])} and {words}"


def _decimal(match: re.Match[str]) -> str:
    if match[1]:
        return decimal(match[1], match[2])
    before = match.string[max(0, match.start() - 1) : match.start()]
    if before and before in ".)]" or before.isalpha():
        # A full stop without a space after it: "the end.5 men".
        return f". {cardinal(match[2])}"
    if len(match[2]) in (2, 3) and _CALIBER.match(match.string, match.end()):
        return pairs(match[2]) if len(match[2]) == 3 else cardinal(match[2])
    return decimal(None, match[2])


def _value(text: str, whole: str, start: int, end: int) -> str:
    left, point, right = text.partition(".")
    return decimal(left, right) if point else spoken_whole(left, whole, start, end)


def _range(match: re.Match[str]) -> str:
    whole = match.string
    if match[0] in ("50-50", "24-7"):
        return _SAID_OTHERWISE[match[0].replace("-", "/")]
    first = _value(match[1], whole, match.start(), match.end())
    return f"{first} to {_value(match[2], whole, match.start(), match.end())}"


def _clocked(match: re.Match[str]) -> str:
    minutes, seconds = match.groups()
    if not _BEFORE_CLOCK.search(match.string, max(0, match.start() - 10), match.start()):
        return match[0]
    nearby = match.string[max(0, match.start() - 20) : match.end() + 8]
    if int(minutes) + int(seconds) == 100 or _AS_RATIO.search(nearby):
        return match[0]
    return minutes_and_seconds(minutes, seconds)


def _code_part(part: str, in_chain: bool) -> str:
    if part.isdigit():
        if len(part) <= 2 and part[0] != "0":
            return cardinal(part)
        if len(part) == 3 and (in_chain and "0" not in part or part[1] != "0" and part[2] == "0"):
            return pairs(part)
        return digits(part)
    if len(part) == 1 or len(part) <= 3 and part.isupper():
        return " ".join(part.upper())
    return part


def _code(match: re.Match[str]) -> str:
    """ "C2766", "133-A", "F-16", "B-52s", "1-day"."""
    plural = _PLURAL_CODE.fullmatch(match[0]) is not None
    pieces = match[0].removesuffix("s" if plural else "").split("-")
    if len(pieces) > 1 and pieces[0].isdigit() and all(len(p) > 1 and p.isalpha() for p in pieces[1:]):
        # "1-day", "45-minute": a number and words.
        return "-".join([spoken_whole(pieces[0], match.string, match.start(), match.end()), *pieces[1:]])
    words = []
    for piece in pieces:
        parts = _PART.findall(piece)
        if len(pieces) > 1 and not piece.isdigit() and piece.isalpha() and len(piece) > 3:
            words.append(piece)
            continue
        words += [_code_part(part, len(pieces) > 1 and len(parts) == 1) for part in parts]
    return plural_of(" ".join(words)) if plural else " ".join(words)


def _number(match: re.Match[str]) -> str:
    return spoken_whole(match[0], match.string, match.start(), match.end())


def expand_numbers(text: str) -> str:
    """Every digit that is left as words: "11.2" -> "eleven point two", "22nd" -> "twenty-second"."""
    if "-" in text or ")" in text or "." in text or "+" in text:
        text = substitute(_PHONE, _phone, text)
        text = _TRUNK.sub(r"\1 ", text)
        text = substitute(_INTERNATIONAL, lambda m: "plus " + ", ".join(map(digits, re.split("[ -]", m[1]))), text)
        text = substitute(_CHAIN, lambda m: ", ".join(map(digits, m[0].split("-"))), text)
    text = substitute(_NATIONAL, lambda m: ", ".join(map(digits, re.split("[ -]", m[0]))), text)
    text = substitute(_POSTCODE, lambda m: m[1] + digits(m[2]) + (f", {digits(m[3])}" if m[3] else ""), text)
    text = join_thousands(text)
    text = _GROUPED.sub(lambda m: m[0].replace(" ", "").replace(".", ""), text)
    if "." in text:
        text = substitute(_VERSION, lambda m: " point ".join(map(cardinal, m[0].split("."))), text)
        text = substitute(_RELEASE, lambda m: f"{m[1]} {cardinal(m[2])} point {_release_part(m[3])}", text)
    text = substitute(_PARAGRAPH, lambda m: f"{pairs(m[1])} {m[2].upper()}", text)
    if "/" in text:
        text = _FRACTIONS_TO.sub(r"\1 to ", text)
        text = substitute(_NTHS, lambda m: fraction(m[1], m[2]), text)
    text = substitute(_ORDINAL, lambda m: ordinal(m[1].replace(",", "")), text)
    if "/" in text:
        text = substitute(_MIXED, _mixed, text)
        text = substitute(_FRACTION, lambda m: _SAID_OTHERWISE.get(m[0]) or fraction(m[1], m[2]), text)
    text = substitute(_SCALED, lambda m: f"{cardinal(m[1].replace(',', ''))}{m[2]}{m[3]}", text)
    if "=" in text:
        text = _MINUS.sub(" minus ", text)
    if ":" in text:
        text = _BOOK.sub(lambda m: _NTH[m[1]], text)
        text = _VERSE.sub(r"\1 \2 \3", text)
    text = _TABLE.sub(lambda m: f"{m[1]} {cardinal(m[2])} dash {cardinal(m[3])}", text)
    text = substitute(_RANGE, _range, text)
    if ":" in text:
        text = _POINT_RATIO.sub(" to ", text)
        text = substitute(_CLOCKED, _clocked, text)
        text = substitute(_RATIO, lambda m: f"{cardinal(m[1])} to {cardinal(m[2])}", text)
    text = _NEGATIVE.sub("minus ", text)
    text = _SIGNED.sub("plus ", text)
    if "." in text:
        text = substitute(_DECIMAL, _decimal, text)
    text = _FOLDS_TO.sub(" to ", text)
    text = substitute(_FOLD, lambda m: f"{cardinal(m[1])} times", text)
    if "," in text:
        text = _COMMA_WORD.sub(lambda m: cardinal(m[1].replace(",", "")) + "-", text)
    text = _SCREEN.sub(lambda m: f"{pairs(m[1])} {m[2].upper()}", text)
    text = _YEAR_CODE.sub(lambda m: f"{' '.join(m[1]) if m[1].isupper() else m[1]} {year(m[2])}", text)
    text = substitute(_CODE, _code, text)
    return substitute(_NUMBER, _number, text)
