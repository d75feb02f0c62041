"""Numbers in running text: cardinals as their place asks, ordinals, decimals, fractions, ranges, ratios."""

from __future__ import annotations

import re

from processors.text.number_words import cardinal, digits, fraction, hundreds, ordinal, pairs, plural_of, year
from processors.text.written.cues import follows, said_before, words
from processors.text.written.scan import Scan, Written

WHOLE = r"(?:\d{1,3}(?:,\d{3}){1,10}(?!\d|,\d)|\d{1,40}(?!\d))"
VALUE = rf"(?:{WHOLE}(?:\.\d{{1,40}}(?!\d))?|\.\d{{1,40}}(?!\d))"
# Where a number can begin.
START = r"(?<!\w)(?<!\d[.,])"
SCALE = r"(?:hundred|thousand|million|billion|trillion|quadrillion)"
SHORT_SCALES = {
    "k": "thousand", "m": "million", "mn": "million", "mm": "million", "b": "billion", "bn": "billion",
    "t": "trillion", "tn": "trillion",
}  # fmt: skip
SIGNS = {"-": "minus", "−": "minus", "+": "plus", "±": "plus or minus", "~": "about"}

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


def integer(text: str, scan: Scan, end: int) -> str:
    """Words of a whole number (commas allowed) that ends at `end`, as its place asks: a quantity, a year, a name.

    "1963" in "of 1963" -> "nineteen sixty-three"; in "1963 men" -> "one thousand nine hundred sixty-three".
    """
    before, whole = scan.said, scan.text
    if "," in text:
        value = text.replace(",", "")
        return digits(value) if len(value) > 4 and said_before("number", before) else quantity(text)
    if len(text) > 1 and text[0] == "0":
        return digits(text, "oh" if len(text) < 4 else "zero")
    if len(text) > 12 and text.rstrip("0") != text[0]:
        return digits(text)
    if len(text) >= 3 and said_before("identifies", before) or len(text) >= 5 and said_before("number", before):
        return digits(text)
    if len(text) == 4:
        return _four(text, whole, before, end)
    return _three(text, whole, before, end) if len(text) == 3 else cardinal(text)


def _four(text: str, whole: str, before: str, end: int) -> str:
    if _ERA.match(whole, end):
        return year(text)
    if said_before("house of", before):
        return pairs(text)
    if "1000" <= text <= "2099" and _ALWAYS_YEAR.search(before):
        return year(text)
    if "1000" <= text <= "2099" and not _is_counted(whole, end):
        plural = _PLURAL.match(whole, end)
        many = plural and not said_before("article", before)
        cued = said_before("in year", before) or text >= "1010" and not said_before("counting", before)
        if cued and not many or text >= "1100" and said_before("dated", before) and not plural:
            return year(text)
    return hundreds(text) if text.endswith("00") and text[1] != "0" else cardinal(text)


def _is_counted(text: str, end: int) -> bool:
    """ "1308 people", "1308 brave people"."""
    adjective = _ADJECTIVE.match(text, end)
    return follows("counted", text, end) or adjective is not None and follows("counted", text, adjective.end())


def _three(text: str, whole: str, before: str, end: int) -> str:
    if _ERA.match(whole, end):
        return pairs(text)
    if text in ("911", "112", "999"):
        called = said_before("called", before) and not _PEOPLE_CALLED.match(whole, end)
        if called or follows("call", whole, end):
            return digits(text)
    if (
        text in ("403", "404", "500", "502", "503")
        and said_before("a", before)
        and (follows("failure", whole, end) or end == len(whole))
    ):
        return pairs(text)
    if text.endswith("00"):
        return cardinal(text)
    if said_before("in year", before) and _AFTER_SHORT_YEAR.match(whole, end):
        return pairs(text)
    return (
        pairs(text)
        if said_before("named", before) and not (_PLURAL.match(whole, end) or follows("amount", whole, end))
        else cardinal(text)
    )


def decimal(text: str) -> str:
    """ "11.2" -> "eleven point two", ".5" -> "point five"; commas allowed."""
    whole, _, part = text.replace(",", "").partition(".")
    return f"{cardinal(whole) if whole else ''} {'point ' + digits(part) if part else ''}".strip()


def quantity(text: str) -> str:
    """Words of a number that is counted or measured: "1234" kilograms are no year, "1,300" are thirteen hundred."""
    plain = text.replace(",", "")
    return hundreds(plain) if re.fullmatch(r"1[1-9]00", plain) else decimal(text)


def value(text: str, scan: Scan, end: int) -> str:
    """Words of a number with or without decimals that ends at `end`."""
    return decimal(text) if "." in text else integer(text, scan, end)


def counts_many(text: str, end: int) -> bool:
    """Whether many of something follow: "3K followers", but no "10K run"."""
    return _MANY.match(text, end) is not None


_MANY = re.compile(
    r" (?:of|people|men|women|children|(?!(?:races|runs|walks|times|events|videos|screens|displays)\b)[a-z]+s)\b"
)
_CARDINAL = re.compile(
    rf"(?<![\w.])(?P<sign>[-−+±]|~ ?)?(?P<number>{VALUE})(?P<scale>[ -]{SCALE}\b|(?:[kKMB]|bn|tn|mn)\b(?!\.\w))?"
)
_DIGITS = re.compile(rf"(?P<sign>)(?P<number>{VALUE}|\d+)(?P<scale>)")


def _cardinal(match: re.Match[str], scan: Scan) -> str | None:
    sign, number, scale = match.group("sign", "number", "scale")
    end = match.end("number")
    if scale and len(scale) < 3:
        many = "." in number or scale != "B" and counts_many(scan.text, match.end())
        if not many:
            return None
        scale = " " + SHORT_SCALES[scale.lower()]
    if re.fullmatch(r"\.\d{2,3}", number) and follows("caliber", scan.text, end):
        return pairs(number[1:]) if len(number) == 4 else cardinal(number[1:])
    said = decimal(number) if scale else value(number, scan, end)
    return f"{SIGNS[sign[0]] + ' ' if sign else ''}{said}{scale or ''}"


_OVER = re.compile(r"(?<![\w.,/])(\d{2,3})/(?=(\d{2,3})(?![\d/]|,\d))")
_FRACTION = re.compile(
    rf"(?<![\w.,/])(?P<sign>-)?(?:(?P<whole>{WHOLE})(?: {{1,2}}|-| and ))?(?P<upper>\d{{1,9}})"
    r"/(?P<lower>\d{1,3}|\d{1,3},000|\d{4,6})(?![\d/]|,\d)(?:(?i:st|nd|rd|th)s?\b)?"
    r"(?P<to>[-–](?=\d{1,2}(?:/\d{1,2})?(?![\w/-])))?"
)
_SAID_OTHERWISE = {"9/11": "nine eleven", "24/7": "twenty-four seven", "50/50": "fifty fifty", "20/20": "twenty twenty"}


def _over(match: re.Match[str], scan: Scan) -> str | None:
    """ "120/80" of a pulse is no fraction."""
    return f"{cardinal(match[1])} over" if int(match[1]) > int(match[2]) > 20 else None


def _fraction(match: re.Match[str], scan: Scan) -> str | None:
    if match[0] in _SAID_OTHERWISE:
        return _SAID_OTHERWISE[match[0]]
    said = mixed(match["whole"], match["upper"], match["lower"].replace(",", ""))
    return f"{'minus ' if match['sign'] else ''}{said}{' to' if match['to'] else ''}"


def mixed(whole: str | None, upper: str, lower: str) -> str:
    """ "2", "1", "2" -> "two and a half"."""
    said = fraction(upper, lower)
    return f"{cardinal(whole.replace(',', ''))} and {re.sub('^one (?=half|quarter)', 'a ', said)}" if whole else said


_ORDINAL = re.compile(
    rf"{START}({WHOLE})(st|nd|rd|th|(?<=[23])d(?= (?-i:[A-Z])))\b( ?[-–] ?(?=\d{{1,6}}(?:st|nd|rd|th)\b))?", re.I
)


def _ordinal(match: re.Match[str], scan: Scan) -> str | None:
    number, suffix = match[1].replace(",", ""), match[2].lower()
    said = ordinal(number)
    # "2th" is a code.
    mistaken = len(number) < 3 and suffix != "d" and not said.endswith(suffix)
    return None if mistaken else said + (" to" if match[3] else "")


_RATIO = re.compile(rf"{START}({VALUE}):(\d{{1,6}})(?![\d:])( ?[-–—] ?(?=\d{{1,3}}(?::\d\d)?(?![\w/–—-]|[.,]\d)))?")
_TIME_NEXT = re.compile(r"\d{1,3}:\d\d")


def _ratio(match: re.Match[str], scan: Scan) -> str | None:
    """ "3:1" -> "three to one"; chapters and verses, and minutes and seconds, stand without "to"."""
    one, other, to = match.groups()
    verse = scan.last.lower() in words("books.txt")
    timed = to and _TIME_NEXT.match(scan.text, match.end())
    if not verse and not timed and len(other) == 2 and int(other) < 60 and said_before("clocked", scan.said):
        timed = None if follows("odds", scan.text, match.end()) or int(float(one)) + int(other) == 100 else match
    if not verse and not timed:
        return f"{decimal(one)} to {cardinal(other)}"
    if verse:
        said = cardinal(other)
    else:
        said = "minutes" if other == "00" else f"oh {cardinal(other)}" if other[0] == "0" else cardinal(other)
    return f"{decimal(one)} {said}{' to' if to else ''}"


_BOOK = re.compile(r"(?<![\w.,-])([123])(?= [A-Z][a-z]+ \d{1,3}:\d)")
_PRODUCT = re.compile(rf"{START}{VALUE}(?:(?: ?x ?| ?\* ?){VALUE}(?:\^-?\d{{1,4}})?){{1,5}}(?!\w)")
_POWER = re.compile(rf"{START}({VALUE})(?:[eE]([+-]?\d{{1,3}})\b(?![.-])|\^(-?\d{{1,4}}))")
_FOLD = re.compile(rf"{START}(?:({VALUE})[-–])?({VALUE})x\b(?= [a-z]|[.,;:!?]|$)")
_EQUATION = re.compile(rf"{START}({VALUE}) ?[-–—] ?(?=\d[^=]{{0,12}}=)")


def _product(match: re.Match[str], scan: Scan) -> str | None:
    sides = re.split(r" ?[x*] ?", match[0])
    joint = " times " if "*" in match[0] or sides[-1].startswith("10^") else " by "
    said = []
    for side in sides:
        number, _, exponent = side.partition("^")
        said.append(f"{cardinal(number)} {power(exponent)}" if exponent else value(number, scan, match.end()))
    return joint.join(said)


def power(exponent: str) -> str:
    """ "2" -> "squared", "-6" -> "to the power of minus six"."""
    if exponent in ("2", "3"):
        return "squared" if exponent == "2" else "cubed"
    return f"to the power of {'minus ' if exponent[0] == '-' else ''}{cardinal(exponent.lstrip('-'))}"


def _power(match: re.Match[str], scan: Scan) -> str | None:
    if not match[2]:
        return f"{decimal(match[1])} {power(match[3])}"
    minus = "minus " if match[2][0] == "-" else ""
    return f"{decimal(match[1])} times ten to the power of {minus}{cardinal(match[2].lstrip('+-'))}"


def _fold(match: re.Match[str], scan: Scan) -> str | None:
    return f"{decimal(match[1]) + ' to ' if match[1] else ''}{decimal(match[2])} times"


_DECADE = re.compile(rf"{START}(')?(\d{{1,4}})(')?s\b(?!\.? ?\d{{1,2}}d\b)(?P<to> ?[-–] ?(?='?\d{{2,4}}'?s\b))?")
_NAMED_DECADE = re.compile(
    r" (?:[A-Z]|(?:and|or) [a-z]+s\b|(?!(?:this|was|is|has|as|always|plus)\b)[a-z]+(?:s|ic|ion)\b)"
)
_CLOSED = re.compile(r"$|[.;:!?)]")


def _decade(match: re.Match[str], scan: Scan) -> str | None:
    """ "the 1960s", "30s" of a century or of a person, seconds ("it took 30s"), or several ("the 747s")."""
    text, end, number, said = scan.text, match.end(), match[2], scan.said
    to = " to" if match["to"] else ""
    if len(number) == 4:
        return plural_of(year(number)) + to
    tens = number[-1] == "0" and len(number) == 2 and number[0] >= "2"
    if not match[1] and not match[3]:
        timed = said_before("for seconds", said) and not _NAMED_DECADE.match(text, end)
        timed = timed or said.lower().endswith(" in") and _CLOSED.match(text, end) is not None
        timed = timed or follows("of seconds", text, end)
        timed = timed or follows("lasting", text, end) and said_before("one of", said)
        if timed or not tens and not said_before("several", said):
            return f"{cardinal(number)} {'second' if number == '1' or said_before('a', said) else 'seconds'}"
    if tens or match[1]:
        return ("two thousands" if number == "00" else plural_of(cardinal(number))) + to
    if number.strip("0") == "1" and len(number) > 2:
        return plural_of(cardinal(number).removeprefix("one "))
    return plural_of(pairs(number) if len(number) > 2 else cardinal(number))


_YEARS = re.compile(rf"{START}(?<![-/$£€])(1[1-9]\d\d|20\d\d)[-–/](\d\d|1[1-9]\d\d|20\d\d)(?![\w-]|[.,]\d)")
_TO_NOW = re.compile(rf"{START}((?:1\d|20)\d\d)[-–](?=(?:present|now|today)\b)")
_SHORT_YEAR = re.compile(r"(?<!\w)'(\d\d)(?![\d\w])(?:(?P<to>[-–])(?='\d\d\b)|(?!'))")


def short_year(text: str) -> str:
    """A year of two digits: "07" -> "oh seven"."""
    return f"oh {'oh' if text == '00' else cardinal(text)}" if text[0] == "0" else cardinal(text)


def _years(match: re.Match[str], scan: Scan) -> str | None:
    first, second = match.groups()
    if len(second) == 2 and int(second) <= int(first[2:]) and first[2:] != "99":
        return None
    return f"{year(first)} to {short_year(second) if len(second) == 2 else year(second)}"


_GROUPED = re.compile(
    rf"{START}(?:\d{{1,2}}(?: \d{{3}}){{2,5}}|\d{{1,3}}(?:(?: \d{{3}}){{0,4}} 000|(?:\.000){{2,5}}))"
    r"(?![\w.,-]*\w)(?! \d)"
)
_RANGE = re.compile(rf"{START}(?<![\w,-])({VALUE})(?: [-–—] |[-–—]|[–—] ?)(?=({VALUE})(?! ?[-–—=\d]| ?\w+-|[.,]\d))")
_UNIT_NEXT = re.compile(r" ?[a-zA-Z%°]{1,3}\b(?! (?:in|on|at|of)\b)")


def _range(match: re.Match[str], scan: Scan) -> str | None:
    """The lower end of a range: what the upper one is, its own class says."""
    first, second = match.groups()
    if first[0] == "0" and len(first) > 1 and "." not in first:
        return None
    if (first, second) in (("50", "50"), ("24", "7")):
        return cardinal(first)
    measured = " " not in match[0] and _UNIT_NEXT.match(scan.text, match.end(2))
    return f"{quantity(first) if measured else value(first, scan, match.end(2))} to"


CLASSES = [
    Written("decade", _DECADE, _decade),
    Written("year", _SHORT_YEAR, lambda match, scan: short_year(match[1]) + (" to" if match["to"] else "")),
    Written("years", _YEARS, _years),
    Written("years", _TO_NOW, lambda match, scan: f"{year(match[1])} to"),
    Written("ordinal", _BOOK, lambda match, scan: ordinal(match[1]).capitalize()),
    Written("fraction", _OVER, _over),
    Written("fraction", _FRACTION, _fraction),
    Written("ordinal", _ORDINAL, _ordinal),
    Written("cardinal", _GROUPED, lambda match, scan: cardinal(re.sub("[ .]", "", match[0]))),
    Written("product", _PRODUCT, _product),
    Written("power", _POWER, _power),
    Written("fold", _FOLD, _fold),
    Written("ratio", _RATIO, _ratio),
    Written("equation", _EQUATION, lambda match, scan: f"{value(match[1], scan, match.end(1))} minus"),
    Written("range", _RANGE, _range),
]
# What is asked last.
ANY_NUMBER = [Written("cardinal", _CARDINAL, _cardinal), Written("cardinal", _DIGITS, _cardinal)]
