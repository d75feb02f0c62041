"""Reading LJSpeech's layout."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.registry import load_config
from preprocessors.features import SourceRow, grouped, with_keys
from preprocessors.readers import layouts
from utils.errors import UserError
from utils.files import PROJECT_ROOT


def corpus(folder: Path, metadata: bytes | str, recordings: tuple[str, ...] = ("a.wav", "b.flac", "c.OGG")) -> Path:
    (folder / "wavs").mkdir(exist_ok=True)
    for name in recordings:
        (folder / "wavs" / name).parent.mkdir(exist_ok=True)
        (folder / "wavs" / name).touch()
    (folder / "metadata.csv").write_bytes(metadata if isinstance(metadata, bytes) else metadata.encode())
    return folder


def read_corpus(folder: Path, name: str) -> tuple[list[SourceRow], list[SourceRow]]:
    """Good rows and others."""
    rows = list(layouts.read_corpus(folder, name))
    return [row for row in rows if not row.kind], [row for row in rows if row.kind]


@pytest.mark.parametrize(
    ("lines", "recordings", "kept"),
    [
        # two and three columns
        ("a|Dr. X|Doctor X\nb|two\nc|second|\n", ["a.wav", "b.flac", "c.OGG"],
         ["a Doctor X a.wav", "b two b.flac", "c second c.OGG"]),
        ('a|"Stop, he said|"Stop," he said', ["a.wav"], ['a "Stop," he said a.wav']),  # quotes are plain characters
        ("s1/x|one\nv1.2|two\n", ["s1/x.wav", "v1.2.wav"], ["s1/x one x.wav", "v1.2 two v1.2.wav"]),  # ids of paths
        ("caf\u00e9|text", ["cafe\u0301.wav"], ["caf\u00e9 text cafe\u0301.wav"]),  # in two characters
        ("a|text", ["a.mp3", "a.flac", "a.txt"], ["a text a.flac"]),  # several recordings
        # ids as other programs write them
        ("a.wav|1\nwavs/b.FLAC|2\nwavs\\s\\c|3\nv.wav|4", ["a.wav", "b.flac", "s/c.wav", "v.wav.wav"],
         ["a 1 a.wav", "b 2 b.flac", "s/c 3 c.wav", "v.wav 4 v.wav.wav"]),
    ],
)  # fmt: skip
def test_rows(tmp_path: Path, lines: str, recordings: list[str], kept: list[str]) -> None:
    found, skipped = read_corpus(corpus(tmp_path, lines, tuple(recordings)), "voice")
    assert [f"{row.id} {row.text} {row.audio.name}" for row in found] == kept and skipped == []
    assert {row.speaker for row in found} == {""}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_ends_byte_order_mark_and_blank_lines(tmp_path: Path, end: str, mark: bytes) -> None:
    text = end.join(["a|Ça, c’est “bon”", "", "   ", "b|x", ""]).encode()
    kept, skipped = read_corpus(corpus(tmp_path, mark + text), "voice")
    assert [(u.id, u.text) for u in kept] == [("a", "Ça, c’est “bon”"), ("b", "x")]
    assert skipped == []


@pytest.mark.parametrize(
    "line, name, kind, words",
    [
        (b"a", "a", "wrong columns", "line 2 of metadata.csv has no |; id|text or"),
        (b"a|b|c|d", "a", "wrong columns", "4 columns"),
        (b"b|caf\xe9", "b", "bad encoding", "line 2 of metadata.csv is not UTF-8"),
        (b"a|again", "a", "duplicate id", "repeats the id of line 1"), (b"b||", "b", "empty text", "no text"),
        (b"nowhere|text", "nowhere", "missing audio", "wavs/nowhere does not exist"),
        (b"../../etc/x|text", "../../etc/x", "bad id", "leads out"),
        (b"x\\..\\y|text", "x\\..\\y", "bad id", "leads out"), (b"C:x|text", "C:x", "bad id", "absolute path"),
        (b"b\x00|text", "b?", "bad id", "control"), (b"|text", "line 2 of metadata.csv", "bad id", "is empty"),
        (b"n" * 300 + b"|text", "n" * 200, "bad id", "longer than 200 bytes"),
        (("é" * 150 + "|text").encode(), "é" * 150, "bad id", "longer than 200 bytes"),
        (b"b|" + b"word " * 2_000_000, "b", "text too long", "9999999 characters"),
    ],
)  # fmt: skip
def test_bad_lines_are_skipped_with_a_reason(tmp_path: Path, line: bytes, name: str, kind: str, words: str) -> None:
    kept, skipped = read_corpus(corpus(tmp_path, b"a|first\n" + line + b"\nc|last\n"), "voice")
    assert [u.id for u in kept] == ["a", "c"]
    assert len(skipped) == 1
    assert (skipped[0].id, skipped[0].kind) == (name, kind)
    assert words in skipped[0].reason


def test_what_has_gone(tmp_path: Path) -> None:
    folder = corpus(tmp_path, "gone|x\na|x", ("gone.wav", "a.wav"))
    rows = list(layouts.read_corpus(folder, "voice"))
    (folder / "wavs/gone.wav").unlink()
    rows = with_keys(rows, load_config(PROJECT_ROOT / "config/jets.json").preprocess)
    assert [row.kind for row in rows] == ["missing audio", ""]
    assert [bool(row.key) for row in rows] == [False, True]


def test_a_row_more_or_less_moves_no_other_groups_borders() -> None:
    rows = [SourceRow(f"LJ{number:05d}") for number in range(2000)]
    groups = grouped(rows)
    assert [row for group in groups for row in group] == rows
    assert max(map(len, groups)) <= 128 and 20 < len(groups) < 50
    changed = grouped(rows[:700] + [SourceRow("new")] + rows[700:1300] + rows[1301:])
    assert sum(group not in groups for group in changed) <= 4


def test_missing_pieces_name_the_key_and_stage_0(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"does not exist.*dataset_path\.voice.*stage 0"):
        read_corpus(tmp_path / "none", "voice")
    (tmp_path / "wavs").mkdir()
    with pytest.raises(UserError, match=r"metadata\.csv does not exist.*dataset_path\.voice.*stage 0"):
        read_corpus(tmp_path, "voice")
    (tmp_path / "metadata.csv").touch()
    (tmp_path / "wavs").rmdir()
    with pytest.raises(UserError, match=r"wavs does not exist.*dataset_path\.voice"):
        read_corpus(tmp_path, "voice")


def test_utf16_is_refused_as_a_whole(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="UTF-16"):
        read_corpus(corpus(tmp_path, "a|text".encode("utf-16")), "voice")
