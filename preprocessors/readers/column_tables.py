"""Corpora whose utterances are the lines of a table: LJSpeech's layout and its relatives."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from preprocessors.features import SourceRow
from preprocessors.readers.audio_files import AUDIO_SUFFIXES, Finder, finder, names_of
from processors.corpus import LONGEST_ID, id_problem
from utils.errors import UserError, one_line

MAX_TEXT_LENGTH = 10_000  # no recording is as long, and a damaged file may be one line
# What columns are called; of several for one thing the first counts that is not empty.
COLUMNS = {
    "path": ("file_name", "path", "audio_file", "audio_filepath", "audio", "id"),
    "text": ("normalized_text", "normalised", "transcription", "sentence", "text", "transcript"),
    "speaker": ("speaker", "speaker_id", "speaker_name", "client_id"),
    "language": ("language", "lang"),
}
_KNOWN = frozenset(name for names in COLUMNS.values() for name in names)
# Common Voice's client_id: enough of it is unique.
_HASH, _HASH_LENGTH = re.compile(r"[0-9a-f]{64,}"), 12
_NO_UTF8 = re.compile("[\udc80-\udcff]")
_LOOKED_AT, _LOOKED_INTO = 1000, 1 << 20  # lines and bytes, to find out what the columns hold
_LONGEST_NAME = 40  # characters of a speaker's


@dataclass(frozen=True)
class Table:
    """A kind of table: its names, folders of its recordings beside it, and its columns (() where line 1 names them)."""

    files: tuple[str, ...]
    recordings: tuple[str, ...]
    columns: tuple[str, ...] = ()
    least: int = 0  # columns that no line lacks
    expected: str = ""


_FILES = ("metadata.csv", "metadata.list", "metadata.txt", "filelist.txt")
_SPEAKER, _LANGUAGE = ("path", "speaker", "text"), ("path", "speaker", "language", "text")
TABLES = {
    "ljspeech": Table(
        _FILES[:1], ("wavs", "wav"), ("id", "text", "normalised"), 2, "id|text or id|text|normalised text"
    ),
    "wav|speaker|text": Table(_FILES, ("wavs", "wav", "."), _SPEAKER, 3, "wav|speaker|text"),
    "path|speaker|language|text": Table(_FILES, (".", "wavs", "wav"), _LANGUAGE, 4, "path|speaker|language|text"),
    "css10": Table(("transcript.txt",), (".",), ("path", "text", "normalised", "seconds"), 2, "path|text|normalised"),
    "common_voice": Table(("validated.tsv",), ("clips",)),
    "audiofolder": Table(("metadata.csv", "metadata.jsonl"), (".", "wavs", "wav", "clips")),
}
TABLES["m_ailabs"] = TABLES["ljspeech"]  # one for each book


def kind_of_table(path: Path) -> str:
    """Which of TABLES a file of the usual names is, by its first lines."""
    if path.suffix == ".jsonl":
        return "audiofolder"
    lines = [line for line in _content(path, _LOOKED_INTO).split("\n")[:_LOOKED_AT] if line.strip()]
    if lines and _names_columns(lines[0]):
        return "audiofolder"
    rows = [[cell.strip() for cell in line.split("|")] for line in lines]
    width = Counter(map(len, rows)).most_common(1)[0][0] if rows else 0
    # Speakers come again and again, and are short; the texts of LJSpeech's second column are neither.
    pairs = [(row[1], row[2]) for row in rows if len(row) == 3]
    names = [name for name, _ in pairs if name]  # a few may be missing
    again = len(names) > max(3, len(pairs) / 2) and len(names) >= 2 * len(set(names))
    short = all(len(name) <= _LONGEST_NAME for name in names)
    if width == 3 and again and short and all(name.casefold() != text.casefold() for name, text in pairs):
        return "wav|speaker|text"
    return "path|speaker|language|text" if width == 4 else "ljspeech"


def read_table(path: Path, kind: Table, prefix: str = "") -> Iterator[SourceRow]:
    """Rows of a table, bad lines among them; `prefix` goes before ids, in messages before the file's name.

    Raises UserError when it cannot be read as a whole, or when there are no recordings.
    """
    folder = path.parent
    if not any((folder / place).is_dir() for place in kind.recordings):
        raise UserError(f"{folder / kind.recordings[0]} does not exist: put the recordings of {path.name} there")
    find = {place: finder(folder / place) for place in kind.recordings}
    seen: dict[str, int] = {}
    for number, cells, problem in _lines(path, kind):
        where = f"line {number} of {prefix}{path.name}"
        row = _row(cells, problem, where, find, folder, prefix)
        if not row.kind and seen.setdefault(row.id, number) != number:
            row = SourceRow(row.id, kind="duplicate id", reason=f"{where} repeats the id of line {seen[row.id]}")
        yield row


def _row(
    cells: Mapping[str, str],
    problem: tuple[str, str] | None,
    where: str,
    find: Mapping[str, Finder],
    folder: Path,
    prefix: str,
) -> SourceRow:
    """One line as a row, good or not."""
    values = {
        what: next((cells[name] for name in names if cells.get(name)), "").strip() for what, names in COLUMNS.items()
    }
    # Other programs write where a recording lies on their machine.
    identity = values["path"].removeprefix(f"{folder}/").removeprefix("./")
    label = "".join(c if c.isprintable() else "?" for c in identity[:LONGEST_ID]) or where
    text = values["text"]
    if wrong := id_problem(identity) or id_problem(prefix + identity):
        problem = problem or ("bad id", f"{where}: the id {wrong}")
    elif not text:
        problem = problem or ("empty text", f"{where} has no text")
    elif len(text) > MAX_TEXT_LENGTH:
        problem = problem or ("text too long", f"{where} has {len(text)} characters, more than any recording can hold")
    if problem is not None:
        return SourceRow(label, kind=problem[0], reason=problem[1])
    speaker = values["speaker"]
    if speaker:
        speaker = speaker[:_HASH_LENGTH] if _HASH.fullmatch(speaker) else one_line(speaker, LONGEST_ID)
    for place, finds in find.items():
        for name in names_of(identity, place):
            if path := finds(name):
                language = values["language"].lower().replace("_", "-")
                return SourceRow(prefix + name, text, path, speaker, language)
    searched = "".join(f"{place}/" for place in [next(iter(find))] if place != ".")
    reason = f"{prefix}{searched}{label} does not exist with any of {' '.join(AUDIO_SUFFIXES)}"
    return SourceRow(prefix + label, kind="missing audio", reason=reason)


def _lines(path: Path, kind: Table) -> Iterator[tuple[int, dict[str, str], tuple[str, str] | None]]:
    """Number of each line that is not blank, its cells by their columns' names, and what is wrong with it."""
    content = _content(path)
    names = kind.columns
    for number, row in _json_rows(content) if path.suffix == ".jsonl" else _rows(content, kind):
        where = f"line {number} of {path.name}"
        if isinstance(row, dict):
            cells = row
        elif not names:
            names = tuple(cell.strip().lower() for cell in row)
            for what in ("path", "text"):
                if not set(names) & set(COLUMNS[what]):
                    needed = f"one of {', '.join(COLUMNS[what])}"
                    raise UserError(f"{path}: its first line names no column with the {what} ({needed})")
            continue
        else:
            cells = dict(zip(names, row))
        problem = None
        if _NO_UTF8.search("".join(cells.values())):
            problem = ("bad encoding", f"{where} is not UTF-8")
        elif not cells:
            problem = ("wrong columns", f"{where} is no JSON object in {{ }}")
        elif not isinstance(row, dict) and len(row) < kind.least:
            found = "has no |" if len(row) == 1 else f"has {len(row)} columns"
            problem = ("wrong columns", f"{where} {found}; {kind.expected} is expected")
        elif not isinstance(row, dict) and len(row) > len(names):
            expected = f"{kind.expected} is" if kind.expected else f"the {len(names)} of its first line are"
            problem = ("wrong columns", f"{where} has {len(row)} columns, {expected} expected")
        yield number, cells, problem


def _json_rows(content: str) -> Iterator[tuple[int, dict[str, str]]]:
    for number, line in enumerate(content.split("\n"), start=1):
        if line.strip():
            try:
                values = json.loads(line)
            except (ValueError, RecursionError):
                values = None
            cells = values.items() if isinstance(values, dict) else ()
            yield number, {name: str(value) for name, value in cells if isinstance(value, (str, int))}


def _rows(content: str, kind: Table) -> Iterator[tuple[int, list[str]]]:
    separator = "|" if kind.columns else _separator(content.partition("\n")[0])
    if separator == ",":
        reader = csv.reader(io.StringIO(content, newline=""))
        try:
            for row in reader:
                if any(cell.strip() for cell in row):
                    yield reader.line_num, row
        except csv.Error as error:
            raise UserError(f"line {reader.line_num} of the table cannot be read ({error})") from None
        return
    for number, line in enumerate(content.split("\n"), start=1):
        if line.strip():
            yield number, [_unquoted(cell) for cell in line.split(separator)]


def _separator(line: str) -> str:
    return max("\t|,", key=line.count)


def _names_columns(line: str) -> bool:
    """Whether a first line holds names of columns: known ones, or at least where the recording and the text are."""
    names = {cell.strip().strip('"').lower() for cell in line.split(_separator(line))}
    there = all(names & set(COLUMNS[what]) for what in ("path", "text"))
    return there and (names <= _KNOWN or "file_name" in names)


def _unquoted(cell: str) -> str:
    """A cell that a spreadsheet has quoted, as it was; quotes that belong to a text stay."""
    inner = cell[1:-1]
    doubled = len(cell) > 1 and cell[0] == cell[-1] == '"' and '""' in inner and '"' not in inner.replace('""', "")
    return inner.replace('""', '"') if doubled else cell


def _content(path: Path, most: int = -1) -> str:
    """A table's text, lines ending in \\n; bytes that are no UTF-8 become lone surrogates. UserError if unreadable."""
    try:
        with open(path, "rb") as file:
            content = file.read(most)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error})") from error
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UserError(f"{path} is UTF-16: save it as UTF-8")
    text = content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="surrogateescape")
    return text.replace("\r\n", "\n").replace("\r", "\n")
