"""Text to ids: the cleaner and G2P that ESPnet itself calls.

Both packages run as they are; only g2p_en's dictionary and tagger, which it would download, are ours.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

from processors.espnet.espnet_phones import EspnetPhones, clean, tag
from processors.text.characters import TextError
from processors.text.frontend import TextFrontEnd
from processors.text.lexicon import plain_cmudict
from tests.parity.recipe import TOKENS
from utils.files import PROJECT_ROOT

LJSPEECH = PROJECT_ROOT.parent / "shared/corpora/ljspeech_text/metadata.csv"
SENTENCES = [
    "(Hello-World);   &  jr. & dr.",
    "Dr. Smith of St. Mary's Co. paid $3.50, $1, $0.01, $1,000.25 and $2.00 in 1999.",
    "In 1066, 1900, 2000, 2005, 2010, 1905 and 3000; the 1st, 2nd, 3rd, 21st and 100th of 12,345,678.",
    'It\'s 3.14159 -- or 0.5? No: 10.0! "Quotes" [brackets] <tags> {braces}...',
    "Mr. and Mrs. O'Neil, Gen. Lee, Capt. Ahab, Lt. Uhura, Rev. Green, Hon. Judge, Esq. Ltd. Col. Ft. Worth Maj. Tom Sgt.",  # noqa: E501
    "He didn't record the record; they present a present, and close the close door.",
    "I read that you read it; he has read it. She used to use it. It is used. The content is content. A complex, closer.",  # noqa: E501
    "Naïve café œuvre Æsop Straße Øre – “smart” ‘quotes’… 5° ½ £20 €30 ¥40",
    "e.g. this, i.e. that; www.example.com and a.b.c. at 5p.m.",
    "zorblax floopentwist Brobdingnag xqzt pneumonoultramicroscopicsilicovolcanoconiosis",
    "'Tis rock 'n' roll, y'all -- o'clock 'quoted words' dogs' tails", "Wait . . . what?! Yes... no.. maybe....",
    "UPPER CASE, MiXeD cAsE, 007, 1,2,3 and 1.2.3 4-5-6 7/8", "tabs\tand\nnew lines   spaces",
]  # fmt: skip


def invented_words(count: int) -> list[str]:
    """Words that no dictionary has, as long as the model takes and longer."""
    rng = np.random.default_rng(7)
    syllables = (
        "ba ze fro tion quil ster ymph ough ska ei ton crawl ing mag nor xy hu ph ess wre kni ple dge ia oo".split()
    )
    words = {"".join(rng.choice(syllables, size=rng.integers(1, 7))) for _ in range(3 * count)}
    return sorted(words)[:count] + ["a", "zzz", "nebuchadnezzar", "courvoisier", "don't", "x" * 40]


def corpus_lines(limit: int) -> list[str]:
    """Transcripts of LJSpeech, evenly spread."""
    with LJSPEECH.open(encoding="utf-8", newline="") as file:
        rows = [row[1] for row in csv.reader(file, delimiter="|", quoting=csv.QUOTE_NONE) if len(row) > 1]
    return rows[:: max(1, len(rows) // limit)]


@pytest.fixture(scope="module")
def espnet_tokens() -> Callable[[str], list[str]]:
    """ESPnet's cleaner and tokenizer, as its preprocessor applies them."""
    pytest.importorskip("inflect")
    import nltk

    with (
        patch.object(nltk, "download", lambda *_args, **_kwargs: True),
        patch.object(nltk.data, "find", lambda *_args: True),
    ):
        import g2p_en.g2p
        from espnet2.text.cleaner import TextCleaner
        from espnet2.text.phoneme_tokenizer import PhonemeTokenizer

    class Dictionary:
        """The part of nltk.corpus.cmudict that g2p_en uses."""

        @staticmethod
        def dict() -> dict[str, list[list[str]]]:
            """Word -> pronunciations."""
            return {word: [phones.split()] for word, phones in plain_cmudict().items()}

    def tags(words: list[str]) -> list[tuple[str, str]]:
        return [(word, tag(words, i)) for i, word in enumerate(words)]

    cleaner = TextCleaner("tacotron")
    tokenizer = PhonemeTokenizer("g2p_en_no_space")

    def tokens(text: str) -> list[str]:
        with patch.object(g2p_en.g2p, "cmudict", Dictionary), patch.object(g2p_en.g2p, "pos_tag", tags):
            return tokenizer.text2tokens(cleaner(text))

    return tokens


@pytest.fixture(scope="module")
def front_end() -> TextFrontEnd:
    return TextFrontEnd(EspnetPhones(TOKENS))


def check(texts: list[str], expected: Callable[[str], list[str]], front_end: TextFrontEnd) -> None:
    """ESPnet's ids for every text."""
    for text in texts:
        tokens = expected(text)
        ids = [TOKENS.index(token) if token in TOKENS else TOKENS.index("<unk>") for token in tokens]
        assert front_end.encode(text) == ids, (text, tokens)


def test_awkward_sentences(espnet_tokens: Callable[[str], list[str]], front_end: TextFrontEnd) -> None:
    check([*SENTENCES, *invented_words(250)], espnet_tokens, front_end)


@pytest.mark.skipif(not LJSPEECH.is_file(), reason=f"{LJSPEECH} is missing")
def test_two_hundred_lines_of_ljspeech(espnet_tokens: Callable[[str], list[str]], front_end: TextFrontEnd) -> None:
    check(corpus_lines(200), espnet_tokens, front_end)


@pytest.mark.skipif(not LJSPEECH.is_file(), reason=f"{LJSPEECH} is missing")
def test_the_cleaner_on_all_of_ljspeech() -> None:
    from tacotron_cleaner.cleaners import custom_english_cleaners

    lines = corpus_lines(10**6)
    assert len(lines) > 12000
    different = [line for line in lines if clean(line) != custom_english_cleaners(line)]
    assert not different


@pytest.mark.parametrize("text", ["", "   ", "...", "?!", "- - -", "{}"])
def test_nothing_to_speak_is_an_error(text: str, front_end: TextFrontEnd) -> None:
    with pytest.raises(TextError):
        front_end.encode(text)


def test_the_users_own_words_go_first(tmp_path: Path) -> None:
    front_end = TextFrontEnd(EspnetPhones(TOKENS, {"gif": ("JH", "IH1", "F")}))
    assert front_end.phonemise("A gif.") == ["AH0", "JH", "IH1", "F", "."]
