"""Pronunciation of single words: dictionary, known parts, initialisms; tests/parity has ESPnet's."""

from __future__ import annotations

from pathlib import Path

import pytest

from processors.espnet.g2p_model import LetterToPhone
from processors.text.arpabet import PHONES
from processors.text.english import EnglishPhones
from processors.text.lexicon import our_words, plain_cmudict
from processors.text.pronounce import Pronouncer, spell
from processors.text.tables import rows
from utils.errors import UserError


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


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("hello", "HH AH0 L OW1"),
        # initialisms
        ("FBI", "EH1 F B IY1 AY1"), ("US", "Y UW1 EH1 S"), ("FPCC", "EH1 F P IY1 S IY1 S IY1"),
        ("UNESCO", "Y UW0 N EH1 S K OW2"),
        # endings
        ("Tippit's", "T IH1 P IH0 T S"), ("reprieved", "R IY0 P R IY1 V D"), ("capitally", "K AE1 P AH0 T AH0 L IY0"),
        ("thinketh", "TH IH1 NG K IH0 TH"),
        # British spelling
        ("neighbouring", "N EY1 B ER0 IH0 NG"),
        # compounds and hyphens
        ("roominghouse", "R UW1 M IH0 NG HH AW2 S"), ("re-enter", "R IY2 EH1 N T ER0"),
        ("hand-made", "HH AE1 N D M EY1 D"),
        # several words in one
        ("ChatGPT", "CH AE1 T JH IY1 P IY1 T IY1"),
        # contractions
        ("who'd", "HH UW1 D"),
        # names; accents where they tell words apart, and where they do not
        ("Nietzsche", "N IY1 CH AH0"), ("rosé", "R OW0 Z EY1"), ("naïve", "N AY2 IY1 V"),
    ],
)  # fmt: skip
def test_words(word: str, phones: str) -> None:
    assert Pronouncer().word(word) == phones.split()


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
