"""Each layout, found by looking at a tiny corpus with the odd things that users have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from preprocessors.features import SourceRow
from preprocessors.readers.layouts import layout_of, read_corpus
from utils.errors import UserError

BOM = "\ufeff"
SPEAKER = "5f" * 64
Kept = list[tuple[str, str, str, str]]  # id, text, speaker, language
# Layout; its files (None: a recording); what is read; and of what is not, id and kind.
CASES: dict[str, tuple[str, dict[str, str | None], Kept, dict[str, str]]] = {
    "ljspeech": (
        "ljspeech",
        {
            "metadata.csv": BOM + 'a b|Dr. X|Doctor X\r\nsub/c.wav|"Yes," he said|\r\ngone|Gone.|Gone.\r\n',
            "wavs/a b.flac": None,
            "wavs/sub/c.wav": None,
        },
        [("a b", "Doctor X", "", ""), ("sub/c", '"Yes," he said', "", "")],
        {"gone": "missing audio"},
    ),
    "piper": (
        "wav|speaker|text",
        {
            "metadata.csv": "".join(f"{n}.wav|{'Mary Ann' if n % 2 else 'joe'}|Text {n}.\n" for n in range(4))
            + 'q.wav|joe|"She said ""no"" twice."\r\ngone.wav|joe|Gone.\nx.wav|joe|\n',
            **{f"wav/{n}.wav": None for n in range(4)},
            "wav/q.wav": None,
            "wav/x.wav": None,
        },
        [(str(n), f"Text {n}.", "Mary Ann" if n % 2 else "joe", "") for n in range(4)]
        + [("q", 'She said "no" twice.', "joe", "")],
        {"gone.wav": "missing audio", "x.wav": "empty text"},
    ),
    "melo": (
        "path|speaker|language|text",
        {
            "metadata.list": BOM + "wavs/s 1/a.wav|anna|DE|Hallo, du.\n./wavs/b.mp3|bob|en_US|Hello.\n\n"
            "{folder}/wavs/c.opus|bob|EN|There.\n/elsewhere/d.wav|bob|EN|No.\n../e.wav|bob|EN|No.\nwavs/f.wav|bob|Two.\n",
            "wavs/s 1/a.wav": None,
            "wavs/b.mp3": None,
            "wavs/c.opus": None,
        },
        [
            ("wavs/s 1/a", "Hallo, du.", "anna", "de"),
            ("wavs/b", "Hello.", "bob", "en-us"),
            ("wavs/c", "There.", "bob", "en"),
        ],
        {"/elsewhere/d.wav": "bad id", "../e.wav": "bad id", "wavs/f.wav": "wrong columns"},
    ),
    "vctk": (
        "vctk",
        {
            "txt/p225/p225_001.txt": BOM + "Please call  Stella.\r\n",
            "txt/p226/p226_001.txt": "Ask her.\n",
            "txt/p226/p226_002.txt": "Gone.\n",
            "txt/p226/p226_003.txt": " \n",
            "wav48_silence_trimmed/p225/p225_001_mic2.flac": None,
            "wav48_silence_trimmed/p225/p225_001_mic1.flac": None,
            "wav48_silence_trimmed/p226/p226_001_mic2.flac": None,
            "wav48_silence_trimmed/p226/p226_003_mic1.flac": None,
            "wav48_silence_trimmed/p315/p315_001_mic1.flac": None,
        },
        [("p225_001", "Please call Stella.", "p225", ""), ("p226_001", "Ask her.", "p226", "")],
        {"p226_002": "missing audio", "p226_003": "empty text", "p315_001": "missing text"},
    ),
    "libritts": (
        "libritts",
        {
            "dev-clean/84/121/84_121_01_00.normalized.txt": "Mister Go.",
            "dev-clean/84/121/84_121_01_00.original.txt": "Mr. Go.",
            "dev-clean/84/121/84_121_01_00.wav": None,
            "dev-clean/84/121/84_121_02_00.normalized.txt": "Gone.",
            "dev-clean/174/5/174_5_01_00.normalized.txt": "Other.",
            "dev-clean/174/5/174_5_01_00.wav": None,
        },
        [("174_5_01_00", "Other.", "174", ""), ("84_121_01_00", "Mister Go.", "84", "")],
        {"84_121_02_00": "missing audio"},
    ),
    "common voice": (
        "common_voice",
        {
            "validated.tsv": "client_id\tpath\tsentence\tup_votes\tlocale\n"
            f'{SPEAKER}\ta 1.mp3\t"Er sagte ""nein""."\t2\tde\n'
            f"{SPEAKER}\tgone.mp3\tWeg.\t2\tde\n{SPEAKER}\ta 1.mp3\tNoch mal.\t2\tde\n",
            "clips/a 1.mp3": None,
        },
        [("a 1", 'Er sagte "nein".', SPEAKER[:12], "")],
        {"gone.mp3": "missing audio", "a 1": "duplicate id"},
    ),
    "m-ailabs": (
        "m_ailabs",
        {
            "de_DE/by_book/female/ramona/buch/metadata.csv": "b_01|1 Hund|ein Hund\nb_02|weg|weg\n",
            "de_DE/by_book/female/ramona/buch/wavs/b_01.wav": None,
            "de_DE/by_book/mix/anderes/metadata.csv": "b_01|Viele.|Viele.\n",
            "de_DE/by_book/mix/anderes/wavs/b_01.wav": None,
        },
        [
            ("de_DE/by_book/female/ramona/buch/b_01", "ein Hund", "ramona", ""),
            ("de_DE/by_book/mix/anderes/b_01", "Viele.", "mix", ""),
        ],
        {"de_DE/by_book/female/ramona/buch/b_02": "missing audio"},
    ),
    "css10": (
        "css10",
        {
            "transcript.txt": "buch/buch_1.wav|Kap. 1|Kapitel eins|2.5\nbuch/gone.wav|Weg|Weg|1.0\n",
            "buch/buch_1.wav": None,
        },
        [("buch/buch_1", "Kapitel eins", "", "")],
        {"buch/gone.wav": "missing audio"},
    ),
    "audiofolder, csv": (
        "audiofolder",
        {
            "train/metadata.csv": BOM + 'file_name,sentence,speaker_id\r\na 1.mp3,"Yes, ""indeed"",\r\nmadam.",7\r\n'
            "data/b.wav,Two.,8\r\ngone.wav,Gone.,8\r\n",
            "train/a 1.mp3": None,
            "train/data/b.wav": None,
        },
        [("train/a 1", 'Yes, "indeed",\nmadam.', "7", ""), ("train/data/b", "Two.", "8", "")],
        {"train/gone.wav": "missing audio"},
    ),
    "coqui": (
        "audiofolder",
        {
            "metadata.csv": "audio_file|text|speaker_name\na.wav|One.|anna\nwavs/b|Two, \"too\".|bob\n",
            "wavs/a.wav": None,
            "wavs/b.mp3": None,
        },
        [("a", "One.", "anna", ""), ("wavs/b", 'Two, "too".', "bob", "")],
        {},
    ),
    "audiofolder, jsonl": (
        "audiofolder",
        {
            "metadata.jsonl": "\n".join(
                [
                    json.dumps({"file_name": "a.flac", "text": "Één.", "speaker": 3, "language": "nl", "seconds": 1.5}),
                    "[1]",
                    "{",
                    json.dumps({"file_name": "gone.flac", "text": "Weg."}),
                ]
            ),
            "a.flac": None,
        },
        [("a", "Één.", "3", "nl")],
        {**{f"line {n} of metadata.jsonl": "wrong columns" for n in (2, 3)}, "gone.flac": "missing audio"},
    ),
}  # fmt: skip


def made(folder: Path, files: dict[str, str | None]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((content or "").replace("{folder}", str(folder)).encode())
    return folder


@pytest.mark.parametrize("case", CASES)
def test_layouts(tmp_path: Path, case: str) -> None:
    layout, files, expected, bad = CASES[case]
    folder = made(tmp_path, files)
    assert layout_of(folder) == layout
    rows = list(read_corpus(folder, "voice"))
    assert [(row.id, row.text, row.speaker, row.language) for row in rows if not row.kind] == expected
    assert {row.id: row.kind for row in rows if row.kind} == bad
    assert all(row.audio.is_file() and row.audio.is_relative_to(folder) for row in rows if not row.kind)
    assert all(len(row.reason) > 15 and row.reason.isprintable() for row in rows if row.kind)
    assert list(read_corpus(folder, "voice", layout)) == rows


def test_the_first_microphone_counts(tmp_path: Path) -> None:
    rows = list(read_corpus(made(tmp_path, CASES["vctk"][1]), "voice"))
    assert [row.audio.name for row in rows if not row.kind] == ["p225_001_mic1.flac", "p226_001_mic2.flac"]


def test_texts_of_ljspeech_are_not_taken_for_speakers(tmp_path: Path) -> None:
    made(tmp_path, {f"wavs/{n}.wav": None for n in range(8)})
    for lines in (
        [f"{n}|Yes.|Yes." for n in range(8)],  # the same text again and again
        [f"{n}|{'Dr. X' if n % 2 else '5 km'}|words" for n in range(3)],  # too few to tell
        [f"{n}|Text no. {n}|text number {n}" for n in range(8)],
    ):
        (tmp_path / "metadata.csv").write_text("\n".join(lines))
        assert layout_of(tmp_path) == "ljspeech"


def test_a_line_without_its_speaker_hides_no_other(tmp_path: Path) -> None:
    lines = [f"{n}|{'' if n == 5 else 'anna' if n % 2 else 'ben'}|Text number {n}." for n in range(9)]
    folder = made(tmp_path, {"metadata.csv": "\n".join(lines), **{f"wavs/{n}.wav": None for n in range(9)}})
    rows = list(read_corpus(folder, "voice"))
    assert [row.speaker for row in rows] == ["ben", "anna", "ben", "anna", "ben", "", "ben", "anna", "ben"]
    assert rows[5].text == "Text number 5."


def test_a_named_layout_wins(tmp_path: Path) -> None:
    folder = made(tmp_path, {"metadata.csv": "a|x|Text.\n", "wavs/a.wav": None})
    assert [row.text for row in read_corpus(folder, "voice")] == ["Text."]
    expected = SourceRow("a", "Text.", folder / "wavs/a.wav", "x")
    assert list(read_corpus(folder, "voice", "wav|speaker|text")) == [expected]


@pytest.mark.parametrize(
    ("layout", "files", "words"),
    [
        (None, {"song.mp3": None}, r"metadata\.csv does not exist.*dataset_path\.voice"),
        ("vctk", {"txt/a.txt": "x"}, r"lacks txt/ or wav48_silence_trimmed/.*corpora\.voice\.dataset_format"),
        ("common_voice", {"clips/a.mp3": None}, r"has no validated\.tsv.*corpora\.voice\.dataset_format"),
        ("common_voice", {"validated.tsv": "a\tb\n", "clips/a.mp3": None}, r"line names no column with the path"),
        ("audiofolder", {"metadata.csv": "file_name,mood\n"}, r"names no column with the text \(one of"),
        ("ljspeech", {"metadata.csv": "a|b\n"}, r"wavs does not exist"),
    ],
)  # fmt: skip
def test_what_is_no_corpus(tmp_path: Path, layout: str | None, files: dict[str, str | None], words: str) -> None:
    with pytest.raises(UserError, match=words):
        list(read_corpus(made(tmp_path, files), "voice", layout))
