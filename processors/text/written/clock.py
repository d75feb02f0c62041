"""Times of day and what has passed."""

from __future__ import annotations

import re

from processors.text.number_words import cardinal
from processors.text.written.scan import Scan, Written

_BEFORE = r"(?<![\w:.,/$£€–-])"
_HALF = r"(?: ?([AaPp])\.? ?[Mm]\b(\.?))"
_ANY_HALF = r"(?: ?[AaPp]\.? ?[Mm]\b\.?)"
_HOUR_OF = r"(?:1?\d|2[0-4])"
# A dash before another time, before an hour of the day, or noon.
_TO = (
    rf"( ?[-–—] ?(?=\d{{1,3}}:[0-5]\d(?!\d)|{_HOUR_OF}{_ANY_HALF}|noon\b|midnight\b)"
    rf"|[-–](?={_HOUR_OF}(?![\w:.,/%-]*\w)))?"
)
_WITH_SECONDS = re.compile(rf"{_BEFORE}(\d{{1,3}}):([0-5]\d):([0-5]\d)(?![\d:]|\.\d){_HALF}?{_TO}")
_TIME = re.compile(rf"(?<![\w:.,/])([01]?\d|2[0-4]):([0-5]\d)()(?![\d:]|\.\d){_HALF}?{_TO}")
# "8.30 a.m." as the British write it, and "1030 am".
_POINTED = re.compile(rf"{_BEFORE}([01]?\d|2[0-4])\.?([0-5]\d)()(?={_ANY_HALF}){_HALF}{_TO}")
_HOUR = re.compile(rf"(?<![\w:.,/$£€])(\d{{1,2}})(?: ?[-–] ?(\d{{1,2}}))?{_HALF}{_TO}")
_HOUR_TO = re.compile(rf"{_BEFORE}({_HOUR_OF})[-–](?={_HOUR_OF}:[0-5]\d(?!\d))")
_MILITARY = re.compile(r"(?<![\w.,:-])0(\d)([0-5]\d)(?= ?(?:hours|hrs)\b)")
_NOON_TO = re.compile(r"\b([Nn]oon|[Mm]idnight)[-–](?=\d)")
_ZONE = re.compile(r"(?<![\w.])(?:[ECMPecmp]\.?[SDsd]\.?[Tt]\b\.?|GMT\b|UTC\b)")
_TIMED = re.compile(r"(?: [AP] M\.?|o'clock|hundred|seconds?|\b(?:\w+ty|\w+teen|oh \w+|\w+-\w+))$")
_ELAPSED = re.compile(
    r"(?<![\w.,:-])(?:(\d{1,3}) ?h ?(\d{1,2})(?: ?m(?:in)?)?(?: (\d{1,2}) ?s)?|([1-5]?\d) ?m (\d{1,2}) ?s)"
    r"(?![\w.:-]*\w)"
)
_OCLOCK = re.compile(r" ?o'?clock")
_HUNDRED, _O_CLOCK = "hundred", "o'clock"


def _minutes(text: str) -> str:
    return f"oh {cardinal(text)}" if text[0] == "0" else cardinal(text)


def _counted(number: str, unit: str) -> str:
    return f"{cardinal(number)} {unit}{'' if number.lstrip('0') == '1' else 's'}"


def _ending(match: re.Match[str], scan: Scan, letter: str | None, stop: str | None, to: str | None) -> str:
    """What follows the hour: the half of the day, the stop of a sentence, "to"."""
    half = f" {letter.upper()} M" if letter else ""
    return half + (" to" if to else "." if stop and scan.closes(match.end()) else "")


def _time(match: re.Match[str], scan: Scan) -> str | None:
    hour, minute, second, letter, stop, to = match.groups()
    if second:
        said = f"{_counted(hour, 'hour')} {_counted(minute, 'minute')} and {_counted(second, 'second')}"
    elif minute != "00":
        said = f"{cardinal(hour)} {_minutes(minute)}"
    elif letter or _OCLOCK.match(scan.text, match.end()):
        said = cardinal(hour)
    else:
        said = f"{cardinal(hour)} {_HUNDRED if not 0 < int(hour) <= 12 else _O_CLOCK}"
    return said + _ending(match, scan, letter, stop, to)


def _hour(match: re.Match[str], scan: Scan) -> str | None:
    first, second, letter, stop, to = match.groups()
    return cardinal(first) + (f" to {cardinal(second)}" if second else "") + _ending(match, scan, letter, stop, to)


def _military(match: re.Match[str], scan: Scan) -> str | None:
    return f"oh {cardinal(match[1])} {'hundred' if match[2] == '00' else _minutes(match[2])}"


def _elapsed(match: re.Match[str], scan: Scan) -> str | None:
    hours, of_hours, seconds, minutes, its_seconds = match.groups()
    parts = [(hours, "hour"), (of_hours or minutes, "minute"), (seconds or its_seconds, "second")]
    return " ".join(_counted(number, name) for number, name in parts if number)


def _zone(match: re.Match[str], scan: Scan) -> str | None:
    return " ".join(match[0].replace(".", "").upper()) if _TIMED.search(scan.said) else None


CLASSES = [
    Written("time", _WITH_SECONDS, _time),
    Written("time", _TIME, _time),
    Written("time", _POINTED, _time),
    Written("time", _HOUR, _hour),
    Written("time", _HOUR_TO, lambda match, scan: f"{cardinal(match[1])} to"),
    Written("time", _MILITARY, _military),
    Written("time", _NOON_TO, lambda match, scan: f"{match[1]} to"),
    Written("time", _ZONE, _zone),
    Written("duration", _ELAPSED, _elapsed),
]
