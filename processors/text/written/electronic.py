"""E-mail addresses, web addresses, file names, @names and #tags as people say them."""

from __future__ import annotations

import re

from processors.text.number_words import cardinal, digits
from processors.text.written.scan import Scan, Written
from processors.text.written.tables import spoken, words

_PATH = r"[^\s<>\"{}|\\^`\[\]]"
_DOMAIN = r"[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,5}\.(?:TLDS)\b".replace(
    "TLDS", "|".join(sorted(words("domains.txt")))
)
_PIECE = re.compile(r"[^\W\d_]+|\d+|\W|_")


def _say(text: str) -> str:
    said = []
    for piece in _PIECE.findall(text):
        if piece.isalpha():
            letters = piece.isupper() and len(piece) < 5 or piece.lower() in words("spelt.txt")
            said.append(" ".join(piece.upper()) if letters else piece)
        elif piece.isdigit():
            said.append(cardinal(piece) if piece.endswith("000") else digits(piece))
        else:
            said.append(spoken("characters.tsv").get(piece, ""))
    return " ".join(word for word in said if word)


def _address(match: re.Match[str], scan: Scan) -> str | None:
    # A sentence's own mark at the end is not part of the address.
    body = match[0].rstrip(".,;:!?'")
    if body.endswith(")") and "(" not in body:
        body = body[:-1].rstrip(".,;:!?'")
    mark = re.match("[.,;:!?]", match[0][len(body) :])
    return _say(body) + (mark[0] if mark else "")


CLASSES = [
    Written("electronic", re.compile(rf"(?<![\w.+@-])[\w.+&'-]{{1,64}}@[A-Za-z0-9-]{{1,63}}(?:\.[A-Za-z0-9-]{{1,63}}){{1,8}}(?:/{_PATH}{{0,400}})?(?![\w@])"), _address),
    Written("electronic", re.compile(rf"(?<![\w@/.])(?:(?:https?|ftp|file)://|(?=www\.)){_PATH}{{2,400}}", re.I), _address),
    Written("electronic", re.compile(rf"(?<![\w@./-])(?:{_DOMAIN}|localhost)(?::\d{{1,5}})?(?:[/?]{_PATH}{{0,400}})?(?![\w@-]|\.\w)"), _address),
    Written("electronic", re.compile(
        r"(?<![\w./])[A-Za-z][\w-]{0,60}\.(?:txt|md|pdf|docx?|xlsx?|csv|json|py|html?|jpe?g|png|gif|mp[34]|wav|zip|exe)(?![\w.]*\w)"), _address),
    Written("electronic", re.compile(r"(?<![\w@])@[A-Za-z_]\w{0,60}"), _address),
    Written("electronic", re.compile(r"(?<![\w#&])#([A-Za-z_]\w{0,60})"), lambda m, s: f"hashtag {_say(m[1])}"),
    Written("path", re.compile(r"(?<![\w/.])~?/(?:[A-Za-z][\w.-]{0,60}/){1,8}[\w.-]{0,60}\w"), lambda m, s: _say(m[0])),
]  # fmt: skip
