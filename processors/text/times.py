"""Times of day and dates."""

from __future__ import annotations

import re

from processors.text.number_words import cardinal, ordinal, plural_of, year
from processors.text.substitute import substitute

MONTHS = "January February March April May June July August September October November December".split()
_MONTH = "|".join(MONTHS)
_TIME = re.compile(
    r"(?<![\d:.])([01]?\d|2[0-4]):([0-5]\d)(?::([0-5]\d))?(?![\d:])(?: ?([AaPp])\.? ?[Mm]\b(\.?)(?= ?(\S?)))?"
)
# The dash between two times: "9:30-10:45", "9:30 a.m. - 5:30 p.m.", "9:30am-5pm", "9-10:30", "10am-2pm", "7pm-9".
_CLOCK = r"(?:[01]?\d|2[0-4]):[0-5]\d"
_HALF = r"(?: ?[AaPp]\.? ?[Mm]\b\.?)"
_TIME_RANGE = re.compile(
    rf"(?<![\d:.,/–—-])({_CLOCK}{_HALF}?)(?: ?[-–—] ?(?={_CLOCK}(?![\d:])|(?:0?[1-9]|1[0-2]){_HALF}(?!\w))"
    r"|[-–](?=(?:1?\d|2[0-4])(?![\w:.,/%-]*\w)))"
    rf"|(?<![\w:.,/–—-])((?:1?\d|2[0-4]){_HALF}?)[-–](?={_CLOCK}(?![\d:]))"
    rf"|(?<![\w:.,/–—-])((?:0?[1-9]|1[0-2]){_HALF})"
    rf"(?: ?[-–—] ?(?=(?:0?[1-9]|1[0-2]){_HALF})|[-–](?=(?:0?[1-9]|1[0-2])(?![\w:.,/%-]*\w)))"
)
# Minutes and seconds from here to there, as of a film; verses from chapter to chapter are said the same way.
_TIMED_RANGE = re.compile(r"(?<![\w:.,/–—-])(\d{1,3}):([0-5]\d) ?[-–—] ?(\d{2,3}):([0-5]\d)(?![\w:/–—-]|[.,]\d)")
_LATEST_HOUR = 30  # "18:00-25:00" is how bars and stations write hours after midnight
_HOUR = re.compile(r"(?<![\d:.,/-])(\d{1,2})(?: ?[-–] ?(\d{1,2}))? ?([AaPp])\.? ?[Mm]\b(\.?)(?= ?(\S?))")
_DURATION = re.compile(r"(?<![\d:.])(\d{1,3}):([0-5]\d):([0-5]\d)(?![\d:])")
_ISO = re.compile(r"(?<![\d/.-])([12]\d{3})([-/.])(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?![\d/-]|\.\d)(?:T(?=\d\d:))?")
_SLASHED = re.compile(r"(?<![\d/])(\d{1,2})/(\d{1,2})/((?:1[5-9]|20)\d\d|\d\d)(?![\d/])")
_HYPHENED = re.compile(r"(?<![\w/.-])(\d{1,2})-(\d{1,2})-((?:19|20)\d\d)(?![\w/-])")
_NOON = re.compile(r"\b([Nn]oon|[Mm]idnight)[-–](?=\d)|(\d ?[AaPp]\.? ?[Mm]\.?)[-–](?=(?:noon|midnight)\b)")
# "8.30 a.m." as the British write it.
_POINTED = re.compile(r"(?<![\w:.,-])([01]?\d|2[0-4])\.([0-5]\d)(?= ?[AaPp]\.? ?[Mm]\b)")
_DOTTED = re.compile(r"(?<![\d.])(\d{1,2})\.(\d{1,2})\.((?:1[5-9]|20)\d\d)(?![\d.]*\d)")
_MONTH_DAY_YEAR = re.compile(
    rf"\b({_MONTH})(,?) (\d{{1,2}})(?:st|nd|rd|th)?(?: ?[-–—] ?(\d{{1,2}})(?:st|nd|rd|th)?(?![\w/:-]))?"
    r"(?:(,?) ([1-9]\d{2}|[12]\d{3})(?![\d,.]*\d)(?!-))?\b(?![:/]\d|\.\d|,\d)"
)
_DAY_MONTH = re.compile(
    r"(?:(?<![\w.,:/-])(\d{1,2})(?:st|nd|rd|th)?( ?[-–—] ?| to | and | or ))?"
    rf"\b(\d{{1,2}})(st|nd|rd|th)?( of)? ({_MONTH})(,?)( [12]\d{{3}}\b(?![,.]?\d))?"
)
_MONTH_YEAR = re.compile(rf"\b({_MONTH})(,| of)? ([12]\d{{3}})\b(?![,.]?\d)")
# A day and a month, or a month and a day, where no fraction is meant: "on 25/12", "by 9/30", "from 1/16 to 2/14".
_ON_DAY = re.compile(
    r"\b([Oo]n|[Bb]y|[Uu]ntil|[Ss]ince|[Ff]rom) (\d{1,2})/(\d{1,2})(?![\w/.-]*\w)"
    r"(?:( to | until | through )(\d{1,2})/(\d{1,2})(?![\w/.-]*\w))?"
)
# "reduced by 1/16" and "on 1/24 scale" are fractions.
_CHANGED = re.compile(
    r"\b(?:(?:reduc|decreas|increas|lower|rais|shorten|lengthen|widen|narrow|multipl|divid|scal|exceed|grow|"
    r"dropp|shr[iu]nk|fall|cut|ris)\w*|grew|fell|rose|shrank|off|(?:small|larg|long|short|"
    r"wid|bigg|great|thick|thinn|high|low)er|more|less) $"
)
_MEASURED = re.compile(
    r"[ -](?:scale|size|inch(?:es)?|in\.|"
    r"of (?!(?:this|last|next|that|each|every|the same|the) (?:year|month)\b|[12]\d{3}\b)|"
    r"(?:cup|mile|second|pound|ounce|acre|share|yard|note|point)s?\b|full\b)|\""
)
_DENOMINATORS = frozenset((16, 20, 24))  # of common fractions that could be days
_MILITARY = re.compile(r"(?<![\w.,:-])0([1-9])([0-5]\d)(?= ?(?:hours|hrs)\b)")
# "March 3-April 5", "3 March-5 April".
_ACROSS = re.compile(
    rf"\b((?:{_MONTH}) \d{{1,2}}(?:st|nd|rd|th)?(?:, [12]\d{{3}})?) ?[-–—] ?(?=(?:{_MONTH}) \d)"
    rf"|(?<=\d )({_MONTH})(?: ?[-–—] |[-–—])(?=\d{{1,2}}(?:st|nd|rd|th)? (?:{_MONTH})\b)"
    rf"|(?<=\d[snrt][tdh] )({_MONTH}) ?[-–—] ?(?=\d{{1,2}}(?:st|nd|rd|th)? (?:{_MONTH})\b)"
)
# Hours, minutes and seconds that have passed: "2h 30m", "5m 20s", "1h30"; "100 m 9 s" runs.
_ELAPSED = re.compile(
    r"(?<![\w.,:-])(?:(\d{1,3}) ?h ?(\d{1,2})(?: ?m(?:in)?)?(?: (\d{1,2}) ?s)?|([1-5]?\d) ?m (\d{1,2}) ?s)"
    r"(?![\w.:-]*\w)"
)
# "30s", or several as in "60s, 70s and 80s".
_TENS = re.compile(r"(?<![\w.,])'?[2-9]0'?s(?:(?:,? (?:and|or|to) |, |[-–/])'?[2-9]0'?s){0,8}\b")
_DECADE = re.compile(r"(?<![\w.,])([12]\d{2}0)'?s\b")
# "30s" are years or ages ("a 90s diner", "the 1960s and 70s") unless such words make them seconds: "it took 30s".
_FOR_SECONDS = re.compile(
    r"\b(?:took|takes?|taking|lasts?|lasted|wait|waits|waited|waiting|after|for|within|every|another|just|only|exactly|"
    r"about|nearly|almost|approximately|roughly|least|most|maximum of|minimum of) $",
    re.I,
)
_AT_THE_END = re.compile(r"\b[Ii]n $")
_END = re.compile(r"$|[.;:!?)]")
_NAMED = re.compile(r" (?:[A-Z]|(?:and|or) [a-z]+s\b|(?!(?:this|was|is|has|as|always|plus)\b)[a-z]+(?:s|ic|ion)\b)")
# "A 30s clip", "the 30s mark".
TIMED = (
    "(?:mark|timer|limit|delay|timeout|interval|countdown|sprint|plank|clip|window|video|ad|pause|exposure|break|rest)"
)
_TIMED = re.compile(rf"[ -]{TIMED}s?\b")
_ONE_OF = re.compile(r"\b(?:an?|one|each|every|another|this|per) $", re.I)
_SECONDS_ONLY = re.compile(r" (?:mark|timer|limit|delay|timeout|interval)s?\b")
_TO_DATE = re.compile(r"(?<![\w-])((?:1\d|20)\d\d)[-–](?=(?:present|now|today)\b)|('\d\d)[-–](?='\d\d\b)")
_SHORT_YEAR = re.compile(r"(?<!\w)'(\d\d)(?![\d'\w])")
_YEAR_SPAN = re.compile(r"(?<![\d.,$£€-])(1[1-9]\d{2}|20\d{2})[-–/](\d{2}|1[1-9]\d{2}|20\d{2})(?![\d-])(?!\.\d)")


_JOINTS = ("to", "and", "or")


def _half(letter: str, stop: str, following: str) -> str:
    # The stop of "a.m." closes the sentence if nothing or a capital follows.
    closes = stop and (not following or following.isupper())
    return f" {letter.upper()} M{'.' if closes else ''}"


def _minutes(text: str) -> str:
    return f"oh {cardinal(text)}" if text[0] == "0" else cardinal(text)


def _time(match: re.Match[str]) -> str:
    hour, minute, second, letter, stop, following = match.groups()
    if minute == "00" and not second:
        if letter:
            words = cardinal(hour)
        elif int(hour) > 12 or hour in ("0", "00"):
            words = f"{cardinal(hour)} hundred"
        else:
            words = f"{cardinal(hour)} o'clock"
            if re.match(r" o'?clock", match.string[match.end() : match.end() + 8]):
                words = cardinal(hour)
    elif minute == "00":
        words = f"{cardinal(hour)} hundred"
    else:
        words = f"{cardinal(hour)} {_minutes(minute)}"
    if second:
        words += f" and {cardinal(second)} {'second' if second == '01' else 'seconds'}"
    return words + (_half(letter, stop, following) if letter else "")


def minutes_and_seconds(minutes: str, seconds: str) -> str:
    """ "45", "05" -> "forty-five oh five"; "45", "00" -> "forty-five minutes"."""
    return f"{cardinal(minutes)} {'minutes' if seconds == '00' else _minutes(seconds)}"


def _timed_range(match: re.Match[str]) -> str:
    first, second = match.groups()[:2], match.groups()[2:]
    start, end = (60 * int(minutes) + int(seconds) for minutes, seconds in (first, second))
    maybe_hours = int(first[0]) < 25 and int(second[0]) <= _LATEST_HOUR
    if start >= end or maybe_hours:
        return match[0]
    return f"{minutes_and_seconds(*first)} to {minutes_and_seconds(*second)}"


def _duration(match: re.Match[str]) -> str:
    hours, minutes, seconds = match.groups()
    if int(hours) < 25:
        # A time of day.
        return match[0]
    return f"{cardinal(hours)} hours {cardinal(minutes)} minutes and {cardinal(seconds)} seconds"


def _hour(match: re.Match[str]) -> str:
    first, second, letter, stop, following = match.groups()
    words = cardinal(first) + (f" to {cardinal(second)}" if second else "")
    return words + _half(letter, stop, following)


def _date(day: str, month: str, year_text: str) -> str:
    year_words = year(year_text) if len(year_text) > 2 else _minutes(year_text)
    return f"{MONTHS[int(month) - 1]} {ordinal(day)}, {year_words}"


def _slashed(match: re.Match[str]) -> str:
    month, day, year_text = match.groups()
    if int(month) > 12 and 1 <= int(day) <= 12:
        month, day = day, month
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
        return match[0]
    return _date(day, month, year_text)


def _dotted(match: re.Match[str]) -> str:
    day, month, year_text = match.groups()
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
        return match[0]
    return _date(day, month, year_text)


def _month_day_year(match: re.Match[str]) -> str:
    month, comma, day, last, comma2, year_text = match.groups()
    # "March 1-0" is a score.
    if int(day) > 31 or last and not int(day) < int(last) <= 31:
        return match[0]
    words = f"{month}{comma} {ordinal(day)}"
    if last:
        words += f" to {ordinal(last)}"
    return words + (f"{comma2} {year(year_text)}" if year_text else "")


def _elapsed(match: re.Match[str]) -> str:
    hours, minutes, seconds, minutes_alone, seconds_alone = match.groups()
    parts = [(hours, "hour"), (minutes or minutes_alone, "minute"), (seconds or seconds_alone, "second")]
    return " ".join(f"{cardinal(n)} {name}{'' if n.lstrip('0') == '1' else 's'}" for n, name in parts if n)


def _day_of(one: str, other: str) -> str | None:
    month, day = (other, one) if int(one) > 12 else (one, other)
    return f"{MONTHS[int(month) - 1]} {ordinal(day)}" if 1 <= int(month) <= 12 and 1 <= int(day) <= 31 else None


def _on_day(match: re.Match[str]) -> str:
    word, one, other, joint, one2, other2 = match.groups()
    # "on 3/4" may be three quarters.
    first = _day_of(one, other) if max(int(one), int(other)) > 12 else None
    second = _day_of(one2, other2) if joint else ""
    changed = word == "by" and _CHANGED.search(match.string, max(0, match.start() - 16), match.start())
    last_one, last = (one2, other2) if joint else (one, other)
    part = int(last) in _DENOMINATORS and int(last_one) < int(last)
    part = part and bool(changed or _MEASURED.match(match.string, match.end()))
    if first is None or second is None or part:
        return match[0]
    return f"{word} {first}{joint or ''}{second}"


def _day_month(match: re.Match[str]) -> str:
    first, joint, day, suffix, of, month, comma, year_text = match.groups()
    if not 1 <= int(day) <= 31:
        return match[0]
    words = f"{ordinal(day)}{of or ''} {month}{comma}"
    if first:
        # "2 and 3 May" are two days, "9 to 5 May" is no range.
        days = 1 <= int(first) < int(day)
        words = f"{ordinal(first) if days else first}{joint if joint.strip() in _JOINTS else ' to '}{words}"
    return words + (f" {year(year_text.strip())}" if year_text else "")


def _tens(match: re.Match[str]) -> str:
    text, start, end = match.string, match.start(), match.end()
    if "'" not in match[0]:
        cue = bool(_FOR_SECONDS.search(text, max(0, start - 14), start)) and not _NAMED.match(text, end)
        cue = cue or bool(_AT_THE_END.search(text, max(0, start - 4), start) and _END.match(text, end))
        clip = _ONE_OF.search(text, max(0, start - 9), start) and _TIMED.match(text, end)
        if cue or clip or _SECONDS_ONLY.match(text, end):
            return match[0]
    return re.sub(r"'?([2-9]0)'?s", lambda m: plural_of(cardinal(m[1])), re.sub("[-–]", " to ", match[0]))


def _year_span(match: re.Match[str]) -> str:
    first, second = match.groups()
    if len(second) == 2:
        if int(second) <= int(first[2:]):
            return match[0]
        return f"{year(first)} to {_minutes(second)}"
    return f"{year(first)} to {year(second)}"


def expand_times(text: str) -> str:
    """ "10:45 a.m." -> "ten forty-five A M"; "March 9, 1937" -> "March ninth, nineteen thirty-seven"."""
    text = substitute(_ISO, lambda m: f"{_date(m[4], m[3], m[1])} ", text)
    text = _NOON.sub(lambda m: f"{m[1] or m[2]} to ", text)
    text = _POINTED.sub(r"\1:\2", text)
    text = substitute(_TIMED_RANGE, _timed_range, text)
    text = _TIME_RANGE.sub(lambda m: f"{m[1] or m[2] or m[3]} to ", text)
    if ":" in text:
        text = substitute(_DURATION, _duration, text)
        text = substitute(_TIME, _time, text)
    text = substitute(_HOUR, _hour, text)
    if "/" in text:
        text = substitute(_SLASHED, _slashed, text)
        text = substitute(_ON_DAY, _on_day, text)
    text = substitute(_MILITARY, lambda m: f"oh {cardinal(m[1])} {'hundred' if m[2] == '00' else _minutes(m[2])}", text)
    text = substitute(_HYPHENED, _slashed, text)
    text = substitute(_DOTTED, _dotted, text)
    text = _TO_DATE.sub(lambda m: f"{m[1] or m[2]} to ", text)
    text = substitute(_ELAPSED, _elapsed, text)
    text = _ACROSS.sub(lambda m: f"{m[1] or m[2] or m[3]} to ", text)
    text = substitute(_DAY_MONTH, _day_month, text)
    text = substitute(_MONTH_DAY_YEAR, _month_day_year, text)
    text = substitute(_MONTH_YEAR, lambda m: f"{m[1]}{m[2] or ''} {year(m[3])}", text)
    text = substitute(_YEAR_SPAN, _year_span, text)
    text = substitute(_DECADE, lambda m: plural_of(year(m[1])), text)
    text = substitute(_TENS, _tens, text)
    return substitute(_SHORT_YEAR, lambda m: "oh oh" if m[1] == "00" else _minutes(m[1]), text)
