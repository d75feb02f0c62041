"""Dates: days, months, years and weekdays, in words or digits."""

from __future__ import annotations

import re

from processors.text.number_words import ordinal, year
from processors.text.written.cues import said_before
from processors.text.written.numbers import short_year
from processors.text.written.scan import Scan, Written

MONTHS = "January February March April May June July August September October November December".split()
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_NAMES = {name[:3].lower(): name for name in [*MONTHS, *_DAYS]} | {name.lower(): name for name in [*MONTHS, *_DAYS]}
_NAMES |= {"sept": "September", "tues": "Tuesday", "thur": "Thursday", "thurs": "Thursday"}
# Names in small letters that are no other word.
NAMES = frozenset(_NAMES) - {"sun", "sat", "wed", "mon"}
_LONGEST_FIRST = sorted(_NAMES, key=len, reverse=True)
_MONTH = rf"(?:(?:{'|'.join(name for name in _LONGEST_FIRST if _NAMES[name] in MONTHS)})\b\.?)"
_WEEKDAY = "|".join(name for name in _LONGEST_FIRST if _NAMES[name] in _DAYS)
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_NTH = r"(?:st|nd|rd|th)"
_YEAR = r"(?:(?:[12]\d{3}|[1-9]\d\d)(?!\d|[.,]\d))"
_END = r"(?![\w/-]|[.,:]\d)"
_DASH = r"(?: ?[-–—] ?)"


def date(year_text: str, month_text: str, day: str) -> str | None:
    """ "2015", "3", "14" -> "March fourteenth, twenty fifteen"; None if there is no such day."""
    if not (1 <= int(month_text) <= 12 and 1 <= int(day) <= 31):
        return None
    return f"{MONTHS[int(month_text) - 1]} {ordinal(day)}, {any_year(year_text)}"


def any_year(text: str) -> str:
    """A year of two or more digits."""
    return year(text) if len(text) > 2 else short_year(text)


_ISO = re.compile(
    r"(?<![\w/.-])([12]\d{3})([-/.])(0?[1-9]|1[0-2])\2(0?[1-9]|[12]\d|3[01])(?:T(?=\d\d:)|(?![\w/-]|\.\d))"
)
_SEPARATED = re.compile(r"(?<![\w/.-])(\d{1,2})([-/.])(\d{1,2})\2((?:1[5-9]|20)\d\d|(?<=/)\d\d)" + _END)
_DAY_OF = re.compile(r"(?<![\w/.-])(\d{1,2})/(\d{1,2})(?![\w/-]|[.,]\d)")
_PART_OF_YEAR = re.compile(r"(?<![\w/.-])([1-4]Q|[12]H)(\d\d|20\d\d)\b")
_PARTS = {"1Q": "first quarter", "2Q": "second quarter", "3Q": "third quarter", "4Q": "fourth quarter",
          "1H": "first half", "2H": "second half"}  # fmt: skip
# "reduced by 1/16" and "on 1/24 scale" are fractions.
_MEASURED = re.compile(
    r"[ -](?:scale|size|inch(?:es)?|in\.|of (?!this|last|next|that|each|every|[12]\d{3}\b)|to \d{1,2}/(?:16|20|24)\b|"
    r"(?:cup|mile|second|pound|ounce|acre|share|yard|note|point)s?\b)|\""
)
_CHANGED = re.compile(
    r"\b(?:(?:reduc|decreas|increas|lower|rais|divid|multipl|grow|dropp|fall|cut|ris)\w*|less|more|\w+er) by$"
)


def _iso(match: re.Match[str], scan: Scan) -> str | None:
    said = date(match[1], match[3], match[4])
    return said and said + ("," if match[0].endswith("T") else "")


def _separated(match: re.Match[str], scan: Scan) -> str | None:
    one, separator, other, last = match.groups()
    day_first = int(one) > 12 or separator == "."
    return date(last, other, one) if day_first else date(last, one, other)


def _day_of(match: re.Match[str], scan: Scan) -> str | None:
    """ "on 25/12", "by 9/30": a day where no fraction is meant."""
    one, other = int(match[1]), int(match[2])
    part = other in (16, 20, 24) and one < other
    part = part and bool(_MEASURED.match(scan.text, match.end()) or _CHANGED.search(scan.said))
    if not said_before("on a day", scan.said) or max(one, other) <= 12 and not scan.said.endswith(" to") or part:
        return None
    month, day = (other, one) if one > 12 else (one, other)
    return f"{MONTHS[month - 1]} {ordinal(str(day))}" if 1 <= month <= 12 and 1 <= day <= 31 else None


_DAY_MONTH = re.compile(
    rf"(?<![\w.,:/])(?<!\d-)(?:({_DAY}){_NTH}?({_DASH}| to | and | or ))?({_DAY})({_NTH})?( of)? ({_MONTH})(?!\w)"
    rf"(?:(,?) ({_YEAR}))?(?P<to>(?: [-–—] |[-–—])(?={_DAY}{_NTH}? {_MONTH}(?!\w)))?",
    re.I,
)
# Behind these a number counts: "Jan 5 times", "mar 10 years".
_MONTH_DAY = re.compile(
    rf"(?<![\w.])({_MONTH}),? ({_DAY})({_NTH})?\b(?:{_DASH}({_DAY}){_NTH}?(?![\w/:-]))?(?![%:/°]|[.,]\d)"
    r"(?! (?:times?|percent|people|men|women|children|(?:second|minute|hour|day|week|month|year|page|point|mile|meter|"
    rf"dollar|pound)s?)\b)(?:(,?) ({_YEAR})(?!-))?(?P<to>{_DASH}(?={_MONTH} \d))?",
    re.I,
)
_MONTH_YEAR = re.compile(rf"(?<![\w.])({_MONTH})(,? of |, | )([12]\d{{3}})\b(?![,.]?\d)", re.I)
_HYPHENED = re.compile(
    rf"(?<![\w.])(?:({_MONTH})[-/]({_DAY})|({_DAY})[-/]({_MONTH}))(?:[-/](\d{{4}}|\d\d))?{_END}", re.I
)
_MONTHS_TO = re.compile(rf"(?<![\w.])({_MONTH})[-–](?={_MONTH}(?!\w))", re.I)
_CLOSED = re.compile(
    r"$|[.,;:!?)]| (?:at|in|on|to(?! go\b)|from|by|until|and|or|for|we|he|she|they|it|I|the|is|was|had|will|with)\b"
)


def _month(text: str, scan: Scan, sure: str | None) -> str | None:
    """The month, or None if the word is rather another: "may 5 people"."""
    bare = text.rstrip(".")
    doubtful = bare in ("may", "march", "mar") and not sure and not said_before("around a month", scan.said)
    return None if doubtful else _NAMES[bare.lower()]


def _day_month(match: re.Match[str], scan: Scan) -> str | None:
    first, joint, day, nth, of, name, comma, last, to = match.groups()
    month, end = _month(name, scan, last or nth), match.end()
    # "5 Feb", "on 5 Mar we left", but "the 5 Jan bought".
    surname = name in ("Jan", "Mar", "Jun") and not (last or nth or of) and not _CLOSED.match(scan.text, end)
    if month is None or surname:
        return None
    words = f"{ordinal(day)}{of or ''} {month}"
    if first:
        # "2 and 3 May" are two days, "9 to 5 May" is no range.
        days = int(first) < int(day)
        joint = joint if joint.strip() in ("to", "and", "or") else " to "
        words = f"{ordinal(first) if days else first}{joint}{words}"
    words += f"{comma} {year(last)}" if last else ""
    stop = "." if name.endswith(".") and not last and scan.closes(end) else ""
    return f"{words}{' to' if to else stop}"


def _month_day(match: re.Match[str], scan: Scan) -> str | None:
    name, day, nth, last, comma, year_text, to = match.groups()
    month = _month(name, scan, year_text or nth)
    # "March 1-0" is a score.
    if month is None or last and not int(day) < int(last):
        return None
    words = f"{month} {ordinal(day)}{f' to {ordinal(last)}' if last else ''}"
    return f"{words}{f'{comma} {year(year_text)}' if year_text else ''}{' to' if to else ''}"


def _month_year(match: re.Match[str], scan: Scan) -> str | None:
    month = _month(match[1], scan, match[3])
    return month and f"{month}{match[2].rstrip()} {year(match[3])}"


def _hyphened(match: re.Match[str], scan: Scan) -> str | None:
    """ "Jan-15-2020", "15-Jan-2020"."""
    name, day, last = match[1] or match[4], match[2] or match[3], match[5]
    return f"{_NAMES[name.rstrip('.').lower()]} {ordinal(day)}{', ' + any_year(last) if last else ''}"


_WEEKDAYS_LISTED = re.compile(rf"\b(?:{_WEEKDAY})(?:/(?:{_WEEKDAY})){{1,6}}\b", re.I)
_WEEKDAYS_TO = re.compile(
    rf"\b({_WEEKDAY})\b\.?(?:{_DASH}| to | thr(?:ough|u) )({_WEEKDAY})\b(?:\.(?=,? [a-z\d]))?(?!\w)", re.I
)
_WEEKDAY_OF = re.compile(rf"\b({_WEEKDAY})\.?(?=, ?{_MONTH} \d|,? {_DAY}{_NTH}? {_MONTH})", re.I)
# The others are words and names as often.
_ALONE = re.compile(
    r"(?<![\w.])(January|February|April|August|September|October|November|December|Jan|Feb|Apr|Aug|Sept?|Oct|Nov|Dec|"
    r"Mon|Tues?|Wed|Thu(?:rs?)?|Fri)\."
)


def _weekdays_listed(match: re.Match[str], scan: Scan) -> str | None:
    *days, last = (_NAMES[day.lower()] for day in match[0].split("/"))
    return f"{', '.join(days)} and {last}"


def _weekdays_to(match: re.Match[str], scan: Scan) -> str | None:
    joint = "through" if " thr" in match[0] else "to"
    return f"{_NAMES[match[1].lower()]} {joint} {_NAMES[match[2].lower()]}"


def _alone(match: re.Match[str], scan: Scan) -> str | None:
    if scan.said.endswith("newly"):
        return None
    return _NAMES[match[1].lower()] + ("." if scan.closes(match.end()) else "")


IN_DIGITS = [
    Written("date", _ISO, _iso),
    Written("date", _SEPARATED, _separated),
    Written("date", _DAY_OF, _day_of),
    Written("date", _PART_OF_YEAR, lambda match, scan: f"{_PARTS[match[1]]} of {any_year(match[2])}"),
]
IN_WORDS = [
    Written("date", _DAY_MONTH, _day_month),
    Written("date", _MONTH_DAY, _month_day),
    Written("date", _MONTH_YEAR, _month_year),
    Written("date", _HYPHENED, _hyphened),
    Written("date", _MONTHS_TO, lambda match, scan: f"{_NAMES[match[1].rstrip('.').lower()]} to"),
    Written("weekday", _WEEKDAYS_LISTED, _weekdays_listed),
    Written("weekday", _WEEKDAYS_TO, _weekdays_to),
    Written("weekday", _WEEKDAY_OF, lambda match, scan: _NAMES[match[1].lower()]),
    Written("date", _ALONE, _alone),
]
CLASSES = [*IN_DIGITS, *IN_WORDS]
