"""The text front-end: raw text to token ids, the same in training and at synthesis."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from processors.text.arpabet import is_vowel
from processors.text.errors import TextError
from processors.text.homographs import homograph_phones
from processors.text.lexicon import read_lexicon
from processors.text.normalise import normalise
from processors.text.pronounce import Pronouncer
from processors.text.tokens import END, PUNCTUATION, START, lexicon_tokens
from utils.errors import UserError

if TYPE_CHECKING:
    from utils.config.schema import PreprocessConfig

__all__ = ["TextError", "TextFrontEnd"]

_TOKEN = re.compile(r"\{[^{}]*\}|[A-Za-z'](?:[A-Za-z'-]*[A-Za-z'])?|[,.!?;:…-]")
_MARKS = frozenset(PUNCTUATION)


class TextFrontEnd:
    """Raw text -> spoken words -> tokens -> ids.

    `tokens` is the token table (index = id): "<pad>", "^" (start), "$" (end), then punctuation and phones.
    """

    def __init__(self, user_lexicon: dict[str, tuple[str, ...]] | None = None) -> None:
        self.tokens: list[str] = lexicon_tokens()
        self._ids = {token: index for index, token in enumerate(self.tokens)}
        self._pronouncer = Pronouncer(user_lexicon)

    @classmethod
    def from_config(cls, preprocess: PreprocessConfig) -> TextFrontEnd:
        """Front-end of a config.

        :raises UserError: a language that the extractor does not know, a missing package, a bad lexicon file.
        """
        lexicon = read_lexicon(preprocess.lexicon_path) if preprocess.lexicon_path else None
        if preprocess.language.lower() not in ("en-us", "en"):
            raise UserError(
                f"preprocess.language is {preprocess.language!r}, but phone_extractor \"lexicon\" knows en-us only; "
                'set preprocess.phone_extractor to "espeak" for other languages'
            )
        return cls(lexicon)

    def normalise(self, text: str) -> str:
        """Written text as spoken words and punctuation (see `processors.text.normalise`)."""
        return normalise(text)

    def phonemise(self, text: str) -> list[str]:
        """Tokens of a raw text, "^" first and "$" last, without word boundaries.

        :raises TextError: nothing in the text can be spoken, or braces hold no phones.
        """
        spoken = self.normalise(text)
        words = _TOKEN.findall(spoken)
        capitals = any(c.islower() for c in spoken)
        lower = [word.lower() for word in words]
        phones: list[str] = []
        for index, word in enumerate(words):
            if word in _MARKS:
                phones.append(word)
            elif word[0] == "{":
                phones += word[1:-1].split()
            else:
                phones += self._in_context(words, lower, index, capitals)
        if all(phone in _MARKS for phone in phones):
            shown = " ".join(text.split())[:40]
            raise TextError(f"the text {shown!r} holds nothing that can be spoken" if shown else "the text is empty")
        return [START, *phones, END]

    def _in_context(self, words: list[str], lower: list[str], index: int, capitals: bool) -> list[str]:
        """Phones of one word: the user's lexicon first, then homographs by context, then the word alone."""
        word = words[index]
        if not self._pronouncer.is_user_word(word):
            phones = homograph_phones(words, lower, index, capitals)
            if phones:
                return phones
        return self._pronouncer.word(word, capitals)

    def encode(self, text: str) -> list[int]:
        """Ids of `phonemise(text)`."""
        return [self._ids[token] for token in self.phonemise(text)]
