"""Times of day and what has passed."""

from __future__ import annotations

import re

from processors.text.number_words import cardinal
from processors.text.written.scan import Scan, Written

_HALF = r"(?: ?([AaPp])\.? ?[Mm]\b(\.?))"
_HALF_DAY = r"(?: ?[AaPp]\.? ?[Mm]\b\.?)"
_CLOCK = r"(?:[01]?\d|2[0-4]):[0-5]\d"
_HOUR = r"(?:1?\d|2[0-4])"
# A dash before another time, before an hour of the day, or noon.
_TO = rf"( ?[-–—] ?(?=\d{{1,3}}:[0-5]\d(?!\d)|{_HOUR}{_HALF_DAY}|noon\b|midnight\b)|[-–](?={_HOUR}(?![\w:.,/%-]*\w)))?"


def minutes(text: str) -> str:
    """ "05" -> "oh five"."""
    return f"oh {cardinal(text)}" if text[0] == "0" else cardinal(text)


def _ending(match: re.Match[str], scan: Scan, letter: str | None, stop: str | None, joint: str | None) -> str:
    half = ""
    if letter:
        # The stop of "a.m." closes the sentence if nothing or a capital follows.
        closes = stop and not joint and re.match(r"\s*(?:$|[A-Z\"')])", scan.text[match.end() :][:3])
        half = f" {letter.upper()} M{'.' if closes else ''}"
    return half + (" to" if joint else "")


def _counted(number: str, unit: str) -> str:
    return f"{cardinal(number)} {unit}{'' if number.lstrip('0') == '1' else 's'}"


def _time(match: re.Match[str], scan: Scan) -> str | None:
    hour, minute, second, letter, stop, joint = match.groups()
    if second or int(hour) > 24:
        said = f"{_counted(hour, 'hour')} {_counted(minute, 'minute')} and {_counted(second or '0', 'second')}"
    elif minute != "00":
        said = f"{cardinal(hour)} {minutes(minute)}"
    elif letter or re.match(r" ?o'?clock", scan.text[match.end() :][:8]):
        said = cardinal(hour)
    else:
        said = f"{cardinal(hour)} hundred" if int(hour) > 12 or int(hour) == 0 else f"{cardinal(hour)} o'clock"
    return said + _ending(match, scan, letter, stop, joint)


def _hour(match: re.Match[str], scan: Scan) -> str | None:
    first, second, letter, stop, joint = match.groups()
    return cardinal(first) + (f" to {cardinal(second)}" if second else "") + _ending(match, scan, letter, stop, joint)


def _bare_hour(match: re.Match[str], scan: Scan) -> str | None:
    return f"{cardinal(match[1])} to"


def _military(match: re.Match[str], scan: Scan) -> str | None:
    hour, minute = match[1], match[2]
    said = minutes(hour) if hour != "00" else "zero"
    return f"{said} {'hundred' if minute == '00' else minutes(minute)}"


def _elapsed(match: re.Match[str], scan: Scan) -> str | None:
    hours, of_hours, seconds, alone, its_seconds = match.groups()
    parts = [(hours, "hour"), (of_hours or alone, "minute"), (seconds or its_seconds, "second")]
    return " ".join(_counted(number, name) for number, name in parts if number)


def _zone(match: re.Match[str], scan: Scan) -> str | None:
    timed = re.search(r"(?: [AP] M\.?|o'clock|hundred|seconds?|\b(?:\w+ty|\w+teen|oh \w+|\w+-\w+))$", scan.said)
    return " ".join(re.sub(r"\W", "", match[0]).upper()) if timed else None


CLASSES = [
    Written("time", re.compile(rf"(?<![\w:.,/–-])(\d{{1,3}}):([0-5]\d):([0-5]\d)(?![\d:]|\.\d){_HALF}?{_TO}"), _time),
    Written("time", re.compile(rf"(?<![\w:.,/])([01]?\d|2[0-4]):([0-5]\d)()(?![\d:]|\.\d){_HALF}?{_TO}"), _time),
    Written("time", re.compile(rf"(?<![\w:.,-])([01]?\d|2[0-4])\.([0-5]\d)()(?={_HALF_DAY}){_HALF}{_TO}"), _time),
    Written("time", re.compile(rf"(?<![\w:.,/$£€])(\d{{1,2}})(?: ?[-–] ?(\d{{1,2}}))?{_HALF}{_TO}"), _hour),
    Written("time", re.compile(rf"(?<![\w:.,/$£€-])(1[0-2]|[1-9])([0-5]\d)()(?={_HALF_DAY}){_HALF}{_TO}"), _time),
    Written("time", re.compile(rf"(?<![\w:.,/$£€-])({_HOUR})[-–](?={_CLOCK}(?!\d))"), _bare_hour),
    Written("time", re.compile(r"(?<![\w.,:-])(0\d)([0-5]\d)(?= ?(?:hours|hrs)\b)"), _military),
    Written("time", re.compile(r"\b([Nn]oon|[Mm]idnight)[-–](?=\d)"), lambda m, s: f"{m[1]} to"),
    Written("time", re.compile(r"(?<![\w.])(?:[ECMP]\.?[SD]\.?T\b\.?|GMT\b|UTC\b|e\.s\.t\b\.?)"), _zone),
    Written("duration", re.compile(
        r"(?<![\w.,:-])(?:(\d{1,3}) ?h ?(\d{1,2})(?: ?m(?:in)?)?(?: (\d{1,2}) ?s)?|([1-5]?\d) ?m (\d{1,2}) ?s)(?![\w.:-]*\w)"), _elapsed),
]  # fmt: skip
