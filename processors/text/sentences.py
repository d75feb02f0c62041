"""Text of any length into sentences, one at a time, in constant memory.

The splitter reads pieces of text of any size (a string, the lines of a file, what arrives on a pipe) and gives the
same sentences however the text is cut into pieces. It looks ahead no further than `max_chars + LOOKAHEAD`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from processors.text.sentence_abbreviations import ends_sentence

LOOKAHEAD = 400  # characters beyond the longest sentence that a decision may depend on
PIECE = 1 << 16  # characters of a long string that are worked on at once
MIN_CHARS = 20  # a smaller limit would cut words apart

_TERMINATOR = re.compile(r"(?P<mark>[.!?…‽]+|[。！？｡]+)(?P<closers>[\"'”’»›)\]}]*)")
_ITEM = re.compile(r"\n[ \t]*(?:[-*•–—·‣▪]|\(?(?:\d{1,3}|[A-Za-z]|[ivxIVX]{1,5})[.)])[ \t]+\S")
_OPENING = "\"'“‘«‹([{¿¡*_—–-"
_BRACKETS = {")": "(", "]": "["}
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


def split_sentences(text: str | Iterable[str], max_chars: int = 250) -> Iterator[Sentence]:
    """Yield the sentences of a text, in order.

    `text` is a string or an iterable of pieces, for instance an open file. Blank lines end paragraphs; a single line
    break is a space, unless a list item follows. A sentence longer than `max_chars` characters is cut at a semicolon,
    comma, bracket or space, in this order of preference. `{ARPAbet in braces}` is not cut, up to LOOKAHEAD characters
    of it. Nothing but white space gives nothing.
    """
    if max_chars < MIN_CHARS:
        raise ValueError(f"max_chars is {max_chars}; it must be at least {MIN_CHARS}")
    pieces = collapse_whitespace(_pieces(text) if isinstance(text, str) else text)
    window = max_chars + LOOKAHEAD
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
        end = _next_end(buffer[start : start + window], max_chars)
        sentence = buffer[start : start + end].replace("\n", " ").strip()
        start += end
        if pending is not None:
            yield Sentence(pending, False)
        pending = sentence
    if pending is not None:
        yield Sentence(pending, True)


def sentence_spans(text: str, max_chars: int = 250) -> list[tuple[int, int]]:
    """First and one-past-last character of each sentence of one paragraph, white space at the ends left out.

    The characters between spans are white space. Takes text whose white space `collapse_whitespace` has collapsed.
    """
    spans, start = [], 0
    while start < len(text):
        if text[start].isspace():
            start += 1
            continue
        end = start + _next_end(text[start : start + max_chars + LOOKAHEAD], max_chars)
        spans.append((start, start + len(text[start:end].rstrip())))
        start = end
    return spans


def collapse_whitespace(pieces: Iterable[str]) -> Iterator[str]:
    """Each run of white space becomes one space, one line break, or two for a blank line; control characters go."""
    held = ""  # white space at the end of the last piece: what follows decides what it becomes
    for piece in pieces:
        parts = []
        for run in re.finditer(r"\s+|\S+", held + piece.replace("\x00", "")):
            parts.append(run.group())
        held = ""
        if parts and parts[-1].isspace():
            held = parts.pop()
            # Keep what matters of it, so that a megabyte of blanks does not grow.
            held = _collapsed(held[:-1]) + "\r" if held.endswith("\r") else _collapsed(held)
        if parts:
            yield "".join(_collapsed(part) if part.isspace() else part for part in parts)
    if held:
        yield _collapsed(held)


def _pieces(text: str) -> Iterator[str]:
    return (text[i : i + PIECE] for i in range(0, len(text), PIECE))


def _collapsed(run: str) -> str:
    if not run:
        return ""
    breaks = len(re.findall(r"\r\n|[\n\r\x0b\x0c\x85\u2028\u2029]", run)) + ("\u2029" in run)
    return "\n\n" if breaks > 1 else "\n" if breaks else " "


def _next_end(text: str, max_chars: int) -> int:
    """One past the end of the sentence that starts at text[0]; text[0] is no white space."""
    paragraph = text.find("\n\n")
    limit = paragraph if paragraph >= 0 else len(text)
    item = _ITEM.search(text, 1, limit)
    if item is not None:
        limit = item.start()
    for match in _TERMINATOR.finditer(text, 0, limit):
        if _is_end(text, match, limit):
            limit = match.end()
            break
    return limit if limit <= max_chars else _soft_end(text, max_chars, limit)


def _is_end(text: str, match: re.Match[str], limit: int) -> bool:
    mark, closers, end = match["mark"], match["closers"], match.end()
    if end >= limit:
        return True
    if mark[0] in "。！？｡":
        return not _inside_brackets(text, end, limit)
    if not text[end].isspace():
        return False
    following = text[end:limit].lstrip()
    before = text[: match.start()]
    if _inside_braces(text, end) or _inside_brackets(text, end, limit):
        return False
    return ends_sentence(before, mark, following.lstrip(_OPENING), closed=bool(closers))


def _inside_braces(text: str, end: int) -> bool:
    opened = text.rfind("{", 0, end)
    return opened >= 0 and text.find("}", opened, end) < 0 and text.find("}", end) >= 0


def _inside_brackets(text: str, end: int, limit: int) -> bool:
    """Whether a bracket that opened before `end` closes after it: its sentences stay with the one around them."""
    depth = {"(": 0, "[": 0}
    for character in text[:end]:
        if character in depth:
            depth[character] += 1
        elif character in _BRACKETS and depth[_BRACKETS[character]]:
            depth[_BRACKETS[character]] -= 1
    return (depth["("] > 0 and text.find(")", end, limit) >= 0) or (depth["["] > 0 and text.find("]", end, limit) >= 0)


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
