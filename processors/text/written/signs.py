"""Signs that are read as words, and markup that is not read."""

from __future__ import annotations

import re

from processors.text.written.cues import spoken
from processors.text.written.numbers import power
from processors.text.written.scan import Scan, Written

# Elements that are markup in a plain text; "<Enter>" is what somebody wrote about.
_MARKUP = re.compile(
    r"</?(?:a|abbr|article|aside|b|big|blockquote|body|br|button|center|cite|code|del|dd|div|dl|dt|em|font|footer|form|"
    r"h[1-6]|head|header|hr|html|i|img|input|ins|label|li|link|main|mark|meta|nav|ol|option|p|pre|q|s|script|section|"
    r"select|small|span|strike|strong|style|sub|sup|svg|table|tbody|td|textarea|tfoot|th|thead|title|tr|tt|u|ul|video)"
    r"(?:\s[^<>]{0,200})?/?>|</[A-Za-z][\w:-]{0,40}\s?>|<[A-Za-z][\w:-]{0,40}(?:\s[^<>]{0,200})?/>|"
    r"<!(?:--[^<>]{0,400}--|[A-Za-z][^<>]{0,400})>",
    re.I,
)
# "<<Yes>>" is a quotation.
_COMPARISON = re.compile(r"(?<![<>])[<>](?![<>])=?|[≤≥]")
_COMPARED = {
    "<": "less than", ">": "greater than", "≤": "at most", "≥": "at least", "<=": "at most", ">=": "at least",
}  # fmt: skip
_BRACKETED = re.compile(r"<[A-Za-z][\w -]{0,40}>")
_OPEN_BRACKET = re.compile(r"<[A-Za-z][\w -]{0,40}$")
_HASH = re.compile(r"#(?= ?\d)|[Nn]°(?= ?\d)")
_POWER = re.compile(r"(?<=[\w)])\^(-?\d{1,4})")
_SLASH = re.compile(r"(?<=\w)/(?=\w)")
_SIGN = re.compile("|".join(sorted(map(re.escape, spoken("signs.tsv")), key=len, reverse=True)))


def _compare(match: re.Match[str], scan: Scan) -> str | None:
    """ "a < b" is a statement, "<5%" and "be >= 18" are not; "<Enter>" is a word in brackets."""
    text, start = scan.text, match.start()
    if _BRACKETED.match(text, start) or _OPEN_BRACKET.search(text, max(0, start - 42), start):
        return None
    kind = scan.found[-1].kind if scan.found else "mark"
    states = kind != "mark" and (kind not in ("word", "abbreviation") or len(scan.last) == 1)
    words = _COMPARED[match[0]]
    return f"is {words}" if states else words.replace("greater", "more")


CLASSES = [
    Written("markup", _MARKUP, lambda match, scan: ""),
    Written("sign", _HASH, lambda match, scan: "number"),
    Written("sign", _POWER, lambda match, scan: power(match[1])),
    Written("sign", _SLASH, lambda match, scan: "slash"),
    Written("sign", _SIGN, lambda match, scan: spoken("signs.tsv")[match[0]]),
    Written("comparison", _COMPARISON, _compare),
]
