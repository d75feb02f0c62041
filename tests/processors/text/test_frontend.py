"""The front-end as others use it: ids for any text, lexicon file, phones in braces, token tables, no network."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from processors.text.characters import TextError
from processors.text.frontend import TextFrontEnd
from processors.text.lexicon import read_lexicon
from processors.text.tokens import PUNCTUATION, load_tokens, save_tokens
from utils.errors import UserError

PROJECT = Path(__file__).resolve().parents[3]
FRONT_END = TextFrontEnd()


def config(**changes: object) -> SimpleNamespace:
    values = {"phone_extractor": "lexicon", "language": "en-us", "lexicon_path": None}
    return SimpleNamespace(**{**values, **changes})


def test_tokens_and_ids() -> None:
    tokens = FRONT_END.tokens
    assert tokens[:3] == ["<pad>", "^", "$"] and tuple(tokens[3:11]) == PUNCTUATION and len(tokens) == 80
    phones = FRONT_END.phonemise("Hello, world!")
    assert phones == "^ HH AH0 L OW1 , W ER1 L D ! $".split()
    assert FRONT_END.encode("Hello, world!") == [tokens.index(phone) for phone in phones]
    assert FRONT_END.phonemise("no stop")[-2] == "P"


@pytest.mark.parametrize("text", ["", "   ", "?!", "😀", "...", "\n", "日本語", "'", "-"])
def test_nothing_to_speak(text: str) -> None:
    with pytest.raises(TextError):
        FRONT_END.encode(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello Привет world 你好.", ["Привет", "你好"]),
        ("naïve cafe\u0301, Łódź, ﬁne, Straße, Ωmega 5 Ω, Chapter Ⅻ", []), ("So 😀 ✓ ₿ — “quoted”… 5٣", []),
        ("हिन्दी, 한국어 and Приvet", ["हिन्दी", "한국어", "При"]), ("{K IY1 OW0}", []),
        ("Shiʿa, Qurʾan, ˈfoːˌbar ー, データ", ["データ"]),
    ],
)  # fmt: skip
def test_words_of_scripts_that_nobody_reads_are_known(text: str, words: list[str]) -> None:
    assert FRONT_END.left_out(text) == words


def test_phones_in_braces_pass_through() -> None:
    assert FRONT_END.phonemise("Say {K IY1 OW0}, please.")[3:8] == ["K", "IY1", "OW0", ",", "P"]
    assert FRONT_END.phonemise("{k ae t}") == "^ K AE1 T $".split()
    assert FRONT_END.phonemise("{həˈloʊ}") == "^ HH AH0 L OW1 $".split(), "IPA by its signs"
    with pytest.raises(TextError, match="'XX' in the braces at character 5"):
        FRONT_END.phonemise("Say {XX AH0}")


def test_user_lexicon_decides(tmp_path: Path) -> None:
    path = tmp_path / "lexicon.txt"
    path.write_text(
        "# ours\nkyoto K IY OW T OW   # no stress\nread R AA1 D\nFBI F IH1 B\n\nno-go N OW1 G OW2\n", encoding="utf-8"
    )
    front_end = TextFrontEnd.from_config(config(lexicon_path=str(path)))
    assert front_end.phonemise("Kyoto") == "^ K IY1 OW0 T OW0 $".split()
    # Before homographs, initialisms and hyphens.
    assert front_end.phonemise("read") == "^ R AA1 D $".split()
    assert front_end.phonemise("the FBI")[-4:-1] == ["F", "IH1", "B"]
    assert front_end.phonemise("no-go") == "^ N OW1 G OW2 $".split()
    assert pickle.loads(pickle.dumps(front_end)).encode("Kyoto") == front_end.encode("Kyoto")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("kyoto", "line 2: 'kyoto' has no phones"),
        ("kyoto K IX OW", "line 2: 'IX' is no ARPAbet phone"),
        ("k2 K EY1", "line 2: 'k2' is no single word"),
    ],
)
def test_a_bad_lexicon_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("hello HH AH0 L OW1\n" + line + "\n", encoding="utf-8")
    with pytest.raises(UserError, match=message) as caught:
        read_lexicon(path)
    assert "mine.txt" in str(caught.value)


def test_lexicon_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="lexicon_path"):
        TextFrontEnd.from_config(config(lexicon_path=str(tmp_path / "none.txt")))
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9 K AE0 F EY1\n")
    with pytest.raises(UserError, match="UTF-8"):
        read_lexicon(tmp_path / "latin.txt")


@pytest.mark.parametrize("key", ["tokens", "counts", "phone_extractor"])
def test_a_changed_token_table_is_noticed_and_one_without_a_checksum_still_loads(tmp_path: Path, key: str) -> None:
    path = tmp_path / "tokens.json"
    save_tokens(path, ["<pad>", "^", "$", ",", "a"], "ipa", "en-us", {",": 9, "a": 90})
    whole = json.loads(path.read_text())
    path.write_text(json.dumps(whole, sort_keys=True))
    assert load_tokens(path) == whole, "its layout does not matter"
    changed = {"tokens": ["<pad>", "^", "$", "a", ","], "counts": {",": 90, "a": 9}, "phone_extractor": "espeak"}[key]
    path.write_text(json.dumps({**whole, key: changed}))
    with pytest.raises(UserError, match="was changed after it was written"):
        load_tokens(path)
    del whole["crc32"]  # as tables of before have none
    path.write_text(json.dumps({**whole, key: changed}))
    assert load_tokens(path)[key] == changed


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", '{"format_version": 2}', '{"format_version": 1, "tokens": ["a"]}',
        '{"format_version": 1, "phone_extractor": "lexicon", "language": "en", "tokens": ["<pad>", "^", "$", "", ""]}',
        '{"format_version": 1, "phone_extractor": "", "language": "", "tokens": ["<pad>", "^", "$"], "counts": []}',
    ],
)  # fmt: skip
def test_bad_token_tables_are_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "tokens.json"
    with pytest.raises(UserError, match="tokens.json is missing"):
        load_tokens(path)
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match="restore it from another copy"):
        load_tokens(path)


_OFFLINE = """
import socket, sys
def refuse(*arguments, **options):
    raise AssertionError("network access")
socket.socket.connect = refuse
socket.create_connection = refuse
socket.getaddrinfo = refuse
class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("g2p_en", "inflect", "nltk"):
            raise AssertionError("asked for " + name)
sys.meta_path.insert(0, NotInstalled())
from processors.text.frontend import TextFrontEnd
print(" ".join(TextFrontEnd().phonemise("I read 25 gribblewits in 1963.")))
"""


def test_english_needs_no_network_and_no_package_of_espnets(tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(tmp_path),
        "NLTK_DATA": str(tmp_path),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", _OFFLINE], cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == FRONT_END.phonemise("I read 25 gribblewits in 1963.")
    assert list(tmp_path.iterdir()) == []


def test_a_users_words_and_abbreviations(tmp_path: Path) -> None:
    path = tmp_path / "lexicon.txt"
    path.write_text("VTT = virtual table top\nca. = around  # not circa\nkyoto K IY0 OW1 T OW0\n", encoding="utf-8")
    config = SimpleNamespace(phone_extractor="ipa", language="en-us", lexicon_path=str(path))
    voice = TextFrontEnd.from_config(config)
    assert voice.normalise("A VTT in VTTs, ca. 5 in Kyoto") == "A virtual table top in VTTs, around five in Kyoto"
    assert pickle.loads(pickle.dumps(voice)).encode("VTT, Kyoto") == voice.encode(
        "virtual table top, {K IY0 OW1 T OW0}"
    )
    assert "".join(voice.explain("a VTT")[1].phones.split()) == "{VER1CHUW0AH0L}{TEY1BAH0L}{TAA1P}"
    path.write_text("VTT =\n")
    with pytest.raises(UserError, match=r"lexicon.txt, line 1: write abbreviations as `written = spoken words`"):
        TextFrontEnd.from_config(config)


def test_readings_know_where_they_are_written() -> None:
    text = "Dr.  Smith \u2014 a mid-1800s man of 2,500-year-old \u00bd cups, &amp; \u201cTom\u201d."
    found = FRONT_END.explain(text)
    assert all(row.written in text and row.written.strip() for row in found)
    assert [row.written for row in found if row.kind not in ("word", "mark")][:2] == ["Dr.", "mid-1800s"]
    assert {row.written: row.phones for row in found}["cups"] == "{K AH1 P S}"
