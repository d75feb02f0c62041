"""Signs that are read as words, and markup that is not read."""

from __future__ import annotations

import re

from processors.text.written.scan import Scan, Written
from processors.text.written.tables import spoken


def _sign(match: re.Match[str], scan: Scan) -> str | None:
    return spoken("signs.tsv").get(match[0])


def _hash(match: re.Match[str], scan: Scan) -> str | None:
    return "number"


_COMPARED = {"<": "less than", ">": "greater than", "≤": "at most", "≥": "at least", "<=": "at most", ">=": "at least"}


def _compare(match: re.Match[str], scan: Scan) -> str | None:
    """ "a < b" is a statement, "<5%" and "be >= 18" are not; "<Enter>" is a word in brackets."""
    text, start = scan.text, match.start()
    if re.match(r"<[A-Za-z][\w -]{0,40}>", text[start : start + 43]) or re.search(
        r"<[A-Za-z][\w -]{0,40}$", text[max(0, start - 42) : start]
    ):
        return None
    states = scan.found and (
        scan.found[-1].kind not in ("word", "mark", "abbreviation") or len(scan.last) == 1 and scan.last.isalpha()
    )
    words = _COMPARED[match[0].strip()]
    return f"is {words}" if states else words.replace("greater", "more")


def _slash(match: re.Match[str], scan: Scan) -> str | None:
    return "slash"


def _power(match: re.Match[str], scan: Scan) -> str | None:
    from processors.text.written.numbers import power as words

    return words(match[1])


# Names of elements that are markup in a plain text; "<Enter>" is what somebody wrote about.
_MARKUP = (
    r"</?(?:a|abbr|article|aside|b|big|blockquote|body|br|button|center|cite|code|del|dd|div|dl|dt|em|font|footer|form|h[1-6]|head|header|hr|html|i|"
    r"img|input|ins|label|li|link|main|mark|meta|nav|ol|option|p|pre|q|s|script|section|select|small|span|strike|strong|style|sub|sup|svg|table|"
    r"tbody|td|textarea|tfoot|th|thead|title|tr|tt|u|ul|video)(?:\s[^<>]{0,200})?/?>"
)
CLASSES = [
    Written("markup", re.compile(_MARKUP, re.I), lambda m, s: ""),
    Written("markup", re.compile(r"</[A-Za-z][\w:-]{0,40}\s*>|<[A-Za-z][\w:-]{0,40}(?:\s[^<>]{0,200})?/>"), lambda m, s: ""),
    Written("comparison", re.compile(r"[<>]=?|[≤≥]"), _compare),
    Written("sign", re.compile(r"[!=]=|=>|[-]>(?= )"), _sign),
    Written("sign", re.compile(r"#(?= ?\d)"), _hash),
    Written("sign", re.compile(r"(?<=[\w)])\^(-?\d{1,4})"), _power),
    Written("sign", re.compile(r"[Nn]°(?= ?\d)"), lambda m, s: "number"),
    Written("sign", re.compile(r"(?<=\w)/(?=\w)"), _slash),
    Written("sign", re.compile(r"[&%@+=°§¶±÷≈≠≤≥$£€¥₹₩₿¢μΩ‰]"), _sign),
]  # fmt: skip
