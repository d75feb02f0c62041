"""The front-end of voices that ESPnet trained: token type phn, cleaner tacotron, g2p g2p_en_no_space.

Such a voice knows exactly the tokens that this pipeline made of its corpus, oddities included, so this repeats it step
by step, without its downloads. What follows are facts about espnet_tts_frontend 0.0.4 and g2p_en 2.1.0; the one thing
that is not theirs is the tagger that tells "to record" from "a record" (theirs needs NLTK's data).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from processors.espnet.g2p_model import REINSTALL, g2p_en_folder, letter_to_phone
from processors.text.homographs import is_word, word_class
from processors.text.lexicon import cmudict_phones
from processors.text.tables import lines
from processors.text.tokens import UNKNOWN, load_tokens
from utils.errors import UserError
from utils.files import project_path

_READINGS = dict(line.split("\t") for line in lines(Path(__file__).with_name("data") / "espnet_readings.txt"))
_ASCII = {ord(sign): read for sign, read in _READINGS.items() if len(sign) == 1}
_ABBREVIATION = re.compile(r"\b[a-z]{2,4}\.")


@lru_cache(maxsize=1)
def _inflect() -> Any:
    import inflect  # a third of a second that other voices need not wait

    return inflect.engine()


def _in_words(number: str | int, **options: Any) -> str:
    return _inflect().number_to_words(number, **options)


def _dollars(match: re.Match[str]) -> str:
    amount = match[1]
    whole, *rest = amount.split(".")
    if len(rest) > 1:
        return f"{amount} dollars"
    counted = [(int(whole or 0), "dollar"), (int(rest[0]) if rest and rest[0] else 0, "cent")]
    spoken = [f"{count} {unit}{'' if count == 1 else 's'}" for count, unit in counted if count]
    return ", ".join(spoken) or "zero dollars"


def _number(match: re.Match[str]) -> str:
    number = int(match[0])
    if not 1000 < number < 3000:
        return _in_words(number, andword="")
    if number == 2000:
        return "two thousand"
    if 2000 < number < 2010:
        return "two thousand " + _in_words(number % 100)
    if number % 100 == 0:
        return _in_words(number // 100) + " hundred"
    # A year: two digits at a time.
    return _in_words(number, andword="", zero="oh", group=2).replace(", ", " ")


_NUMBERS: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"[0-9][0-9,]+[0-9]"), lambda match: match[0].replace(",", "")),
    (re.compile(r"£([0-9,]*[0-9]+)"), r"\1 pounds"),
    (re.compile(r"\$([0-9.,]*[0-9]+)"), _dollars),
    (re.compile(r"(?<![0-9])([0-9]+)\.([0-9]+)"), r"\1 point \2"),
    (re.compile(r"(?<![0-9])[0-9]+(?:st|nd|rd|th)"), lambda match: _in_words(match[0])),
    (re.compile(r"[0-9]+"), _number),
)
_SPOKEN_SIGNS = str.maketrans({";": ",", ":": ",", "-": " ", "&": "and", **dict.fromkeys('()[]<>"', "")})


def clean(text: str) -> str:
    """A raw text as capitals and punctuation, like the cleaner "tacotron"."""
    decomposed = unicodedata.normalize("NFKD", text.translate(_ASCII))
    text = decomposed.encode("ascii", "ignore").decode().lower()
    for pattern, spoken in _NUMBERS:
        text = pattern.sub(spoken, text)
    text = _ABBREVIATION.sub(lambda match: _READINGS.get(match[0], match[0]), text)
    return re.sub(r"\s+", " ", text.translate(_SPOKEN_SIGNS)).upper()


@lru_cache(maxsize=1 << 14)
def _survives(letter: str) -> bool:
    return clean(letter) != ""


@lru_cache(maxsize=1)
def _homographs() -> dict[str, tuple[list[str], list[str], str]]:
    """Word -> phones as the part of speech that follows them, phones otherwise, that part of speech (a tag's start)."""
    path = g2p_en_folder() / "homographs.en"
    try:
        rows = [line.strip().split("|") for line in path.read_text(encoding="utf-8").splitlines()]
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error}): run `{REINSTALL}`") from None
    return {row[0].lower(): (row[1].split(), row[2].split(), row[3]) for row in rows if not row[0].startswith("#")}


def tag(words: list[str], index: int) -> str:
    """Penn Treebank tag of the homograph `words[index]` (lower case), as finely as its pronunciation needs."""
    name = word_class(words, index, ("N", "V", "J", "P"))
    if name == "P":
        return "VBN" if any(is_word(word, ("@be", "@have")) for word in words[max(0, index - 3) : index]) else "VBD"
    return {"V": "VB", "N": "NN", "J": "JJ"}.get(name, "NN")


@lru_cache(maxsize=1)
def _split_words() -> Callable[[str], list[str]]:
    # Needs none of NLTK's data; half a second that other voices need not wait.
    from nltk.tokenize.casual import TweetTokenizer

    return TweetTokenizer().tokenize


def pronounce(text: str, user: dict[str, tuple[str, ...]]) -> list[str]:
    """Phones and punctuation of a cleaned text, like g2p_en without word boundaries; `user` words go first."""
    text = re.sub(r"[^ a-z'.,?!\-]", "", text.lower()).replace("i.e.", "that is").replace("e.g.", "for example")
    words = _split_words()(text)
    tokens: list[str] = []
    for index, word in enumerate(words):
        if not re.search("[a-z]", word):
            tokens.append(word)
        elif word in user:
            tokens += user[word]
        elif word in _homographs():
            as_tagged, otherwise, start = _homographs()[word]
            tokens += as_tagged if tag(words, index).startswith(start) else otherwise
        elif phones := cmudict_phones(word):
            tokens += phones.split()
        else:
            tokens += letter_to_phone()(word)
    return tokens


class EspnetPhones:
    """Raw text -> the tokens that ESPnet's preprocessor gives it; nothing stands around an utterance."""

    def __init__(self, tokens: list[str], user_lexicon: dict[str, tuple[str, ...]] | None = None) -> None:
        """`tokens` is the voice's token_list, whose first entry pads.

        :raises UserError: a package that only these voices need is missing.
        """
        g2p_en_folder()
        self.tokens = list(tokens)
        self._known = frozenset(tokens)
        self._user = dict(user_lexicon or {})

    @classmethod
    def from_file(cls, path: str | None, user_lexicon: dict[str, tuple[str, ...]] | None = None) -> EspnetPhones:
        """Phones by the table at `path` (preprocess.tokens_path).

        :raises UserError: no such table.
        """
        if path is None:
            raise UserError(
                'preprocess.phone_extractor "espnet" needs preprocess.tokens_path, the tokens.json of a converted voice'
            )
        table = load_tokens(project_path(path))
        if table["phone_extractor"] != "espnet":
            raise UserError(f"preprocess.tokens_path {path} is no token table of a voice converted from ESPnet")
        return cls(table["tokens"], user_lexicon)

    def normalise(self, text: str) -> str:
        """Written text as spoken words in capitals, and punctuation."""
        return clean(text)

    def reads(self, letter: str) -> bool:
        """Whether a letter, or an accent, makes any difference to what is spoken."""
        return _survives(letter)

    def phones(self, spoken: str) -> list[str]:
        """Tokens of a cleaned text, the unknown ones as "<unk>"; nothing if there is no word in it."""
        phones = pronounce(spoken, self._user)
        if not any(phone[0].isalpha() for phone in phones):
            return []
        return [phone if phone in self._known else UNKNOWN for phone in phones]
