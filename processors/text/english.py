"""phone_extractors "ipa" and "lexicon": spoken English words to tokens, IPA symbols or ARPAbet phones."""

from __future__ import annotations

import re
from collections.abc import Mapping

from processors.text.arpabet import arpabet_to_ipa, is_vowel
from processors.text.homographs import homograph_phones
from processors.text.lexicon import phrase_phones
from processors.text.normalise import Normaliser
from processors.text.pronounce import Pronouncer, spell
from processors.text.tokens import PUNCTUATION, append_word, ipa_tokens, lexicon_tokens

_LETTER = "[A-Za-zÀ-ÖØ-öø-ɏ']"
# What a normalised text consists of: spans of phones, words, marks.
WORD_OR_MARK = re.compile(rf"\{{[^{{}}]*\}}|{_LETTER}(?:(?:{_LETTER}|-)*{_LETTER})?|[,.!?;:…-]")
_MARKS = frozenset(PUNCTUATION)
_SENTENCE_MARKS = frozenset(".!?;:…-")


class EnglishPhones(Normaliser):
    """ARPAbet phones by CMUdict, homographs by context, and a model for unknown words; nothing marks where words begin.

    This is "lexicon", the tokens of older voices. EnglishIpa writes the same sounds more finely.
    """

    make_tokens = staticmethod(lexicon_tokens)

    def __init__(
        self, user_lexicon: Mapping[str, tuple[str, ...]] | None = None, own: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(user_lexicon, own)
        self.tokens = self.make_tokens()
        self._pronouncer = Pronouncer(self.user)

    def phones(self, spoken: str) -> list[str]:
        """Tokens of a normalised text, without start and end."""
        return [phone for word in self.words(spoken) for phone in word]

    def words(self, spoken: str) -> list[list[str]]:
        """ARPAbet phones of each word of a normalised text, and each mark alone, in order."""
        words = WORD_OR_MARK.findall(spoken)
        lower = [word.lower() for word in words]
        # In a text of capitals only, capitals say nothing about names and initialisms.
        capitals = any(letter.islower() for letter in spoken)
        read: list[list[str]] = []
        phrase: list[list[str]] = []  # phones of the words to come that a phrase has settled
        after_the = False
        for index, word in enumerate(words):
            if word in _MARKS:
                phones = [word]
            elif word[0] == "{":
                phones = word[1:-1].split()
            else:
                phrase = phrase or phrase_phones(lower, index)
                phones = phrase.pop(0) if phrase else []
                if not phones or self._pronouncer.is_user_word(word):
                    phones = self._in_context(words, lower, index, capitals)
            if after_the and phones and is_vowel(phones[0]):
                # "the" before a vowel: "thee".
                read[-1][1] = "IY0"
            after_the = phones == ["DH", "AH0"] and lower[index] == "the"
            read.append(phones)
        return read

    def _in_context(self, words: list[str], lower: list[str], index: int, capitals: bool) -> list[str]:
        """Phones of one word: the user's lexicon first, then homographs by context, then the word alone."""
        word = words[index]
        if not self._pronouncer.is_user_word(word):
            if word in ("a", "A") and _is_letter_a(words, index, capitals):
                return spell("a")
            phones = homograph_phones(words, lower, index)
            if phones:
                return phones
        return self._pronouncer.word(word, capitals)


class EnglishIpa(EnglishPhones):
    """The same sounds as IPA symbols, with " " between words, so that each part of a sound has a length of its own."""

    make_tokens = staticmethod(ipa_tokens)

    def phones(self, spoken: str) -> list[str]:
        """Tokens of a normalised text, without start and end."""
        tokens: list[str] = []
        for word in self.words(spoken):
            if word and word[0] in _MARKS:
                tokens += word
            else:
                append_word(tokens, arpabet_to_ipa(word))
        return tokens


def _is_letter_a(words: list[str], index: int, capitals: bool) -> bool:
    """Whether "a" is the letter ("A B C", "Exhibit A,", "clause a.") and not the article ("A man", "read A Tale")."""
    before = words[index - 1] if index else "."
    after = words[index + 1] if index + 1 < len(words) else "."
    if any(len(word) == 1 and word.isupper() and word not in "AI" for word in (before, after)):
        return words[index] == "A"
    if after in _MARKS:
        return True
    return capitals and words[index] == "A" and before not in _SENTENCE_MARKS and not after[0].isupper()
