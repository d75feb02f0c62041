"""Text files to speak: plain ones in pieces, and lists of `id|text` lines, from disk or from a pipe."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TextIO

from processors.corpus import id_problem
from processors.text.characters import TextError
from utils.errors import UserError

_PIECE = 1 << 12  # characters that are read at once
_LONGEST_HEAD = 1 << 16  # characters of a line in which a file must show that it is a list
_LARGEST_PIPE = 1 << 26  # bytes: 64 novels
_LINES_THAT_SHOW = 20


def check_id(name: str) -> None:
    """TextError for an id that cannot name a file inside the output folder."""
    if problem := id_problem(name):
        raise TextError(f"the id {name[:60]!r} cannot name a file: it {problem}")


def has_ids(path: Path) -> bool:
    """Whether a text file consists of `id|text` lines, as its first line with text shows.

    An id of several words may be prose with a bar in it: then most of the next lines must have bars, too.
    """
    lines = (line for line in _pieces(path, lambda file: file.readline(_LONGEST_HEAD)) if line.strip())
    first = next(lines, None)
    if first is None:
        raise UserError(f"--text_file {path} is empty")
    name, bar, _ = first.partition("|")
    if not bar or id_problem(name.strip()) is not None:
        return False
    if not re.search(r"\s", name.strip()):
        return True
    barred = ["|" in line for line in islice(lines, _LINES_THAT_SHOW)]
    return 4 * sum(barred) >= 3 * len(barred)


def id_lines(
    path: Path, on_bad: Callable[[str, TextError], None], speaker_of: Callable[[str], str | None] = lambda column: None
) -> Iterator[tuple[str, str, str | None]]:
    """Id, text and speaker, if one is named, of each line of `id|text` or `id|speaker|text`.

    `speaker_of` says whom the second of three columns means; where it is nobody (None), the column is the text, as in
    LJSpeech's tables. `on_bad` hears of each line that is none, by its place.
    """
    seen: set[str] = set()
    for number, line in enumerate(_pieces(path, lambda file: file.readline()), 1):
        if not line.strip():
            continue
        name, bar, text = (part.strip() for part in line.partition("|"))
        name = name.replace("\\", "/")  # other programs' separators
        try:
            if not bar:
                raise TextError("there is no | between id and text")
            check_id(name)
            # File systems of some machines take upper and lower case for the same.
            if name.lower() in seen:
                raise TextError(f"the id {name!r} is there already")
            first, _, rest = (part.strip() for part in text.partition("|"))
            speaker = speaker_of(first) if rest else None
        except TextError as error:
            on_bad(f"line {number}", error)
            continue
        seen.add(name.lower())
        yield name, first if speaker is None else rest.partition("|")[0].strip(), speaker


def pieces_of(path: Path) -> Iterator[str]:
    """A text file's contents in pieces; UserError if it cannot be read or is not UTF-8."""
    return _pieces(path, lambda file: file.read(_PIECE))


def _pieces(path: Path, read: Callable[[TextIO], str]) -> Iterator[str]:
    try:
        source: BinaryIO = open(path, "rb") if path.is_file() else io.BytesIO(_piped(path))
        with io.TextIOWrapper(source, encoding="utf-8-sig") as file:
            while piece := read(file):
                yield piece
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text (near byte {error.start}); convert it") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {os.strerror(error.errno or 0)}") from None


@cache
def _piped(path: Path) -> bytes:
    """What comes from a pipe, which gives it once, while a text file is read twice: for its kind, and to be spoken."""
    with open(path, "rb") as pipe:
        content = pipe.read(_LARGEST_PIPE + 1)
    if len(content) > _LARGEST_PIPE:
        raise UserError(f"{path} gives more than {_LARGEST_PIPE >> 20} MiB: write it to a file, or use --text -")
    return content
