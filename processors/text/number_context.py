"""How a whole number is said where it stands: as a quantity, a year, a house number or an identifier."""

from __future__ import annotations

import re

from processors.text.number_words import cardinal, digits, hundreds, pairs, year

# Digits that identify are read one by one: "post office box 2915".
_BEFORE_DIGITS = re.compile(
    r"\b(?:box|code|pin|zip|extension|ext|serial number|serial|account number|account|license|licence|flight|docket|"
    r"badge|"
    r"tag number|phone|telephone|password|isbn)(?: number)?[,:]? $",
    re.I,
)
# Three digits after these are read in two groups: "Exhibit Number 143", "page 249", "Room 237".
_BEFORE_PAIRS = re.compile(
    r"\b(?:exhibit(?: number)?|number|page|pages|room|route|highway|interstate|flight|suite|apartment|building|"
    r"iq of|P S|psalm|"
    r"bus|train|channel|area code|boeing|airbus|exhibits) $",
    re.I,
)
_BEFORE_NUMBER_WORD = re.compile(r"\bnumbers? $", re.I)
_BEFORE_YEAR = re.compile(
    r"\b(?:in|since|until|till|til|by|year|years|before|after|circa|early|late|dated|spring|summer|autumn|fall|winter|"
    r"january|february|march|april|may|june|july|august|september|october|november|december|ad) $",
    re.I,
)
_JUST_BEFORE_YEAR = re.compile(r"(?:^|\W)(?:in|year|since|until|till|A D) $", re.I)
# "In 1853 three officers": at the start of a sentence it is a year, whatever follows.
_STARTS_WITH_YEAR = re.compile(r"(?:^|[.!?;:] )In $")
_QUANTITY = re.compile(
    r"\b(?:than|over|under|nearly|almost|approximately|some|only|total of|contained|exactly|another|were|was|are|"
    r"amounted to|"
    r"upwards of|exceed|exceeded|exceeding|least|most|maximum of|minimum of|average of|sum of|worth|paid|cost|costs) $",
    re.I,
)
# What is always counted, and plurals that may be: "1308 prisoners", but "the 1960 elections".
_COUNTED = re.compile(
    r" (?:[a-z]+ )?(?:people|men|women|children|feet|percent|persons|prisoners|dollars|pounds|words|votes|tons|"
    r"acres|miles|"
    r"yards|meters|metres|kilometers|kilometres|soldiers|troops|students|inhabitants|francs|rupees|copies|gallons|"
    r"bushels|volts|"
    r"degrees|hours|minutes|seconds|sleeping)\b"
)
_PLURAL = re.compile(
    r" (?!(?:was|is|has|his|its|this|as|does|goes|us|always|perhaps|thus|plus|across|less|unless|towards|besides|"
    r"whereas|afterwards|"
    r"census|games|series|olympics|news|congress)\b)"
    r"(?:(?!and|or|to|the|of|in|it|he|she|we|they|there|when|which|that|who)[a-z]+ )?"
    r"(?!(?:was|is|has|his|its|this|as|does|goes|us|always)\b)[a-z]{2,}s\b(?!')"
)
_AFTER_ARTICLE = re.compile(r"\b(?:the|in|of|his|her|their|our|its) $", re.I)
_ERA = re.compile(r",? ?(?:B ?C|A ?D|BCE|CE|B\.C|A\.D)\b")
_AFTER_SHORT_YEAR = re.compile(r"[,;)]|\.?$|\.? [A-Z]| (?:he|she|it|they|when|the|his|after|before)\b")
_ADDRESS = re.compile(r"\baddress(?:es)?(?: of|:)? $", re.I)
_STREET = re.compile(
    r" (?:North|South|East|West|[NSEW]\b\.?|(?:[A-Z][a-z]+|\w+(?:st|nd|rd|th)) (?:Street|Avenue|Road|Drive|Lane|"
    r"Boulevard|Place|Court|"
    r"Way|Square)\b)"
)


# "123 045 789 people" is one number: no number of a list begins with 0. All others may be lists: "110 220 330 tons".
_THREES = re.compile(r"(?<![\w.,+/-])(?<!\d )[1-9]\d\d(?: \d{3}){2,3}(?![\w.,-]*\w)(?! \d)")
_THAT_MANY = re.compile(r" (?:people|persons|inhabitants|votes|dollars|pounds|francs|rupees|copies|tons|acres)\b")
_POPULATION = re.compile(r"\bpopulation of (?:about |nearly |almost |over |some )?$")


def join_thousands(text: str) -> str:
    """ "123 045 789 people" -> "123045789 people"."""

    def joined(match: re.Match[str]) -> str:
        whole, start, end = match.string, match.start(), match.end()
        certain = " 0" in match[0] and _THAT_MANY.match(whole, end)
        certain = certain or _POPULATION.search(whole, max(0, start - 24), start)
        return match[0].replace(" ", "") if certain else match[0]

    return _THREES.sub(joined, text)


def spoken_whole(text: str, whole: str, start: int, end: int) -> str:
    """Words of the digits `text` (commas allowed), which stand at `whole[start:end]`.

    "1963" in "of 1963" -> "nineteen sixty-three"; in "1963 men" -> "one thousand nine hundred sixty-three".
    """
    before = whole[max(0, start - 24) : start]
    if "," in text:
        value = text.replace(",", "")
        if len(value) > 4 and _BEFORE_NUMBER_WORD.search(before):
            return digits(value)
        return (
            hundreds(value)
            if len(value) == 4 and value[0] == "1" and value[1] != "0" and value.endswith("00")
            else cardinal(value)
        )
    if len(text) > 1 and text[0] == "0":
        return digits(text, "oh" if len(text) < 4 else "zero")
    if len(text) > 12 and text.rstrip("0") != text[0]:
        return digits(text)
    if len(text) >= 3 and _BEFORE_DIGITS.search(before):
        return digits(text)
    if len(text) >= 5 and _BEFORE_NUMBER_WORD.search(before):
        return digits(text)
    if len(text) == 4:
        return _four(text, whole, before, end)
    if len(text) == 3:
        return _three(text, whole, before, start, end)
    return cardinal(text)


def _four(text: str, whole: str, before: str, end: int) -> str:
    if _ERA.match(whole, end):
        return year(text)
    if _STREET.match(whole, end) or _ADDRESS.search(before):
        return pairs(text)
    if "1900" <= text <= "2099" and _QUARTER.search(before):
        return year(text)
    if "1000" <= text <= "2099" and _STARTS_WITH_YEAR.search(before):
        return year(text)
    if "1000" <= text <= "2099" and not _COUNTED.match(whole, end):
        plural = _PLURAL.match(whole, end) and not _AFTER_ARTICLE.search(before)
        if _JUST_BEFORE_YEAR.search(before) and not plural:
            return year(text)
        if text >= "1100" and not plural and not _QUANTITY.search(before):
            return year(text)
        if text >= "1100" and _BEFORE_YEAR.search(before) and not _PLURAL.match(whole, end):
            return year(text)
    return hundreds(text) if text.endswith("00") and text[1] != "0" else cardinal(text)


# Numbers of airliners and for help are names: "a 747", "call 911".
_AIRLINER = re.compile(r"7[0-8]7")
_ONE_OF_ITS_KIND = re.compile(r"\b(?:a|the|this|that|another|each|every|of) $", re.I)
_CALLED = re.compile(r"\b(?:call|calls|called|calling|dial|dials|dialed|dialled|dialing|phoned|ring|rang) $", re.I)
_SERVICES = frozenset("111 112 211 311 411 511 811 911 999".split())
# "He called 511 customers", but "called 911 three times".
_CALLED_PEOPLE = re.compile(
    r" (?:(?:local|other|different|more|new|possible|potential|random|registered) )?"
    r"(?!(?:was|is|has|his|this|as|always|perhaps|unless|besides|across|towards|sometimes|times|minus|plus)\b)[a-z]{2,}s\b"
)
_LATER = re.compile(r" (?:seconds|minutes|hours|days) (?:after|before|later|earlier|ago)\b")
_CALL = re.compile(r" (?:calls?|callers?|operators?|dispatch\w*|emergency|emergencies)\b")
# What has many pages: "a 404 page report".
_FAILURE = re.compile(
    r" (?:errors?|response|not found|page(?!s| (?:book|report|novel|document|volume|manuscript|thesis|dissertation|"
    r"biography|history|study|tome|manual|memoir|bill|file|pdf|ruling|opinion|indictment|edition)))\b",
    re.I,
)
_TOTAL = re.compile(r"\b(?:total|sum|average|maximum|minimum|score) of $", re.I)
_AMOUNT = re.compile(
    r"[ -](?:page|foot|feet|mile|day|year|seat|room|acre|ton|pound|dollar|word|bed|point|man|men|woman|women|people|"
    r"children|persons)\b"
)
_QUARTER = re.compile(r"\bQ (?:one|two|three|four) (?:of )?$")


def _three(text: str, whole: str, before: str, start: int, end: int) -> str:
    round_number = text.endswith("00")
    if _ERA.match(whole, end):
        return pairs(text)
    if not round_number and _JUST_BEFORE_YEAR.search(before) and _AFTER_SHORT_YEAR.match(whole, end):
        return pairs(text)
    people = (_COUNTED.match(whole, end) or _CALLED_PEOPLE.match(whole, end)) and not _LATER.match(whole, end)
    called = _CALLED.search(before) and not people
    if text in _SERVICES and (called or _CALL.match(whole, end)):
        return digits(text)
    if text in ("403", "404", "500", "502", "503") and _FAILURE.match(whole, end):
        return pairs(text)
    counted = _TOTAL.search(before) or _AMOUNT.match(whole, start + len(text)) or _PLURAL.match(whole, end)
    if _AIRLINER.fullmatch(text) and _ONE_OF_ITS_KIND.search(before) and not counted:
        return pairs(text)
    if not round_number and (_BEFORE_PAIRS.search(before) or _STREET.match(whole, end)):
        return pairs(text)
    return cardinal(text)
