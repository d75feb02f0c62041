"""From words to ARPAbet: user lexicon, CMUdict, initialisms, known parts, and at last the model."""

from __future__ import annotations

import re
from functools import lru_cache

from processors.text.characters import without_accents
from processors.text.letters import LetterToSound
from processors.text.lexicon import cmudict
from processors.text.morphology import from_parts, plural_sound, with_clitic

_LETTERS = {
    "a": "EY1", "b": "B IY1", "c": "S IY1", "d": "D IY1", "e": "IY1", "f": "EH1 F", "g": "JH IY1", "h": "EY1 CH",
    "i": "AY1", "j": "JH EY1", "k": "K EY1", "l": "EH1 L", "m": "EH1 M", "n": "EH1 N", "o": "OW1", "p": "P IY1",
    "q": "K Y UW1", "r": "AA1 R", "s": "EH1 S", "t": "T IY1", "u": "Y UW1", "v": "V IY1", "w": "D AH1 B AH0 L Y UW0",
    "x": "EH1 K S", "y": "W AY1", "z": "Z IY1",
}  # fmt: skip
# Capitals that spell letters although a word is written the same.
_SPELT = frozenset(
    "US IT ID AM PM IS OR MA PA LA AD BE ET HE TV PC UK EU UN VP IQ CD DC AI ER ICU ATM OS".split()
) - frozenset("IS OR BE HE".split())
# Prefixes before a hyphen; CMUdict's entries are other words (the note "re", the company "co").
_HYPHEN_PREFIXES = {
    "re": "R IY2", "co": "K OW2", "de": "D IY2", "pre": "P R IY2", "ex": "EH1 K S", "semi": "S EH2 M IY0",
    "anti": "AE2 N T IY0", "multi": "M AH2 L T IY0", "non": "N AA2 N", "un": "AH2 N", "mid": "M IH1 D",
    "bi": "B AY2", "tri": "T R AY2",
}  # fmt: skip
# The network read words of up to 24 letters when it learned.
_MODEL_LETTERS = 24
_LONGEST = 3 * _MODEL_LETTERS
# "ChatGPT", "iPhone", "macOS"; not "McAdam".
_CAMEL = re.compile(r"(?!Mc|Mac[A-Z])[A-Za-z]*[a-z][A-Z][A-Za-z]*")
_HUMPS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def spell(letters: str) -> list[str]:
    """Phones of single letters: "fbi" -> EH1 F B IY1 AY1."""
    return [phone for letter in letters.lower() if letter in _LETTERS for phone in _LETTERS[letter].split()]


class Pronouncer:
    """Phones of single words; part of speech is settled elsewhere."""

    def __init__(self, user: dict[str, tuple[str, ...]] | None = None) -> None:
        self._user = dict(user or {})
        self._model: LetterToSound | None = None
        self._guess = lru_cache(maxsize=50_000)(self._unknown)

    def __getstate__(self) -> dict:
        return {"_user": self._user}

    def __setstate__(self, state: dict) -> None:
        Pronouncer.__init__(self, state["_user"])

    def is_user_word(self, word: str) -> bool:
        """Whether the user's lexicon decides about a word."""
        return word.lower() in self._user

    def lookup(self, word: str) -> list[str] | None:
        """Phones of a lower-case word from the dictionaries, or None."""
        phones = self._user.get(word)
        if phones is not None:
            return list(phones)
        entry = cmudict().get(word)
        return entry.split() if entry else None

    def word(self, word: str, capitals: bool = True) -> list[str]:
        """Phones of one word of letters, apostrophes and hyphens.

        :param capitals: whether capitals mean anything (they do not in a text of capitals only).
        """
        lower = without_accents(word.lower())
        if lower in self._user:
            return list(self._user[lower])
        if capitals and len(word) > 1:
            spelt = self._initialism(word)
            if spelt:
                return spelt
        humps = _HUMPS.findall(word) if capitals and _CAMEL.fullmatch(word) else []
        phones = self.lookup(lower)
        # The dictionary's "ios" is no "iOS".
        if phones and not any(len(hump) > 1 and hump.isupper() for hump in humps):
            return phones
        if humps:
            return [phone for hump in humps for phone in self.word(hump)]
        if "-" in word:
            head, *rest = [part for part in word.split("-") if part.strip("'")] or [word.strip("-'")]
            prefix = _HYPHEN_PREFIXES.get(head.lower()) if rest else None
            phones = prefix.split() if prefix else self.word(head, capitals)
            return [*phones, *(phone for part in rest for phone in self.word(part, capitals))]
        # A capital makes a name of it, whose letters sound otherwise.
        return list(self._guess(word.capitalize() if capitals and word[:1].isupper() else word.lower()))

    def _initialism(self, word: str) -> list[str] | None:
        stem, plural = (word[:-1], True) if word.endswith("s") and len(word) > 2 else (word, False)
        stem = stem.rstrip("'") if plural else stem
        if not (stem.isalpha() and stem.isupper() and len(stem) > 1):
            return None
        if stem not in _SPELT:
            if stem.lower() in self._user or stem.lower() in cmudict():
                phones = self.lookup(stem.lower())
                return phones + plural_sound(phones) if plural and phones else None
            has_vowel = bool(re.search("[AEIOUY]", stem))
            if len(stem) > 5 and has_vowel or len(stem) == 5 and re.search("[AEIOU].*[AEIOU]", stem):
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
        bare = without_accents(plain)
        for candidate in dict.fromkeys((bare, bare.replace("'", ""))):
            phones = self.lookup(candidate) or from_parts(candidate, self.lookup)
            if phones:
                return tuple(phones)
        stem, apostrophe, ending = plain.rpartition("'")
        if apostrophe:
            phones = with_clitic(list(self._guess(stem.capitalize() if name else stem)), ending) if stem else None
            if phones:
                return tuple(phones)
        letters = plain.replace("'", "")
        if len(letters) == 1 or len(letters) > _LONGEST or not re.search("[aeiouy]", letters):
            # Nothing to say: "xkcd", or a key pasted into a text.
            return tuple(spell(without_accents(letters)))
        if self._model is None:
            self._model = LetterToSound()
        pieces = [letters[i : i + _MODEL_LETTERS] for i in range(0, len(letters), _MODEL_LETTERS)]
        pieces[0] = pieces[0].capitalize() if name else pieces[0]
        return tuple(phone for piece in pieces for phone in self._model(piece))
