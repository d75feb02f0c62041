"""From words to ARPAbet: user lexicon, dictionaries, initialisms, known parts, and at last a network."""

from __future__ import annotations

import re
from functools import lru_cache

from processors.text.lexicon import dictionary, without_accents
from processors.text.morphology import from_parts, parts, plural_sound, with_clitic

# Capitals that spell letters although a word is written the same.
_SPELT = frozenset("US IT ID AM PM MA PA LA AD ET TV PC UK EU UN VP IQ CD DC AI ER ICU ATM OS NGO".split())
# The network read words of up to 24 letters when it learned.
_NETWORK_LETTERS = 24
_LONGEST = 3 * _NETWORK_LETTERS
# "ChatGPT", "iPhone", "macOS"; not "McAdam".
_CAMEL = re.compile(r"(?!Mc|Mac[A-Z])[A-Za-z]*[a-z][A-Z][A-Za-z]*")
_HUMPS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def spell(letters: str) -> list[str]:
    """Phones of single letters: "fbi" -> EH1 F B IY1 AY1."""
    return [phone for letter in without_accents(letters.lower()) for phone in parts()["letter"].get(letter, ())]


@lru_cache(maxsize=1)
def _network():  # type: ignore[no-untyped-def]
    # numpy and the weights: most texts need neither.
    from processors.text.letters import LetterToSound

    return LetterToSound()


class Pronouncer:
    """Phones of single words; part of speech is settled elsewhere."""

    def __init__(self, user: dict[str, tuple[str, ...]] | None = None) -> None:
        self._user = dict(user or {})
        self._guess = lru_cache(maxsize=50_000)(self._unknown)
        self._known = lru_cache(maxsize=50_000)(self._word)

    def __getstate__(self) -> dict:
        return {"_user": self._user}

    def __setstate__(self, state: dict) -> None:
        Pronouncer.__init__(self, state["_user"])

    def is_user_word(self, word: str) -> bool:
        """Whether the user's lexicon decides about a word."""
        return without_accents(word.lower()) in self._user

    def lookup(self, word: str) -> list[str] | None:
        """Phones of a lower-case word from the dictionaries, or None."""
        plain = without_accents(word)
        if plain in self._user:
            return list(self._user[plain])
        entry = dictionary(word) or (dictionary(plain) if plain != word else None)
        return entry.split() if entry else None

    def word(self, word: str, capitals: bool = True) -> list[str]:
        """Phones of one word of letters, apostrophes and hyphens.

        :param capitals: whether capitals mean anything (they do not in a text of capitals only).
        """
        return list(self._known(word, capitals))

    def _word(self, word: str, capitals: bool) -> list[str]:
        lower = word.lower()
        spelt = self._initialism(word) if capitals and len(word) > 1 and not self.is_user_word(word) else None
        if phones := spelt or self.lookup(lower):
            return phones
        if capitals and _CAMEL.fullmatch(word):
            return [phone for hump in _HUMPS.findall(word) for phone in self.word(hump)]
        if "-" in word:
            head, *rest = [part for part in word.split("-") if part.strip("'")] or [word.strip("-'")]
            prefix = parts()["hyphen"].get(head.lower()) if rest else None
            return [*(prefix or self.word(head, capitals)), *(p for part in rest for p in self.word(part, capitals))]
        # A capital makes a name of it, whose letters sound otherwise.
        return list(self._guess(word.capitalize() if capitals and word[:1].isupper() else lower))

    def _initialism(self, word: str) -> list[str] | None:
        stem, plural = (word[:-1].rstrip("'"), True) if word.endswith("s") and len(word) > 2 else (word, False)
        if not (stem.isalpha() and stem.isupper() and len(stem) > 1):
            return None
        phones = None if stem in _SPELT else self.lookup(stem.lower())
        if not phones:
            vowels = len(re.findall("[AEIOUY]", stem))
            if stem not in _SPELT and (len(stem) > 5 and vowels or len(stem) == 5 and vowels > 1):
                return None
            phones = spell(stem)
        return phones + plural_sound(phones) if plural else phones

    def _unknown(self, word: str) -> tuple[str, ...]:
        """Phones of a word that no dictionary has; a capital first marks a name."""
        name, plain = word[:1].isupper(), word.lower().strip("'")
        if not plain:
            return ()
        if plain.count("'") > 2:
            # "couldn't've" is the longest that anyone writes; the rest are words without blanks.
            return tuple(phone for part in plain.split("'") if part for phone in self.word(part))
        letters = plain.replace("'", "")
        for candidate in dict.fromkeys((plain, letters)):
            if phones := self.lookup(candidate) or from_parts(candidate, self.lookup):
                return tuple(phones)
        stem, _, ending = plain.rpartition("'")
        if stem and (phones := with_clitic(list(self._guess(stem.capitalize() if name else stem)), ending)):
            return tuple(phones)
        if len(letters) == 1 or len(letters) > _LONGEST or not re.search("[aeiouy]", without_accents(letters)):
            # Nothing to say: "xkcd", or a key pasted into a text.
            return tuple(spell(letters))
        letters = letters.capitalize() if name else letters
        pieces = [letters[i : i + _NETWORK_LETTERS] for i in range(0, len(letters), _NETWORK_LETTERS)]
        return tuple(phone for piece in pieces for phone in _network()(piece))
