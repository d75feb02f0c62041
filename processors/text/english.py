"""phone_extractor "lexicon": spoken English words to ARPAbet tokens."""

from __future__ import annotations

import re

from processors.text.arpabet import is_vowel
from processors.text.characters import survives
from processors.text.homographs import homograph_phones
from processors.text.normalise import normalise
from processors.text.pronounce import Pronouncer, spell
from processors.text.tokens import PUNCTUATION, lexicon_tokens

# What a normalised text consists of: spans of phones, words, marks.
WORD_OR_MARK = re.compile(r"\{[^{}]*\}|[A-Za-z'](?:[A-Za-z'-]*[A-Za-z'])?|[,.!?;:…-]")
_MARKS = frozenset(PUNCTUATION)
_SENTENCE_MARKS = frozenset(".!?;:…-")


class EnglishPhones:
    """CMUdict, homographs by context, and a model for unknown words."""

    def __init__(self, user_lexicon: dict[str, tuple[str, ...]] | None = None) -> None:
        self.tokens = lexicon_tokens()
        self._pronouncer = Pronouncer(user_lexicon)

    def normalise(self, text: str) -> str:
        """Written text as spoken words and punctuation."""
        return normalise(text)

    def reads(self, letter: str) -> bool:
        """Whether a letter, or an accent, makes any difference to what is spoken."""
        return survives(letter)

    def phones(self, spoken: str) -> list[str]:
        """Tokens of a normalised text, without start and end."""
        words = WORD_OR_MARK.findall(spoken)
        lower = [word.lower() for word in words]
        # In a text of capitals only, capitals say nothing about names and initialisms.
        capitals = any(letter.islower() for letter in spoken)
        phones: list[str] = []
        article = -1
        for index, word in enumerate(words):
            start = len(phones)
            if word in _MARKS:
                phones.append(word)
            elif word[0] == "{":
                phones += word[1:-1].split()
            else:
                phones += self._in_context(words, lower, index, capitals)
            if article >= 0 and start < len(phones) and is_vowel(phones[start]):
                # "the" before a vowel: "thee".
                phones[article + 1] = "IY0"
            article = start if phones[start:] == ["DH", "AH0"] and lower[index] == "the" else -1
        return phones

    def _in_context(self, words: list[str], lower: list[str], index: int, capitals: bool) -> list[str]:
        """Phones of one word: the user's lexicon first, then homographs by context, then the word alone."""
        word = words[index]
        if not self._pronouncer.is_user_word(word):
            if word in ("a", "A") and _is_letter_a(words, index, capitals):
                return spell("a")
            phones = homograph_phones(words, lower, index, capitals)
            if phones:
                return phones
        return self._pronouncer.word(word, capitals)


def _is_letter_a(words: list[str], index: int, capitals: bool) -> bool:
    """Whether "a" is the letter ("A B C", "Exhibit A,", "clause a.") and not the article ("A man", "read A Tale")."""
    before = words[index - 1] if index else "."
    after = words[index + 1] if index + 1 < len(words) else "."
    if any(len(word) == 1 and word.isupper() and word not in "AI" for word in (before, after)):
        return words[index] == "A"
    if after in _MARKS:
        return True
    return capitals and words[index] == "A" and before not in _SENTENCE_MARKS and not after[0].isupper()
