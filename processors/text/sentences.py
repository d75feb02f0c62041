"""Text of any length into sentences, one at a time, in constant memory.

The splitter reads pieces of text of any size (a string, the lines of a file, what arrives on a pipe) and gives the
same sentences however the text is cut into pieces. It looks ahead no further than `max_chars + LOOKAHEAD`.
What a full stop after a word means is a table, data/sentence_ends.txt, which has rows of single languages too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from processors.text.tables import kinds

LOOKAHEAD = 400  # characters beyond the longest sentence that a decision may depend on
PIECE = 1 << 16  # characters of a long string that are worked on at once
MIN_CHARS = 20  # a smaller limit would cut words apart

_Kinds = dict[str, frozenset[str]]
_KindsAt = Callable[[int], _Kinds]  # what words mean at a place, by the language that is written there

# A mark with what closes after it and the numbers of notes ("end.[1]"), or something that opens.
_STOP = re.compile(
    r"(?P<mark>[.!?…‽]+(?:[ \n]\.+(?=\W|$))*|[。！？｡]+)(?P<closers>[\"'”’»›)\]}]*)(?:\[\d{1,3}\])*|[(\[{“‘«\"']"
)
_ENCLOSING = re.compile(r"[()\[\]{}“”‘’«»\"']")
_OPENERS = {")": "(", "]": "[", "}": "{", "”": '“"', "’": "‘'", "»": "«", '"': '"', "'": "'"}
_BEFORE_OPENING = re.compile(r"(?:^|[\s(\[{“‘«\"'—–-])$")
_OPENING = "\"'“‘«‹([{¿¡*_—–-"
_BULLETS = "-*•–—·‣▪⁃"
_LABEL = r"(\(?)(\d{1,3}|[A-Za-z]|[ivx]{1,5}|[IVX]{1,5})"
_NUMBERED = re.compile(rf"[{_BULLETS}]?[ \t]*{_LABEL}(\.\)|[.)])?")
_NEXT_NUMBERED = re.compile(rf"\s[{_BULLETS}]?{_LABEL}(\.\)|[.)])(?=\s+\w)")
_ITEM = re.compile(rf"\n[ \t]*(?:[{_BULLETS}]|\(?(?:\d{{1,3}}|[A-Za-z]|[ivxIVX]{{1,5}})[.)])[ \t]+\S")
_WRAPPED = re.compile(r"[\w,]\n[ \t]*(?!1\.)\d+\.")  # "am", and "3. Mai" in the next line
_ORDERS = (
    [str(number) for number in range(1000)],
    "abcdefghijklmnopqrstuvwxyz",
    "i ii iii iv v vi vii viii ix x xi xii".split(),
)
# Labels of items that come after one another.
_FOLLOWING = {(one, other) for order in _ORDERS for one, other in zip(order, order[1:])}
_LAST_WORD = re.compile(r"(?<![^\s(\[{\"“‘«—–])[^\s(\[{\"“‘«—–]+$")
_NO_LETTER = re.compile(r"[\W\d_]")
# "3.", "14.-16.", "XIV."; years and "CD" are none.
_ORDINAL = re.compile(r"(?:\d{1,3}\.?[-/])?\d{1,3}|[IVXL]{2,7}")
_INITIALS = re.compile(r"(?:[A-Za-z]\.)+[A-Za-z]{1,2}")
# "the end.The next": a word or number, a full stop, and a capital word, no address and no name in a program.
_NO_SPACE = re.compile(r"(?<![^\s(\"“])([a-z]{2,}|[A-Z][a-z]+|\d[\d,]*)$")
# Where an overlong sentence may be cut, best first.
_SOFT_BREAKS = (
    re.compile(r"[;:]\s"),
    re.compile(r"[,،]\s|[、，；：]|\s[—–-]+\s|—"),
    re.compile(r"[)\]\"”]\s"),
    re.compile(r"\s"),
)


@dataclass(frozen=True)
class Sentence:
    """One sentence of plain text, white space collapsed, and whether a paragraph ends with it."""

    text: str
    ends_paragraph: bool


def split_sentences(text: str | Iterable[str], max_chars: int = 250, language: str = "en") -> Iterator[Sentence]:
    """Yield the sentences of a text, in order.

    `text` is a string or an iterable of pieces, for instance an open file. Blank lines end paragraphs; a single line
    break is a space, unless a list item follows. What stands in brackets or quotation marks stays together as far as
    `max_chars` allow. A sentence longer than that is cut at a semicolon, comma, bracket or space, in this order of
    preference. `{ARPAbet in braces}` is not cut, up to LOOKAHEAD characters of it. Nothing but white space gives
    nothing.
    """
    if max_chars < MIN_CHARS:
        raise ValueError(f"max_chars is {max_chars}; it must be at least {MIN_CHARS}")
    cut = (text[i : i + PIECE] for i in range(0, len(text), PIECE)) if isinstance(text, str) else text
    pieces = collapse_whitespace(cut)
    window, known = max_chars + LOOKAHEAD, _kinds_of(language)
    buffer, start, more = "", 0, True
    pending: str | None = None  # held back until it is known whether a paragraph ends after it
    while True:
        while more and len(buffer) - start < window:
            piece = next(pieces, None)
            more = piece is not None
            buffer = buffer[start:] + (piece or "")
            start = 0
        if start >= len(buffer):
            break
        paragraph_break = buffer.startswith("\n\n", start)
        if paragraph_break or buffer[start].isspace():
            start += 2 if paragraph_break else 1
            if paragraph_break and pending is not None:
                yield Sentence(pending, True)
                pending = None
            continue
        end = _next_end(buffer[start : start + window], max_chars, lambda at: known)
        sentence = buffer[start : start + end].replace("\n", " ").strip()
        start += end
        if pending is not None:
            yield Sentence(pending, False)
        pending = sentence
    if pending is not None:
        yield Sentence(pending, True)


def sentence_spans(text: str, max_chars: int, language: Callable[[int], str]) -> list[tuple[int, int]]:
    """First and one-past-last character of each sentence of one paragraph, white space at the ends left out.

    The characters between spans are white space. Takes text whose white space `collapse_whitespace` has collapsed, and
    which language the character at a place is in.
    """

    def kinds_from(start: int) -> _KindsAt:
        return lambda at: _kinds_of(language(start + at))

    spans, start = [], 0
    while start < len(text):
        if text[start].isspace():
            start += 1
            continue
        end = start + _next_end(text[start : start + max_chars + LOOKAHEAD], max_chars, kinds_from(start))
        spans.append((start, start + len(text[start:end].rstrip())))
        start = end
    return spans


def collapse_whitespace(pieces: Iterable[str]) -> Iterator[str]:
    """Each run of white space becomes one space, one line break, or two for a blank line; control characters go."""
    held = ""  # white space at the end of the last piece: what follows decides what it becomes
    for piece in pieces:
        parts = re.findall(r"\s+|\S+", held + piece.replace("\x00", ""))
        held = ""
        if parts and parts[-1].isspace():
            held = parts.pop()
            # Keep what matters of it, so that a megabyte of blanks does not grow.
            held = _collapsed(held[:-1]) + "\r" if held.endswith("\r") else _collapsed(held)
        if parts:
            yield "".join(_collapsed(part) if part.isspace() else part for part in parts)
    if held:
        yield _collapsed(held)


def _collapsed(run: str) -> str:
    breaks = len(re.findall(r"\r\n|[\n\r\x0b\x0c\x85\u2028\u2029]", run)) + ("\u2029" in run)
    return "\n\n" if breaks > 1 else "\n" if breaks else " " if run else ""


@lru_cache(maxsize=64)
def _kinds_of(language: str) -> _Kinds:
    """The table's rows for all languages, each with the language's own; "ordinal" is empty where there are none."""
    rows, code = kinds("sentence_ends.txt"), language.lower().replace("_", "-").partition("-")[0]
    known = {kind: words | rows.get(f"{code}.{kind}", frozenset()) for kind, words in rows.items()}
    return known | {"ordinal": rows["ordinal"] & {code}}


def _next_end(text: str, max_chars: int, kinds_at: _KindsAt) -> int:
    """One past the end of the sentence that starts at text[0]; text[0] is no white space."""
    paragraph = text.find("\n\n")
    limit = paragraph if paragraph >= 0 else len(text)
    items = (item.start() for item in _ITEM.finditer(text, 1, limit))
    limit = next((at for at in items if not (_WRAPPED.match(text, at - 1) and kinds_at(at)["ordinal"])), limit)
    limit = _next_item(text, limit)
    closings = _closings(text, limit)
    end = _first_stop(text, limit, closings, kinds_at)
    if end > max_chars:
        # Too long to stay together: only phones do.
        braces = {start: close for start, close in closings.items() if text[start] == "{"}
        end = _first_stop(text, limit, braces, kinds_at)
    return end if end <= max_chars else _soft_end(text, max_chars, end)


def _next_item(text: str, limit: int) -> int:
    """Where the next item begins on the same line of a list of which one begins the text: "1. One 2. Two"."""
    first = _NUMBERED.match(text)
    if first is None or not first[3] or not text[first.end() : first.end() + 1].isspace():
        return limit
    for item in _NEXT_NUMBERED.finditer(text, first.end(), limit):
        labels = (first[2].lower(), item[2].lower())
        if (item[1], item[3], item[2].islower()) == (first[1], first[3], first[2].islower()) and labels in _FOLLOWING:
            return item.start()
    return limit


def _closings(text: str, limit: int) -> dict[int, int]:
    """Where each bracket and quotation that opens before `limit` closes before it."""
    closings: dict[int, int] = {}
    opened: list[int] = []
    for match in _ENCLOSING.finditer(text, 0, limit):
        sign, at = match.group(), match.start()
        before, after = text[at - 1 : at] if at else " ", text[at + 1 : at + 2]
        if sign in "([{“‘«" or (sign in "\"'" and _BEFORE_OPENING.match(before) and after.strip()):
            opened.append(at)
        elif sign not in "'’" or (before in ".,!?…" and not after.isalnum()):  # no apostrophe
            while opened and any(text[start] in _OPENERS[sign] for start in opened):
                start = opened.pop()
                if text[start] in _OPENERS[sign]:
                    closings[start] = at
                    break
    return closings


def _first_stop(text: str, limit: int, closings: dict[int, int], kinds_at: _KindsAt) -> int:
    """One past the first end of a sentence that is not within what closes later."""
    position = 0
    while match := _STOP.search(text, position, limit):
        position = match.end()
        if match["mark"]:
            if _is_end(text, match, limit, kinds_at(match.start())):
                return position
        elif (close := closings.get(match.start())) is not None:
            # A sentence may end with a mark just before what closes.
            position = max(position, len(text[:close].rstrip(".!?…‽\"'”’»›)]")))
    return limit


def _is_end(text: str, match: re.Match[str], limit: int, known: _Kinds) -> bool:
    mark, end = match["mark"], match.end()
    if end >= limit or mark[0] in "。！？｡":
        return True
    before = text[: match.start()]
    if not text[end].isspace():
        return mark == "." and not match["closers"] and _lacks_space(before, text[end:limit], known)
    following = text[end:limit].lstrip().lstrip(_OPENING)
    if not following:
        return True
    if not before.strip() or (len(mark) > 1 and before[-1] in "[("):
        return False  # an ellipsis at the start belongs to what follows, "[...]" to what is around it
    word = _NO_LETTER.split(following, maxsplit=1)[0]
    if match["closers"] and word[:1].islower():
        return False  # "Stop!" he said
    if "!" in mark or "?" in mark:
        said = any(verb.rstrip(",.").lower() in known["saying"] for verb in following.split()[:3])
        return not (word[:1].islower() and (said or before.endswith("Yahoo")))
    if "…" in mark or len(mark) > 1:
        return not word[:1].islower() and word != "I"
    return _full_stop_ends(before, word, following, known)


def _lacks_space(before: str, after: str, known: _Kinds) -> bool:
    """Whether only a space is missing after a full stop: "the end.The next one"."""
    left, word = _NO_SPACE.search(before), _NO_LETTER.split(after, maxsplit=1)[0]
    if left is None or not word[:1].isupper() or not word[1:].islower() or after[len(word) : len(word) + 1] in "(_@/":
        return False
    return not left[1][0].isupper() or word.lower() in known["starter"] | known["title"]


def _full_stop_ends(before: str, word: str, following: str, known: _Kinds) -> bool:
    """Whether a full stop after `before` ends a sentence, where white space and `following` with `word` come next."""
    match = _LAST_WORD.search(before)
    last = match.group().rstrip("'’\"”)]") if match else ""
    key, lower = last.lower(), word[:1].islower()
    starter = word.lower() in known["starter"]
    if _NUMBERED.fullmatch(before):
        return False  # "1. First"
    pair = "_".join(before.lower().rsplit(maxsplit=2)[-2:]).lstrip('(["“„»')
    if not known["never"].isdisjoint((key, pair)) or (key in known["title"] and last[:1].isupper()):
        return False
    if key in known["number"] and following[0].isdigit():
        return False
    if len(last) == 1 and last.isalpha():  # initials: "J. Smith", but "plan B. Then"
        return starter and not lower
    if known["ordinal"] and word and _ORDINAL.fullmatch(last):  # "am 3. Mai", but "Sie ist 3. Er ist 5."
        return starter and not lower
    numbered = key in known["unit"] and before[: len(before) - len(last)].rstrip()[-1:].isdigit()
    capital = key in known["capital"] and last[:1].isupper()
    if numbered or capital or key in known["open"] or _INITIALS.fullmatch(last):
        titled = word.lower() in known["title"] and following[len(word) : len(word) + 1] == "."
        named = key in known["name"] and word[1:].islower() and word.lower() not in known["after-name"]
        return not lower and (starter or key == "etc" or word == "I" or titled or named)
    if not lower:
        return True
    # Text without capitals: a plain word ends a sentence, what may be an unknown abbreviation does not.
    plain = len(key) >= 3 and key.isalpha() and key not in known["unit"]
    return plain and re.search(r"[aeiouy]", key) is not None


def _soft_end(text: str, max_chars: int, length: int) -> int:
    """Where to cut a sentence of `length` characters that is longer than `max_chars`."""
    # Parts of about one length rather than a last one of two words.
    parts = -(-length // max_chars)
    head = text[: min(max_chars, length // parts + max_chars // 5)]
    # The second half first, so that a comma after two words does not win over one further on.
    for earliest in (len(head) // 2, 1):
        for pattern in _SOFT_BREAKS:
            ends = [m.end() for m in pattern.finditer(head, earliest) if not _inside_braces(text, m.end())]
            if ends:
                return ends[-1]
    if not _inside_braces(text, max_chars):
        return max_chars
    # Before the braces, or behind them and their mark if they are all that there is.
    rest = text[text.find("}", max_chars) + 1 :]
    return text.rfind("{", 0, max_chars) or len(text) - len(rest.lstrip(".,;:!?…"))


def _inside_braces(text: str, end: int) -> bool:
    opened = text.rfind("{", 0, end)
    return opened >= 0 and text.find("}", opened, end) < 0 and text.find("}", end) >= 0
