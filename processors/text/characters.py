"""Any Unicode text as plain characters: ASCII letters, digits and marks, and a few signs that later steps read."""

from __future__ import annotations

import html
import re
import unicodedata
from functools import lru_cache

# Stands for one span of phones in braces while a text is normalised; the input's own private characters vanish.
PLACEHOLDER = "\ue000"

_SINGLE_QUOTES = "‘’‚‛′ʹʻʼʽˈ`´＇ꞌ"
_DOUBLE_QUOTES = "“”„‟«»″‴〝〞〟＂‹›"
_DASHES = "‒–—―⸺⸻﹘︱︲〜～"
_HYPHENS = "‐‑⁃﹣－­֊᠆"
_SPECIAL_LETTERS = {
    "ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D", "ł": "l",
    "Ł": "L", "þ": "th", "Þ": "Th", "ð": "th", "Ð": "Th", "ı": "i", "ħ": "h", "Ħ": "H", "ŋ": "ng", "Ŋ": "Ng", "ə": "e",
    "ƒ": "f", "ʒ": "zh",
}  # fmt: skip
_GREEK = dict(
    zip(
        "αβγδεζηθικλμνξοπρστυφχψω",
        "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon "
        "phi chi psi omega".split(),
    )
)
# Signs whose compatibility form would lose the meaning.
_SIGNS = {
    "²": "^2", "³": "^3", "№": " No. ", "℃": "°C", "℉": "°F", "©": " copyright ", "®": " registered ",
    "™": " trademark ", "℠": " service mark ", "\u00b5": "μ", "\u2126": " ohms ", "\u212b": " angstroms ",
    "∞": " infinity ", "√": " square root of ", "∑": " sum ", "π": " pi ", "Π": " pi ", "•": ", ", "·": " ",
    "℅": " care of ", "⁄": "/", "∕": "/", "−": "-", "×": " x ", "✕": " x ", "✖": " x ", "º": "°", "˚": "°", "…": "…",
    "⋯": "…", "。": ".", "、": ",", "，": ",", "！": "!", "？": "?", "；": ";", "：": ":", "¿": " ", "¡": " ", "؟": "?",
    "،": ",",
    "؛": ";", "।": ".", "‽": "?!", "〈": "(", "〉": ")", "「": '"', "」": '"', "『": '"', "』": '"', "【": "(",
    "】": ")", "｛": "(", "｝": ")", "↔": " ", "½": " 1/2", "¼": " 1/4", "¾": " 3/4", "ℓ": "l", "₤": "£",
    "≠": " is not equal to ",
}  # fmt: skip
# What the later steps read besides letters, digits and spaces.
_KEPT = frozenset("!\"#$%&'()*+,-./:;<=>?@[]^_|~\\{}£€¥₹¢§°±÷≈≠≤≥¶μ‰–…\u2014" + PLACEHOLDER)
_NEEDS_WORK = re.compile(r"[^ -~]")


def _table() -> dict[int, str]:
    table = {ord(c): "'" for c in _SINGLE_QUOTES}
    table |= {ord(c): '"' for c in _DOUBLE_QUOTES}
    table |= {ord(c): "-" for c in _HYPHENS}
    table |= {ord(c): "—" for c in _DASHES if c not in "‒–"}
    table |= {ord(c): "–" for c in "‒–"}
    table |= {ord(c): r for c, r in _SPECIAL_LETTERS.items()}
    table |= {ord(c): r for c, r in _SIGNS.items()}
    # Soft hyphens mark where a line may break; they are no sound.
    table[0xAD] = ""
    return table


_TABLE = _table()


def _plain(char: str) -> str:
    """One character after compatibility decomposition, as text that later steps know."""
    if char.isascii() or char in _KEPT:
        return char if char.isprintable() else " "
    category = unicodedata.category(char)
    if category in ("Mn", "Me", "Cf"):
        # Combining accents, joiners, direction marks.
        return ""
    if category == "Nd":
        return str(unicodedata.decimal(char))
    lower = char.lower()
    if lower in _GREEK:
        return f" {_GREEK[lower]} "
    if lower == "ς":
        return " sigma "
    return _TABLE.get(ord(char), " ")


def _fraction_space(match: re.Match[str]) -> str:
    return f"{match[1]} {match[2]}"


_TYPED_DASH = re.compile(r"--+")
_ENTITY = re.compile(r"&(?:#\d{1,6}|#[xX][0-9a-fA-F]{1,5}|[A-Za-z]{2,8});")
_MIXED_FRACTION = re.compile(r"(\d)([⅐-⅞↉])")


def plain_characters(text: str) -> str:
    """Quotes, dashes, accents, ligatures, full-width forms, controls and emoji as plain text.

    The result holds ASCII, the signs of `_KEPT` (currency, degree, section, comparison, "–" and "—" for dashes, "…")
    and nothing else; runs of blanks are one space.
    """
    if "&" in text:
        text = _ENTITY.sub(lambda match: html.unescape(match[0]), text)
    if _NEEDS_WORK.search(text):
        text = _MIXED_FRACTION.sub(_fraction_space, text.replace(PLACEHOLDER, " ")).translate(_TABLE)
        text = unicodedata.normalize("NFKD", text).translate(_TABLE)
        text = "".join(map(_plain, text))
    # A dash of typewriters parts what it is glued to: "1899--he", "CHAPTER III--THE FLIGHT".
    text = _TYPED_DASH.sub(" — ", text.replace("...", "…"))
    return " ".join(text.split())


@lru_cache(maxsize=1 << 14)
def survives(letter: str) -> bool:
    """Whether `plain_characters` leaves anything of a letter."""
    return plain_characters(letter) != ""


def plain_marks(text: str) -> str:
    """Quotes, dashes, spaces and controls as plain marks; letters and digits of any script stay (NFC)."""
    text = "".join(c for c in text if unicodedata.category(c) not in ("Cf", "Co", "Cn", "Cs"))
    text = unicodedata.normalize("NFC", text.replace(PLACEHOLDER, " ").translate(_MARK_TABLE))
    kept = (c if unicodedata.category(c)[0] in "LMNPS" and unicodedata.category(c) != "So" else " " for c in text)
    return " ".join("".join(kept).replace("...", "…").split())


_MARK_TABLE = (
    {ord(c): "'" for c in _SINGLE_QUOTES} | {ord(c): '"' for c in _DOUBLE_QUOTES} | {ord(c): "—" for c in _DASHES}
)
_MARK_TABLE |= {ord(c): _SIGNS[c] for c in "。、，！？；：؟،؛।〈〉「」『』【】｛｝"}
