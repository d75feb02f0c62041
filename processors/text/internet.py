"""E-mail addresses, web addresses, file names, @names and #tags as people say them."""

from __future__ import annotations

import re

# Top-level domains that make a bare "name.tld" an address; longer lists would catch missing spaces after full stops.
_TLDS = "com|org|net|edu|gov|mil|int|info|biz|io|ai|app|dev|tv|co|uk|de|fr|ca|au|jp|cn|ru|nl|ch|eu"
_EMAIL = re.compile(r"(?<![\w.+@-])([\w.+-]{1,64})@([A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8})(?![\w@])")
_URL = re.compile(r"(?<![\w@/.])(?:https?://|ftp://|(?=www\.))([^\s<>\"{}|\\^`\[\]]{2,400})", re.IGNORECASE)
_BARE = re.compile(
    rf"(?<![\w@./-])([A-Za-z0-9-]{{1,63}}(?:\.[A-Za-z0-9-]{{1,63}}){{0,5}}\.(?:{_TLDS}))(/[^\s<>\"{{}}|\\^`\[\]]{{0,400}})?(?![\w@.-]*\w)"
)
_HANDLE = re.compile(r"(?<![\w@])@([A-Za-z_]\w{0,60})")
_TAG = re.compile(r"(?<![\w#&])#([A-Za-z_]\w{0,60})")
_FILE = re.compile(
    r"(?<![\w./])([A-Za-z][\w-]{0,60})\.(txt|md|pdf|docx?|xlsx?|csv|json|py|html?|jpe?g|png|gif|mp[34]|wav|zip|exe)(?![\w.]*\w)"
)
_PART = re.compile(r"[A-Za-z]+|\d+|[^A-Za-z\d]")
_SIGN_NAMES = {
    ".": "dot", "/": "slash", "-": "dash", "_": "underscore", "@": "at", ":": "colon", "?": "question mark",
    "=": "equals", "&": "and", "#": "hash", "%": "percent", "+": "plus", "~": "tilde", "!": "exclamation mark",
    ",": "comma", ";": "semicolon", "*": "star", "'": "apostrophe", "$": "dollar", "(": "", ")": "",
}  # fmt: skip
# Read as letters although a reader of words would try to say them.
_SPELT = frozenset(
    "www http https ftp html htm php uk us eu tv io ai de fr pdf csv txt md png gif py mp xls xlsx "
    "docx exe cn nl ch".split()
)


def _say(text: str) -> str:
    words = []
    for part in _PART.findall(text):
        if part.isalpha():
            words.append(" ".join(part.upper()) if part.lower() in _SPELT else part)
        elif part.isdigit():
            words.append(part if len(part) < 5 else " ".join(part))
        else:
            words.append(_SIGN_NAMES.get(part, ""))
    return " ".join(w for w in words if w)


def _address(address: str) -> str:
    # A sentence's own mark at the end is not part of the address.
    body = address.rstrip(".,;:!?'")
    if body.endswith(")") and "(" not in body:
        body = body[:-1].rstrip(".,;:!?'")
    return f" {_say(body.rstrip('/'))} {address[len(body) :]}"


def expand_internet(text: str) -> str:
    """ "me@x.org" -> "me at x dot org"; "https://www.x.org/a" -> "W W W dot x dot org slash a"."""
    if "@" in text:
        text = _EMAIL.sub(lambda m: f" {_say(m[1])} at {_say(m[2])} ", text)
        text = _HANDLE.sub(lambda m: f" at {_say(m[1])} ", text)
    if "." in text:
        if "//" in text or "www." in text.lower():
            text = _URL.sub(lambda m: _address(m[1]), text)
        text = _BARE.sub(lambda m: _address(m[0]), text)
        text = _FILE.sub(lambda m: f" {_say(m[1])} dot {_say(m[2])} ", text)
    if "#" in text:
        text = _TAG.sub(lambda m: f" hashtag {_say(m[1])} ", text)
    return text
