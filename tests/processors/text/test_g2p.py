"""Pronunciation of single words: dictionary, known parts, initialisms, and the model against g2p_en's own code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from processors.espnet.g2p_model import LetterToPhone
from processors.text.arpabet import PHONES, complete_stress
from processors.text.english import EnglishPhones
from processors.text.lexicon import cmudict_phones, our_words, plain_cmudict
from processors.text.morphology import from_parts
from processors.text.pronounce import Pronouncer, spell
from processors.text.tables import rows
from utils.errors import UserError

PROJECT = Path(__file__).resolve().parents[3]

# g2p_en needs nltk's data only for what its model does not use, so that stand-ins do.
_STUB = {
    "nltk/__init__.py": "class data:\n    find = staticmethod(lambda name: None)\ndef pos_tag(words):\n    return []\n",
    "nltk/corpus/__init__.py": "class cmudict:\n    dict = staticmethod(dict)\n",
    "nltk/tokenize/__init__.py": "class TweetTokenizer:\n    def tokenize(self, text):\n        return text.split()\n",
    "inflect.py": "class engine:\n    pass\n",
}
_SCRIPT = """
import json, sys
from g2p_en.g2p import G2p
model = G2p()
print(json.dumps([model.predict(word) for word in json.load(sys.stdin)]))
"""


def invented_words(count: int) -> list[str]:
    rng = np.random.default_rng(7)
    syllables = (
        "ba ze fro tion quil ster ymph ough ska ei ton crawl ing mag nor xy hu ph ess wre kni ple dge ia oo".split()
    )
    words = {"".join(rng.choice(syllables, size=rng.integers(1, 7))) for _ in range(3 * count)}
    return sorted(words)[:count] + ["a", "zzz", "nebuchadnezzar", "courvoisier", "don't", "x" * 40]


def test_model_matches_g2p_ens_own_code(tmp_path: Path) -> None:
    for name, content in _STUB.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    words = invented_words(250)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT],
        input=json.dumps(words),
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    expected = json.loads(done.stdout)
    model = LetterToPhone()
    ours = [model(word) for word in words]
    # The network knows a "UW" without stress, which is no token of ours.
    assert ours == [["UW1" if phone == "UW" else phone for phone in phones] for phones in expected]
    assert len(words) > 200 and len({tuple(phones) for phones in ours}) > 150


def test_model_says_what_is_wrong_with_its_file(tmp_path: Path) -> None:
    broken = tmp_path / "checkpoint20.npz"
    broken.write_bytes(b"not an archive")
    with pytest.raises(UserError, match="checkpoint20.npz"):
        LetterToPhone(broken)


def test_dictionaries_hold_only_our_phones() -> None:
    entries = {**plain_cmudict(), **our_words()}
    assert len(entries) > 120_000 and len(our_words()) > 1500
    assert {phone for phones in entries.values() for phone in phones.split()} <= set(PHONES)
    for phrase, *phones in rows("phrases.txt"):
        assert len(phrase.split()) == len(phones) and {p for one in phones for p in one.split()} <= set(PHONES), phrase


def test_bisecting_finds_every_word_and_nothing_else() -> None:
    entries = plain_cmudict()
    words = list(entries)
    for word in (*words[:50], *words[50::997], *words[-50:]):
        assert cmudict_phones(word) == entries[word]
        # Nothing before the first word, between two, or after the last.
        assert all(
            cmudict_phones(other) is None for other in (word + "\x7f", word[:-1] + "\x00", "") if other not in entries
        )


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("hello", "HH AH0 L OW1"),
        ("Hello", "HH AH0 L OW1"),
        # initialisms
        ("FBI", "EH1 F B IY1 AY1"),
        ("NASA", "N AE1 S AH0"),
        ("US", "Y UW1 EH1 S"),
        ("us", "AH1 S"),
        ("FPCC", "EH1 F P IY1 S IY1 S IY1"),
        ("TVs", "T IY1 V IY1 Z"),
        ("UNESCO", "Y UW0 N EH1 S K OW2"),
        ("NOT", "N AA1 T"),
        ("B", "B IY1"),
        # endings
        ("Tippit's", "T IH1 P IH0 T S"),
        ("Hosty's", "HH OW1 S T IY0 Z"),
        ("wretches", "R EH1 CH IH0 Z"),
        ("reprieved", "R IY0 P R IY1 V D"),
        ("pinioning", "P IH1 N Y AH0 N IH0 NG"),
        ("capitally", "K AE1 P AH0 T AH0 L IY0"),
        ("unprovided", "AH0 N P R AH0 V AY1 D IH0 D"),
        ("emojis", "IH0 M OW1 JH IY0 Z"),
        ("thinketh", "TH IH1 NG K IH0 TH"),
        # British spelling
        ("neighbouring", "N EY1 B ER0 IH0 NG"),
        ("skilful", "S K IH1 L F AH0 L"),
        # compounds and hyphens
        ("roominghouse", "R UW1 M IH0 NG HH AW2 S"),
        ("bedsteads", "B EH1 D S T EH2 D Z"),
        ("schoolmasters", "S K UW1 L M AE2 S T ER0 Z"),
        ("re-enter", "R IY2 EH1 N T ER0"),
        ("hand-made", "HH AE1 N D M EY1 D"),
        # several words in one
        ("ChatGPT", "CH AE1 T JH IY1 P IY1 T IY1"),
        ("macOS", "M AE1 K OW1 EH1 S"),
        # contractions
        ("who'd", "HH UW1 D"),
        ("Oswald'll", "AO1 Z W AO0 L D AH0 L"),
        # names; accents where they tell words apart, and where they do not
        ("Nietzsche", "N IY1 CH AH0"),
        ("MySQL", "M AY2 EH2 S K Y UW2 EH1 L"),
        ("rosé", "R OW0 Z EY1"),
        ("Citroën", "S IH1 T R OW2 AH0 N"),
        ("naïve", "N AY2 IY1 V"),
        ("NGOs", "EH1 N JH IY1 OW1 Z"),
    ],
)
def test_words(word: str, phones: str) -> None:
    assert Pronouncer().word(word) == phones.split()


def test_surnames_are_not_glued_to_words() -> None:
    # A dictionary of names has parts for nearly any word; "sagacity" is no compound of "saga" and "city".
    parts = {"saga": ["S"], "city": ["S", "IH1"], "house": ["HH", "AW1", "S"]}
    assert from_parts("sagacity", parts.get) is None
    assert from_parts("sagahouse", parts.get) == ["S", "HH", "AW2", "S"]


KNOWN = {
    "home": "HH OW1 M", "hom": "HH AA1 M", "open": "OW1 P AH0 N", "opene": "X", "nebula": "N EH1 B Y AH0 L AH0",
    "itemize": "AY1 T AH0 M AY2 Z", "ethic": "EH1 TH IH0 K", "film": "F IH1 L M", "maker": "M EY1 K ER0",
    "gild": "G IH1 L D", "gilda": "G IH1 L D AH0", "color": "K AH1 L ER0", "motor": "M OW1 T ER0",
    "logical": "L AA1 JH IH0 K AH0 L", "fluent": "F L UW1 AH0 N T",
}  # fmt: skip


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("homing", "HH OW1 M IH0 NG"), ("opening", "OW1 P AH0 N IH0 NG"), ("nebulae", "N EH1 B Y AH0 L IY0"),
        ("itemization", "AY2 T AH0 M AH0 Z EY1 SH AH0 N"), ("ethicist", "EH1 TH IH0 S IH0 S T"),
        ("filmmaker", "F IH1 L M EY2 K ER0"), ("gilday", None), ("colour", "K AH1 L ER0"),
        ("fluency", "F L UW1 AH0 N S IY0"),
        ("servomotors", "S ER2 V OW0 M OW1 T ER0 Z"), ("geological", None),
    ],
)  # fmt: skip
def test_parts(word: str, phones: str | None) -> None:
    known = {spelling: said.split() for spelling, said in KNOWN.items()}
    assert from_parts(word, known.get) == (phones.split() if phones else None)


def test_letters() -> None:
    assert spell("fbi") == "EH1 F B IY1 AY1".split()


@pytest.mark.parametrize(
    "word", ["'" * 3000, "'a" * 2000, "a-" * 2000 + "a", "qz" * 2500, "A" * 5000, "x's's's's", "-", "'"]
)
def test_monstrous_words_end(word: str) -> None:
    start = time.process_time()
    assert set(Pronouncer().word(word)) <= set(PHONES)
    assert time.process_time() - start < 5


def test_article_before_vowels_and_letters() -> None:
    phones = EnglishPhones().phones
    assert phones("the apple")[:2] == ["DH", "IY0"]
    assert phones("the pear")[:2] == ["DH", "AH0"]
    assert phones("the, apple")[:2] == ["DH", "AH0"]
    assert phones("a man") == ["AH0", *phones("man")]
    assert phones("A man") == ["AH0", *phones("man")]
    assert phones("A B C") == spell("abc")
    assert phones("Exhibit A, again")[-8:-1].count("EY1") == 1
    assert phones("section seven, a, applies").count("EY1") == 1


def test_words_that_belong_together() -> None:
    phones = EnglishPhones({"jolla": ("JH", "AA1")}).phones
    assert phones("In Des Moines, the hors d'oeuvre") == "IH0 N D AH0 M OY1 N , DH IY0 AO0 R D ER1 V".split()
    assert phones("Des and Moines")[:3] == "D EH1 S".split()
    assert phones("la, jolla") == "L AA1 , JH AA1".split() and phones("La Jolla") == "L AH0 JH AA1".split()


def test_text_in_capitals_only_is_read_as_words() -> None:
    phones = EnglishPhones().phones
    assert phones("LET US GO") == phones("let us go")
    assert phones("let US go") != phones("let us go")


def test_stress_is_completed() -> None:
    assert complete_stress("hh ah l ow".split()) == ["HH", "AH1", "L", "OW0"]
    assert complete_stress("HH AH L OW1".split()) == ["HH", "AH0", "L", "OW1"]
    assert complete_stress("K AE2 T".split()) == ["K", "AE2", "T"]
    with pytest.raises(ValueError, match="QQ"):
        complete_stress(["QQ"])
