"""Dates: days, months, years and weekdays, in words or digits."""

from __future__ import annotations

import re

from processors.text.number_words import cardinal, ordinal, year
from processors.text.written.scan import Scan, Written

MONTHS = "January February March April May June July August September October November December".split()
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_SHORT = {name[:3].lower(): name for name in [*MONTHS, *_DAYS]} | {name.lower(): name for name in [*MONTHS, *_DAYS]}
_SHORT |= {"sept": "September", "tues": "Tuesday", "thur": "Thursday", "thurs": "Thursday"}
NAMES = frozenset(_SHORT) - {"sun", "sat", "wed", "mon"}
_ANY_MONTH = "|".join(sorted((k for k, v in _SHORT.items() if v in MONTHS), key=len, reverse=True))
_ANY_DAY = "|".join(sorted((k for k, v in _SHORT.items() if v in _DAYS), key=len, reverse=True))
_MONTH = rf"(?:(?:{_ANY_MONTH})\b\.?)"
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_YEAR = r"(?:[12]\d{3}(?![\d]|[.,]\d)|[1-9]\d\d(?![\d]|[.,]\d))"
# Behind these a number counts: "Jan 5 times", "mar 10 years".
_COUNTED = (
    r"(?! (?:times?|percent|people|men|women|children|(?:second|minute|hour|day|week|month|year|page|point|mile|meter|"
    r"dollar|pound)s?)\b)"
)
_WORDS_BEFORE = re.compile(
    r"\b(?:on|in|of|since|until|till|by|from|to|before|after|dated|and|the|this|last|next)$", re.I
)


def month(text: str) -> str:
    """ "Sept." -> "September"."""
    return _SHORT[text.rstrip(".").lower()]


def date(year_text: str, month_text: str, day: str) -> str | None:
    """ "2015", "3", "14" -> "March fourteenth, twenty fifteen"; None if there is no such day."""
    if not (1 <= int(month_text) <= 12 and 1 <= int(day) <= 31):
        return None
    return f"{MONTHS[int(month_text) - 1]} {ordinal(day)}, {short_year(year_text)}"


def short_year(text: str) -> str:
    """A year of two or more digits."""
    if len(text) > 2:
        return year(text)
    return f"oh {cardinal(text[1])}" if text[0] == "0" else cardinal(text)


def _word(text: str, scan: Scan, start: int, beside: str | None = None) -> str | None:
    """A month as it is written, or None if the word is another: "may 5 people", "Jan said"."""
    bare = text.rstrip(".")
    if (
        bare.lower() in ("may", "march", "mar")
        and bare.islower()
        and not beside
        and not _WORDS_BEFORE.search(scan.said)
    ):
        return None
    return month(text)


def _iso(match: re.Match[str], scan: Scan) -> str | None:
    said = date(match[1], match[3], match[4])
    return said and said + ("," if match[0].endswith("T") else "")


def _slashed(match: re.Match[str], scan: Scan) -> str | None:
    one, other, last = match[1], match[3], match[4]
    if int(one) > 12 or match[2] == ".":
        one, other = other, one
    return date(last, one, other)


def _day_in(match: re.Match[str], scan: Scan) -> str | None:
    """ "on 25/12": a day where no fraction is meant."""
    if not re.search(r"\b(?:on|by|until|since|from|to|through)$", scan.said, re.I):
        return None
    one, other = int(match[1]), int(match[2])
    following = scan.text[match.end() : match.end() + 24]
    part = other in (16, 20, 24) and one < other and bool(_MEASURED.match(following) or _CHANGED.search(scan.said))
    if max(one, other) <= 12 and not re.search(r"\b(?:to|through) $|\d to$", scan.said + " ") or part:
        return None
    if one > 12:
        one, other = other, one
    named = 1 <= one <= 12 and 1 <= other <= 31
    return f"{MONTHS[one - 1]} {ordinal(str(other))}" if named else None


_MEASURED = re.compile(
    r"[ -](?:scale|size|inch(?:es)?|in\.|of (?!this|last|next|that|each|every|[12]\d{3}\b)|to \d{1,2}/(?:16|20|24)\b|"
    r"(?:cup|mile|second|pound|ounce|acre|share|yard|note|point)s?\b)|\""
)
_CHANGED = re.compile(
    r"\b(?:(?:reduc|decreas|increas|lower|rais|divid|multipl|grow|dropp|fall|cut|ris)\w*|less|more|\w+er) by$"
)


def _day_month(match: re.Match[str], scan: Scan) -> str | None:
    first, joint, day, suffix, of, name, comma, last, to = match.group(1, 2, 3, 4, 5, 6, 7, 8, 9)
    said_month = _word(name, scan, match.start(), last or suffix)
    if said_month is None or not 1 <= int(day) <= 31:
        return None
    bare = not (last or suffix or of)
    whole = said_month.lower() == name.rstrip(".").lower()
    if bare and not whole and not name.endswith("."):
        # "5 Feb", "on 5 Mar we left", but "the 5 Jan bought".
        following = scan.text[match.end() : match.end() + 9]
        if name in ("Jan", "Mar", "Jun") and not re.match(
            r"$|[.,;:!?)]| (?:at|in|on|to(?! go\b)|from|by|until|and|or|for|we|he|she|they|it|I|the|is|was|had|will|with)\b",
            following,
        ):
            return None
    stop = "." if name.endswith(".") and not last and re.match(r"\s*$| [A-Z]", scan.text[match.end() :][:3]) else ""
    words = f"{ordinal(day)}{of or ''} {said_month}"
    if first:
        # "2 and 3 May" are two days, "9 to 5 May" is no range.
        days = int(first) < int(day)
        joint = joint if joint.strip() in ("to", "and", "or") else " to "
        words = f"{ordinal(first) if days else first}{joint}{words}"
    ending = f"{comma or ''} {year(last)}" if last else (comma or "")
    return f"{words}{ending}{stop}{' to' if to is not None else ''}"


def _month_day(match: re.Match[str], scan: Scan) -> str | None:
    name, day, suffix, last, comma, year_text, to = match.group(1, 2, 3, 4, 5, 6, 7)
    if int(day) > 31 or last and not int(day) < int(last) <= 31:
        return None
    said_month = _word(name, scan, match.start(), year_text or suffix)
    if said_month is None:
        return None
    words = f"{said_month} {ordinal(day)}{f' to {ordinal(last)}' if last else ''}"
    return f"{words}{f'{comma or str()} {year(year_text)}' if year_text else ''}{' to' if to is not None else ''}"


def _month_year(match: re.Match[str], scan: Scan) -> str | None:
    said = _word(match[1], scan, match.start(), match[3])
    return said and f"{said}{(match[2] or '').rstrip()} {year(match[3])}"


def _hyphened(match: re.Match[str], scan: Scan) -> str | None:
    """ "Jan-15-2020", "15-Jan-2020"."""
    name, day, last = match[1] or match[5], match[2] or match[4], match[3] or match[6]
    return f"{month(name)} {ordinal(day)}{', ' + short_year(last) if last else ''}"


def _months_to(match: re.Match[str], scan: Scan) -> str | None:
    return f"{month(match[1])} to"


def _alone(match: re.Match[str], scan: Scan) -> str | None:
    """ "Jan." and "Mon." with their stop."""
    name = match[1]
    if (
        not name[0].isupper()
        or name == "Wed"
        and scan.said.endswith("newly")
        or name.capitalize() in ("Mar", "Sat", "Sun", "Jun", "Jul", "May", "June", "July", "March")
    ):
        return None
    return _SHORT[name.lower()] + ("." if match[2] is not None else "")


def _weekdays(match: re.Match[str], scan: Scan) -> str | None:
    """ "Mon-Fri", "Sat/Sun", "Mon/Wed/Fri", "Mon to Fri"."""
    days = [_SHORT[day.lower()] for day in re.findall(rf"\b(?:{_ANY_DAY})\b", match[0], re.I)]
    if "/" in match[0]:
        return f"{', '.join(days[:-1])} and {days[-1]}"
    return f" {'through' if 'thr' in match[0] else 'to'} ".join(days)


def _weekday(match: re.Match[str], scan: Scan) -> str | None:
    return _SHORT[match[1].lower()]


def _quarter(match: re.Match[str], scan: Scan) -> str | None:
    part = {"1Q": "first quarter", "2Q": "second quarter", "3Q": "third quarter", "4Q": "fourth quarter",
            "1H": "first half", "2H": "second half"}[match[1]]  # fmt: skip
    return f"{part} of {short_year(match[2])}"


_DATE_END = r"(?![\w/-]|[.,:]\d)"
NUMERIC = [
    Written("date", re.compile(r"(?<![\w/.-])([12]\d{3})([-/.])(0?[1-9]|1[0-2])\2(0?[1-9]|[12]\d|3[01])(?:T(?=\d\d:)|(?![\w/-]|\.\d))"), _iso),
    Written("date", re.compile(r"(?<![\w/.-])(\d{1,2})([-/.])(\d{1,2})\2((?:1[5-9]|20)\d\d)" + _DATE_END), _slashed),
    Written("date", re.compile(r"(?<![\w/.-])(\d{1,2})(/)(\d{1,2})/(\d\d)" + _DATE_END), _slashed),
    Written("date", re.compile(r"(?<![\w/.-])(\d{1,2})/(\d{1,2})(?![\w/-]|[.,]\d)"), _day_in),
    Written("date", re.compile(r"(?<![\w/.-])([1-4]Q|[12]H)(\d\d|20\d\d)\b"), _quarter),
]  # fmt: skip
CLASSES = [
    *NUMERIC,
    Written("date", re.compile(
        rf"(?<![\w.,:/])(?<!\d-)(?:({_DAY})(?:st|nd|rd|th)?( ?[-–—] ?| to | and | or ))?({_DAY})(st|nd|rd|th)?( of)? ({_MONTH})(?!\w)(?:(,?) ({_YEAR}))?"
        rf"(?:(?: [-–—] |[-–—])(?={_DAY}(?:st|nd|rd|th)? {_MONTH}(?!\w))()|)", re.I), _day_month),
    Written("date", re.compile(
        rf"(?<![\w.])({_MONTH}),? ({_DAY})(st|nd|rd|th)?\b(?: ?[-–—] ?({_DAY})(?:st|nd|rd|th)?(?![\w/:-]))?(?![%:/°]|[.,]\d){_COUNTED}"
        rf"(?:(,?) ({_YEAR})(?!-))?(?:(?: ?[-–—] ?(?={_MONTH} \d))()|)", re.I), _month_day),
    Written("date", re.compile(rf"(?<![\w.])({_MONTH})(,? of |, | )([12]\d{{3}})\b(?![,.]?\d)", re.I), _month_year),
    Written("date", re.compile(rf"(?<![\w.])(?:({_MONTH})[-/]({_DAY})(?:[-/](\d{{4}}|\d\d))?|({_DAY})[-/]({_MONTH})(?:[-/](\d{{4}}|\d\d))?)" + _DATE_END, re.I), _hyphened),
    Written("date", re.compile(rf"(?<![\w.])({_MONTH})[-–](?={_MONTH}(?!\w))", re.I), _months_to),
    Written("weekday", re.compile(rf"\b(?:{_ANY_DAY})(?:/(?:{_ANY_DAY})){{1,6}}\b", re.I), _weekdays),
    Written("weekday", re.compile(
        rf"\b(?:{_ANY_DAY})\b\.?(?: ?[-–—] ?| to | through | thru )(?:{_ANY_DAY})\b(?:\.(?=,? [a-z\d]))?(?!\w)", re.I), _weekdays),
    Written("weekday", re.compile(rf"\b(Mon|Tues?|Wed|Thu(?:rs?)?|Fri|Sat|Sun)\.?(?=, ?{_MONTH} \d|,? {_DAY}(?:st|nd|rd|th)? {_MONTH})", re.I), _weekday),
    Written("date", re.compile(rf"(?<![\w.])((?:{_ANY_MONTH}|Mon|Tues?|Wed|Thu(?:rs?)?|Fri)\b)\.(?:(?=\s*$|\s+(?-i:[A-Z])(?!\w*\s*\d))()|)", re.I), _alone),
]  # fmt: skip
