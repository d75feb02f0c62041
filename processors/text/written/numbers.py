"""Numbers in running text: cardinals as their place asks, ordinals, decimals, fractions, ranges, ratios."""

from __future__ import annotations

import re

from processors.text.number_words import cardinal, digits, fraction, hundreds, ordinal, pairs, plural_of, year
from processors.text.written.scan import Scan, Written
from processors.text.written.tables import words

WHOLE = r"(?:\d{1,3}(?:,\d{3}){1,10}(?![\d]|,\d)|\d{1,40}(?!\d))"
VALUE = rf"(?:{WHOLE}(?:\.\d{{1,40}}(?!\d))?|\.\d{{1,40}}(?!\d))"
# Where a number can begin.
START = r"(?<!\w)(?<!\d[.,])"
SCALE = r"(?:hundred|thousand|million|billion|trillion|quadrillion)"
SHORT_SCALES = {"k": "thousand", "m": "million", "mn": "million", "mm": "million", "bn": "billion", "b": "billion",
                "tn": "trillion", "t": "trillion"}  # fmt: skip

# Digits that identify are read one by one: "post office box 2915".
IDENTIFIES = re.compile(
    r"\b(?:box|(?:zip |post|area )?code|pin|zip|extension|serial number|serial|account(?: number)?|licen[sc]e(?: plate)?|"
    r"flight|docket|badge|tag number|phone|telephone|password|isbn|issn|oclc|doi|ending in|ends in|passcode|card(?: number)?|"
    r"I S B N|I S S N)(?: number)?(?: is|:|,)?$",
    re.I,
)
_NUMBERED = re.compile(r"\bnumbers?$", re.I)
# Three digits after these are read in two groups: "Exhibit Number 143", "page 249", "Room 237".
_NAMED = re.compile(
    r"\b(?:exhibits?(?: number)?|number|pages?|room|route|highway|interstate|flight|suite|apartment|building|"
    r"iq of|P S|psalm|bus|train|channel|boeing|airbus)$",
    re.I,
)
_BEFORE_YEAR = re.compile(
    r"\b(?:in|since|until|till|til|by|years?|before|after|circa|early|late|dated|spring|summer|autumn|fall|winter|"
    r"january|february|march|april|may|june|july|august|september|october|november|december|ad|quarter|Q \w+(?: of)?)$",
    re.I,
)
_YEAR_NEXT = re.compile(r"(?:^|\W)(?:in|year|since|until|till|A D)$", re.I)
_STARTS_WITH_YEAR = re.compile(r"(?:^|[.!?;:] )In$|\bQ \w+(?: of)?$")
_QUANTITY = re.compile(
    r"\b(?:than|over|under|nearly|almost|approximately|some|only|total of|contained|exactly|another|were|was|are|"
    r"amounted to|upwards of|exceed|exceeded|exceeding|least|most|maximum of|minimum of|average of|sum of|worth|paid|"
    r"cost|costs)$",
    re.I,
)
# What is always counted, and plurals that may be: "1308 prisoners", but "the 1960 elections".
_COUNTED = re.compile(
    r" (?:[a-z]+ )?(?:people|men|women|children|feet|percent|persons|prisoners|dollars|pounds|words|votes|tons|acres|"
    r"miles|yards|meters|metres|kilometers|kilometres|soldiers|troops|students|inhabitants|francs|rupees|copies|gallons|"
    r"bushels|volts|degrees|hours|minutes|seconds|sleeping)\b"
)
_PLURAL = re.compile(
    r" (?!(?:was|is|has|his|its|this|as|does|goes|us|always|perhaps|thus|plus|across|less|unless|towards|besides|"
    r"whereas|afterwards|census|games|series|olympics|news|congress)\b)"
    r"(?:(?!and|or|to|the|of|in|it|he|she|we|they|there|when|which|that|who)[a-z]+ )?"
    r"(?!(?:was|is|has|his|its|this|as|does|goes|us|always)\b)[a-z]{2,}s\b(?!')"
)
_AFTER_ARTICLE = re.compile(r"\b(?:the|in|of|his|her|their|our|its)$", re.I)
_ERA = re.compile(r",? ?(?:B\.? ?C|A\.? ?D|BCE|CE)\b")
_AFTER_SHORT_YEAR = re.compile(r"[,;)]|\.?$|\.? [A-Z]| (?:he|she|it|they|when|the|his|after|before)\b")
_ADDRESS = re.compile(r"\baddress(?:es)?(?: of|:)?$", re.I)
_CALLED = re.compile(r"\b(?:call|calls|called|calling|dial|dials|dialed|dialled|dialing|phoned)$", re.I)
_CALL = re.compile(r" (?:calls?|callers?|operators?|dispatch\w*|emergency|emergencies)\b")
_PEOPLE_CALLED = re.compile(
    r" (?!for\b|to\b|and\b|in\b|on\b|at\b)(?:[a-z]+ )?(?!times\b|minutes\b|hours\b)(?:[a-z]{3,}s|people|men|women)\b"
)
_FAILURE = re.compile(r" (?:errors?|response|not found|page(?= [^a-z]|$))\b|$", re.I)


def integer(text: str, scan: Scan, end: int) -> str:
    """Words of a whole number (commas allowed) that ends at `end`, as its place asks: a quantity, a year, a name.

    "1963" in "of 1963" -> "nineteen sixty-three"; in "1963 men" -> "one thousand nine hundred sixty-three".
    """
    before, whole = scan.said, scan.text
    if "," in text:
        value = text.replace(",", "")
        if len(value) > 4 and _NUMBERED.search(before):
            return digits(value)
        round_number = len(value) == 4 and value[0] == "1" and value[1] != "0" and value.endswith("00")
        return hundreds(value) if round_number else cardinal(value)
    if len(text) > 1 and text[0] == "0":
        return digits(text, "oh" if len(text) < 4 else "zero")
    if len(text) > 12 and text.rstrip("0") != text[0]:
        return digits(text)
    if len(text) >= 3 and IDENTIFIES.search(before) or len(text) >= 5 and _NUMBERED.search(before):
        return digits(text)
    if len(text) == 4:
        return _four(text, whole, before, end)
    return _three(text, whole, before, end) if len(text) == 3 else cardinal(text)


def _four(text: str, whole: str, before: str, end: int) -> str:
    if _ERA.match(whole, end):
        return year(text)
    if _ADDRESS.search(before):
        return pairs(text)
    if "1000" <= text <= "2099" and not _COUNTED.match(whole, end):
        plural = _PLURAL.match(whole, end) and not _AFTER_ARTICLE.search(before)
        if _STARTS_WITH_YEAR.search(before) or _YEAR_NEXT.search(before) and not plural:
            return year(text)
        if text >= "1010" and not plural and not _QUANTITY.search(before):
            return year(text)
        if text >= "1100" and _BEFORE_YEAR.search(before) and not _PLURAL.match(whole, end):
            return year(text)
    elif "1000" <= text <= "2099" and _STARTS_WITH_YEAR.search(before):
        return year(text)
    return hundreds(text) if text.endswith("00") and text[1] != "0" else cardinal(text)


def _three(text: str, whole: str, before: str, end: int) -> str:
    if _ERA.match(whole, end):
        return pairs(text)
    if text in ("911", "112", "999"):
        called = _CALLED.search(before) and not _PEOPLE_CALLED.match(whole, end)
        if called or _CALL.match(whole, end):
            return digits(text)
    if text in ("403", "404", "500", "502", "503") and re.search(r"\ban?$", before) and _FAILURE.match(whole, end):
        return pairs(text)
    if text.endswith("00"):
        return cardinal(text)
    if _YEAR_NEXT.search(before) and _AFTER_SHORT_YEAR.match(whole, end):
        return pairs(text)
    counted = re.match(r"[ -][a-z]+", whole[end : end + 20]) and not re.match(
        r" (?:and|or|to|was|is|in|at)\b", whole[end:]
    )
    return pairs(text) if _NAMED.search(before) and not counted else cardinal(text)


def decimal(text: str) -> str:
    """ "11.2" -> "eleven point two", ".5" -> "point five"; commas allowed."""
    whole, _, part = text.replace(",", "").partition(".")
    return f"{cardinal(whole) if whole else ''} {'point ' + digits(part) if part else ''}".strip()


def quantity(text: str) -> str:
    """Words of a number that is counted or measured: "1234" kilograms are no year."""
    rounded = re.fullmatch(r"1[1-9]00", text.replace(",", "", 1))
    return hundreds(text.replace(",", "")) if rounded else decimal(text)


def value(text: str, scan: Scan, end: int) -> str:
    """Words of a number with or without decimals that ends at `end`."""
    return decimal(text) if "." in text else integer(text, scan, end)


def counts_many(text: str, end: int) -> bool:
    """Whether many of something follow: "3K followers", but no "10K run"."""
    following = r" (?:of|people|men|women|children|(?!races|runs|walks|times|events|videos|screens|displays)[a-z]+s)\b"
    return re.match(following, text[end : end + 16]) is not None


def _cardinal(match: re.Match[str], scan: Scan) -> str | None:
    sign, number, scale, joint = (match["sign"] or "").strip(), match["number"], match["scale"], match["to"]
    sign = {"-": "minus", "−": "minus", "+": "plus", "±": "plus or minus", "~": "about", "": ""}[sign]
    if scale and len(scale.strip()) < 3:
        short = SHORT_SCALES.get(scale.strip().lower())
        if not short or not ("." in number or counts_many(scan.text, match.end()) and scale.strip() != "B"):
            return None
        scale = " " + short
    caliber = re.match(
        r"[- ](?:caliber|calibre|magnum|special|revolver|automatic|pistol|rifle)\b",
        scan.text[match.end("number") :][:14],
        re.I,
    )
    if caliber and re.fullmatch(r"\.\d{2,3}", number):
        return pairs(number[1:]) if len(number) == 4 else cardinal(number[1:])
    said = decimal(number) if scale else value(number, scan, match.end("number"))
    return f"{sign} {said}{scale or ''}{' to' if joint is not None else ''}".strip()


def _fraction(match: re.Match[str], scan: Scan) -> str | None:
    whole, upper, lower, joint = match["whole"], match["upper"], match["lower"], match["to"]
    special = {"9/11": "nine eleven", "24/7": "twenty-four seven", "50/50": "fifty fifty", "20/20": "twenty twenty"}
    if not whole and match[0] in special:
        return special[match[0]]
    lower = lower.replace(",", "")
    said = fraction(upper, lower)
    if whole:
        said = re.sub("^one (?=half|quarter)", "a ", said)
        said = f"{cardinal(whole.replace(',', ''))} and {said}"
    return f"{'minus ' if match['sign'] else ''}{said}{' to' if joint is not None else ''}"


def _over(match: re.Match[str], scan: Scan) -> str | None:
    """ "120/80" of a pulse is no fraction."""
    return f"{cardinal(match[1])} over" if int(match[1]) > int(match[2]) > 20 else None


def _ordinal(match: re.Match[str], scan: Scan) -> str | None:
    number, joint = match[1].replace(",", ""), match[3]
    if match[2].lower() != "d" and len(number) < 3 and ordinal(number[-2:])[-2:] != match[2].lower():
        return None
    return ordinal(number) + (" to" if joint else "")


def _ratio(match: re.Match[str], scan: Scan) -> str | None:
    one, other, rest = match[1], match[2], match[3]
    cited = scan.last.lower() in words("books.txt")
    if cited or rest and re.match(r"\d{1,3}:\d\d", scan.text[match.end() :]) and int(one) < 200:
        joint = " to" if rest else ""
        return f"{cardinal(one)} {_clock_part(other, cited)}{joint}"
    clocked = re.search(
        r"\b(?:in|at|took|takes?|lasts?|lasted|after|under|until|till|time of|then|mark|ran|to|watch)$", scan.said, re.I
    )
    odds = re.match(r" (?:ratio|score|odds|split|mix|win|lead|vote)", scan.text[match.end() :][:8])
    if len(other) == 2 and int(other) < 60 and clocked and not odds and int(one) + int(other) != 100:
        return f"{cardinal(one)} {_clock_part(other, False)}"
    return f"{decimal(one)} to {cardinal(other)}"


def _clock_part(text: str, cited: bool) -> str:
    if text == "00" and not cited:
        return "minutes"
    return f"oh {cardinal(text)}" if text[0] == "0" and not cited else cardinal(text)


def _times(match: re.Match[str], scan: Scan) -> str | None:
    sides = re.split(r" ?[x*] ?", match[0])
    joint = " times " if "*" in match[0] or sides[-1].startswith("10^") else " by "
    return joint.join(_side(side, scan, match.end()) for side in sides)


def _side(text: str, scan: Scan, end: int) -> str:
    number, _, power = text.partition("^")
    said = cardinal(number) if power else value(number, scan, end)
    return said + (_power(power) if power else "")


def _power(text: str) -> str:
    if text in ("2", "3"):
        return " squared" if text == "2" else " cubed"
    return f" to the power of {'minus ' if text[0] == '-' else ''}{cardinal(text.lstrip('-'))}"


def _exponent(match: re.Match[str], scan: Scan) -> str | None:
    if match[2]:
        power = match[2].lstrip("+")
        return f"{decimal(match[1])} times ten{_power(power) if power not in '23' else ' to the power of ' + cardinal(power)}"
    return f"{decimal(match[1])}{_power(match[3])}"


def _decades(match: re.Match[str], scan: Scan) -> str | None:
    text, start, end = scan.text, match.start(), match.end()
    number = match[2]
    joint = " to" if match[4] else ""
    if len(number) == 4:
        return plural_of(year(number)) + joint
    tens = number[-1] == "0" and len(number) == 2 and "2" <= number[0]
    if not match[1] and not match[3]:
        # "it took 30s", "a 30s clip" are seconds.
        timed = _FOR_SECONDS.search(scan.said) and not _NAMED_DECADE.match(text, end)
        timed = timed or re.search(r"\b[Ii]n$", scan.said) and re.match(r"$|[.;:!?)]", text[end : end + 1])
        timed = (
            timed
            or _TIMED.match(text, end)
            and re.search(r"\b(?:an?|one|each|every|another|this|per)$", scan.said, re.I)
        )
        timed = timed or re.match(r" (?:mark|timer|limit|delay|timeout|interval)s?\b", text[end : end + 10])
        several = re.search(
            r"\b(?:the|these|those|many|several|two|three|four|five|six|seven|eight|nine|ten|and|boeing|airbus)$",
            scan.said,
            re.I,
        )
        if timed or not tens and not several:
            one = re.search(r"\ban?$", scan.said, re.I) is not None
            return f"{cardinal(number)} {'second' if one or number == '1' else 'seconds'}"
    if tens or match[1]:
        return ("two thousands" if number == "00" else plural_of(cardinal(number))) + joint
    if number.strip("0") == "1" and len(number) > 2:
        return plural_of(cardinal(number).removeprefix("one "))
    return plural_of(pairs(number) if len(number) > 2 else cardinal(number))


_FOR_SECONDS = re.compile(
    r"\b(?:took|takes?|taking|lasts?|lasted|wait|waits|waited|waiting|after|for|within|every|another|just|only|exactly|"
    r"about|nearly|almost|approximately|roughly|least|most|maximum of|minimum of)$",
    re.I,
)
_NAMED_DECADE = re.compile(
    r" (?:[A-Z]|(?:and|or) [a-z]+s\b|(?!(?:this|was|is|has|as|always|plus)\b)[a-z]+(?:s|ic|ion)\b)"
)
_TIMED = re.compile(
    r"[ -](?:mark|timer|limit|delay|timeout|interval|countdown|sprint|plank|clip|window|video|pause|break)s?\b"
)


def _years(match: re.Match[str], scan: Scan) -> str | None:
    first, second = match[1], match[2]
    if len(second) == 2 and int(second) <= int(first[2:]) and first[2:] != "99":
        return None
    short = f"oh {cardinal(second)}" if second[0] == "0" else cardinal(second)
    return f"{year(first)} to {short if len(second) == 2 else year(second)}"


def _short_year(match: re.Match[str], scan: Scan) -> str | None:
    said = "oh oh" if match[1] == "00" else f"oh {cardinal(match[1])}" if match[1][0] == "0" else cardinal(match[1])
    return said + (" to" if match["to"] else "")


def _equation(match: re.Match[str], scan: Scan) -> str | None:
    return f"{value(match[1], scan, match.end(1))} minus"


def _grouped(match: re.Match[str], scan: Scan) -> str | None:
    return cardinal(re.sub("[ .]", "", match[0]))


def _range(match: re.Match[str], scan: Scan) -> str | None:
    first, second = match[1], match[2]
    if first[0] == "0" and len(first) > 1 and "." not in first:
        return None
    joint = "" if (first, second) in (("50", "50"), ("24", "7")) else " to"
    measured = re.match(r" ?[a-zA-Z%°]{1,3}\b(?! (?:in|on|at|of)\b)", scan.text[match.end(2) :][:8]) is not None
    return f"{quantity(first) if measured and len(first) < 5 and match[0].strip().find(' ') < 0 else value(first, scan, match.end(2))}{joint}"


def _fold(match: re.Match[str], scan: Scan) -> str | None:
    first = f"{decimal(match[1])} to " if match[1] else ""
    return f"{first}{decimal(match[2])} times"


CLASSES = [
    Written("decade", re.compile(rf"{START}(')?(\d{{1,4}})(')?s\b(?!\.? ?\d{{1,2}}d\b)([-–](?='?\d{{2,4}}'?s\b))?"), _decades),
    Written("year", re.compile(r"(?<!\w)'(\d\d)(?![\d\w])(?:(?P<to>[-–])(?='\d\d\b)|(?!'))"), _short_year),
    Written("years", re.compile(rf"{START}(?<![-/$£€])(1[1-9]\d\d|20\d\d)[-–/](\d\d|1[1-9]\d\d|20\d\d)(?![\w-]|[.,]\d)"), _years),
    Written("years", re.compile(rf"{START}((?:1\d|20)\d\d)[-–](?=(?:present|now|today)\b)"), lambda m, s: f"{year(m[1])} to"),
    Written("number", re.compile(r"(?<![\w.,-])([123])(?= [A-Z][a-z]+ \d{1,3}:\d)"), lambda m, s: ordinal(m[1]).capitalize()),
    Written("fraction", re.compile(r"(?<![\w.,/])(\d{2,3})/(?=(\d{2,3})(?![\d/]|,\d))"), _over),
    Written("fraction", re.compile(
        rf"(?<![\w.,/])(?P<sign>-)?(?:(?P<whole>{WHOLE})(?: {{1,2}}|-| and ))?(?P<upper>\d{{1,9}})/(?P<lower>\d{{1,3}}|\d{{1,3}},000|\d{{4,6}})"
        r"(?![\d/]|,\d)(?:(?i:st|nd|rd|th)s?\b)?(?:[-–](?=\d{1,2}(?:/\d{1,2})?(?![\w/-]))(?P<to>)|(?P<none>))"), _fraction),
    Written("ordinal", re.compile(
        rf"{START}({WHOLE})(?:(st|nd|rd|th|(?<=[23])d(?= (?-i:[A-Z])))\b)(?:( ?[-–] ?)(?=\d{{1,6}}(?:st|nd|rd|th)\b))?", re.I), _ordinal),
    Written("number", re.compile(rf"{START}(?:\d{{1,2}}(?: \d{{3}}){{2,5}}|\d{{1,3}}(?:(?: \d{{3}}){{0,4}} 000|(?:\.000){{2,5}}))(?![\w.,-]*\w)(?! \d)"), _grouped),
    Written("product", re.compile(rf"{START}{VALUE}(?:(?: ?x ?| ?\* ?){VALUE}(?:\^-?\d{{1,4}})?){{1,5}}(?!\w)"), _times),
    Written("power", re.compile(rf"{START}({VALUE})(?:[eE]([+-]?\d{{1,3}})\b(?![.-])|\^(-?\d{{1,4}}))"), _exponent),
    Written("fold", re.compile(rf"{START}(?:({VALUE})[-–])?({VALUE})x\b(?= [a-z]|[.,;:!?]|$)"), _fold),
    Written("ratio", re.compile(rf"{START}({VALUE}):(\d{{1,6}})(?![\d:])( ?[-–—] ?(?=\d{{1,3}}(?::\d\d)?(?![\w/–—-]|[.,]\d)))?"), _ratio),
    Written("equation", re.compile(rf"{START}({VALUE}) ?[-–—] ?(?=\d[^=]{{0,12}}=)"), _equation),
    Written("range", re.compile(rf"{START}(?<![\w,-])({VALUE})(?: [-–—] |[-–—]|[–—] ?)(?=({VALUE})(?! ?[-–—=\d]| ?\w+-|[.,]\d))"), _range),
    Written("number", re.compile(
        rf"(?<![\w.])(?:(?P<sign>[-−+±]|~ ?))?(?P<number>{VALUE})(?P<scale>[ -]{SCALE}\b|(?:[kKMB]|bn|tn|mn)\b(?!\.\w))?(?:(?P<to>)(?!))?"), _cardinal),
    Written("number", re.compile(rf"(?P<sign>(?!))?(?P<number>{VALUE}|\d+)(?P<scale>(?!))?(?P<to>(?!))?"), _cardinal),
]  # fmt: skip
