"""E-mail addresses, web addresses, file names, @names and #tags as people say them."""

from __future__ import annotations

import re

from processors.text.number_words import cardinal, digits
from processors.text.written.cues import spoken, words
from processors.text.written.scan import Scan, Written

_PATH = r"[^\s<>\"{}|\\^`\[\]]"
_LABEL = r"[A-Za-z0-9-]{1,63}"
_EMAIL = re.compile(rf"(?<![\w.+@-])[\w.+&'-]{{1,64}}@{_LABEL}(?:\.{_LABEL}){{1,8}}(?:/{_PATH}{{0,400}})?(?![\w@])")
_URL = re.compile(rf"(?<![\w@/.])(?:(?:https?|ftp|file)://|(?=www\.)){_PATH}{{2,400}}", re.I)
_BARE = re.compile(
    rf"(?<![\w@./-])(?:{_LABEL}(?:\.{_LABEL}){{0,5}}\.(?:{'|'.join(sorted(words('domains.txt')))})\b|localhost)"
    rf"(?::\d{{1,5}})?(?:[/?]{_PATH}{{0,400}})?(?![\w@-]|\.\w)"
)
_FILE = re.compile(
    r"(?<![\w./])[A-Za-z][\w-]{0,60}\.(?:txt|md|pdf|docx?|xlsx?|csv|json|py|html?|jpe?g|png|gif|mp[34]|wav|zip|exe)"
    r"(?![\w.]*\w)"
)
_FOLDERS = re.compile(r"(?<![\w/.])~?/(?:[A-Za-z][\w.-]{0,60}/){1,8}[\w.-]{0,60}\w")
_HANDLE = re.compile(r"(?<![\w@])@[A-Za-z_]\w{0,60}")
_TAG = re.compile(r"(?<![\w#&])#([A-Za-z_]\w{0,60})")
_PIECE = re.compile(r"[^\W\d_]+|\d+|\W|_")


def _say(text: str) -> str:
    """Words, letters, digits and the names of signs."""
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
    return _say(body) + (match[0][len(body) :][:1] if match[0][len(body) :][:1] in tuple(".,;:!?") else "")


CLASSES = [
    Written("electronic", _EMAIL, _address),
    Written("electronic", _URL, _address),
    Written("electronic", _BARE, _address),
    Written("electronic", _FILE, _address),
    Written("electronic", _FOLDERS, lambda match, scan: _say(match[0])),
    Written("electronic", _HANDLE, lambda match, scan: _say(match[0])),
    Written("electronic", _TAG, lambda match, scan: f"hashtag {_say(match[1])}"),
]
