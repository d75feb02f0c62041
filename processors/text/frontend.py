"""The text front-end: raw text to token ids, the same in training and at synthesis; one for each language."""

from __future__ import annotations

import logging
import re
import threading
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from processors.espnet.espnet_phones import EspnetPhones
from processors.text.characters import TextError
from processors.text.english import WORD_OR_MARK, EnglishIpa, EnglishPhones
from processors.text.espeak import EspeakPhones, LexiconIpa, release
from processors.text.lexicon import read_lexicon
from processors.text.normalise import Reading, joined
from processors.text.tokens import END, NO_SOUND, PUNCTUATION, START, WORD_BOUNDARY
from utils.errors import UserError
from utils.files import project_path

if TYPE_CHECKING:
    from config.schema import PreprocessConfig

__all__ = ["FrontEnds", "TextError", "TextFrontEnd"]

_log = logging.getLogger(__name__)

# Categories of accents, and of what is written like a letter and is none: half rings, signs of stress and length.
_NO_WORD = frozenset(("Mn", "Mc", "Me", "Lm"))

# A word of any language, or phones in braces.
_SPOKEN = re.compile(r"\{[^{}]*\}|[^\W_](?:[^\s{}]*[^\W_])?")


class Explained(NamedTuple):
    """A piece of a written text, what it was taken for, what is said for it, and the phones of that."""

    written: str
    kind: str
    spoken: str
    phones: str

    def __str__(self) -> str:
        return f"{self.written:<20} {self.kind:<12} {self.spoken:<32} {self.phones}".rstrip()


def is_english(language: str) -> bool:
    """Whether a language is some English."""
    return language.lower().replace("_", "-").partition("-")[0] == "en"


def uses_espeak(preprocess: PreprocessConfig) -> bool:
    """Whether espeak-ng reads the texts of a config: "ipa" has its own words for English only, or a user's lexicon."""
    foreign = preprocess.phone_extractor == "ipa" and not is_english(preprocess.language)
    return preprocess.phone_extractor == "espeak" or (foreign and not preprocess.lexicon_path)


def espeak_release(preprocess: PreprocessConfig) -> str:
    """Release of espeak-ng, if it reads the texts of a config. UserError where it is missing."""
    return release() if uses_espeak(preprocess) else ""


class TextFrontEnd:
    """Raw text -> spoken words -> tokens -> ids; deterministic, picklable, no network.

    `tokens` is the token table (index = id): "<pad>", "^" (start), "$" (end), then punctuation and phones.
    """

    def __init__(self, phones: EnglishPhones | EspeakPhones | EspnetPhones | None = None) -> None:
        self._phones = phones or EnglishPhones()
        self.language = "en" if isinstance(self._phones, EspnetPhones) else self._phones.language
        self.tokens: list[str] = list(self._phones.tokens)
        self._ids = {token: index for index, token in enumerate(self.tokens)}
        # A voice from ESPnet knows neither start nor end.
        known = START in self._ids and END in self._ids
        self.start: tuple[str, ...] = (START,) if known else ()
        self.end: tuple[str, ...] = (END,) if known else ()

    @classmethod
    def from_config(cls, preprocess: PreprocessConfig) -> TextFrontEnd:
        """Front-end of a config.

        :raises UserError: a language that the extractor does not know, a missing package, a bad lexicon file.
        """
        path = project_path(preprocess.lexicon_path) if preprocess.lexicon_path else None
        english = is_english(preprocess.language)
        lexicon, own = read_lexicon(path, english) if path else ({}, {})
        if uses_espeak(preprocess):
            return cls(EspeakPhones(preprocess.language, lexicon, own))
        if preprocess.phone_extractor == "espnet":
            if own:
                raise UserError(
                    f"{path}: a voice of ESPnet reads texts as it was trained; remove the lines with `=` "
                    f"({next(iter(own))!r} is the first) and write words in full"
                )
            return cls(EspnetPhones.from_file(preprocess.tokens_path, lexicon))
        if preprocess.phone_extractor == "ipa" and not english:
            return cls(LexiconIpa(preprocess.language, lexicon, own))
        if preprocess.language.lower().replace("_", "-") not in ("en-us", "en"):
            raise UserError(
                f'the language is {preprocess.language!r}, but phone_extractor "{preprocess.phone_extractor}" knows '
                '"en-us" only; set phone_extractor (of preprocess, or of the corpus) to "espeak" for other languages'
            )
        return cls(EnglishIpa(lexicon, own) if preprocess.phone_extractor == "ipa" else EnglishPhones(lexicon, own))

    def normalise(self, text: str) -> str:
        """Written text as spoken words and punctuation; empty if nothing can be spoken.

        :raises TextError: braces that hold no phones.
        """
        return self._phones.normalise(text)

    def phonemise(self, text: str) -> list[str]:
        """Tokens of a raw text, "^" first and "$" last; "ipa" and "espeak" have a token " " between words.

        :raises TextError: nothing in the text can be spoken, or braces hold no phones.
        """
        phones = self._phones.phones(self.normalise(text))
        if all(phone in NO_SOUND for phone in phones):
            shown = "".join(c if c.isprintable() else " " for c in text[:40]).strip()
            raise TextError(f"the text {shown!r} holds nothing that can be spoken" if shown else "the text is empty")
        return [*self.start, *phones, *self.end]

    def explain(self, text: str) -> list[Explained]:
        """Why a raw text is spoken as it is, piece by piece; what is silent is there, too.

        Phones of English are ARPAbet, as in braces and lexicons; those of espeak and of ESPnet's voices are theirs.

        :raises TextError: braces that hold no phones.
        """
        spoken = self.normalise(text)
        whole = Reading(0, len(text), text, "text", spoken)
        found = [whole] if isinstance(self._phones, EspnetPhones) else self._phones.readings(text)
        starts = self._words(spoken) if isinstance(self._phones, EnglishPhones) else []
        # Where each word begins in what is said, and its phones.
        words = [
            (start, word[0] if word[0] in PUNCTUATION else f"{{{' '.join(word)}}}") for start, word in starts if word
        ]
        rows, place, said = [], 0, 0
        for piece in [*found, Reading(len(text), len(text), "", "", "")]:
            if silent := text[place : piece.start].strip():
                rows.append(Explained(silent, "silent", "", ""))
            place, begin = max(place, piece.end), said
            said = spoken.find(piece.spoken, said) + len(piece.spoken)
            sounds = [word for start, word in words if begin <= start < said] or self._phones.phones(piece.spoken)
            rows += [Explained(piece.written, piece.kind, piece.spoken, " ".join(sounds))] if piece.spoken else []
        return rows

    def written(self, text: str) -> list[tuple[Reading, int]]:
        """Pieces of a raw text that are heard, and how much each becomes: words, or tokens where nothing parts words.

        :raises TextError: braces that hold no phones.
        """
        if isinstance(self._phones, EspnetPhones):
            words = re.finditer(r"\S*\w\S*", text)
            return [(Reading(*word.span(), word[0], "text", word[0]), len(word[0])) for word in words]
        found = self._phones.readings(text)
        spoken, said, pieces = joined(found), 0, []
        parted = WORD_BOUNDARY in self._ids
        starts = [(start, word) for start, word in self._words(spoken) if word and word[0] not in PUNCTUATION]
        for piece in found:
            begin, said = said, spoken.find(piece.spoken, said) + len(piece.spoken)
            size = sum(1 if parted else len(word) for start, word in starts if begin <= start < said)
            if size:
                pieces.append((piece, size))
        return pieces

    def _words(self, spoken: str) -> list[tuple[int, list[str]]]:
        """Where each word, or mark, begins in what is said, and its phones, where English tells them."""
        if isinstance(self._phones, EnglishPhones):
            words = zip(WORD_OR_MARK.finditer(spoken), self._phones.words(spoken))
            return [(match.start(), word) for match, word in words]
        return [(match.start(), [match[0]]) for match in _SPOKEN.finditer(spoken)]

    def left_out(self, text: str) -> list[str]:
        """Words of a raw text, or parts of words, that are not spoken because nobody taught the voice their letters.

        Signs and emoji without a reading are no words: they are silent, as in print.
        """
        if isinstance(self._phones, LexiconIpa):
            return self._phones.unknown(text)
        if text.isascii():
            return []
        kept = (c if unicodedata.category(c)[0] in "LM" and not self._phones.reads(c) else " " for c in text)
        # An accent, a half ring as in "Shiʿa" or a stress mark (category Lm) that goes is no loss by itself; within a
        # word of another script it is part of that.
        return [word for word in "".join(kept).split() if not {unicodedata.category(c) for c in word} <= _NO_WORD]

    def encode(self, text: str) -> list[int]:
        """Ids of `phonemise(text)`."""
        return [self._ids[token] for token in self.phonemise(text)]


_making = threading.Lock()  # not a front-end's own: those go to other processes, which takes no locks


class FrontEnds:
    """Front-ends by language, of which `main` is there from the start."""

    def __init__(
        self, settings: Callable[[str], PreprocessConfig], language: str, espeak: str = "", by_language: bool = True
    ) -> None:
        """`settings` are those of a language, `espeak` is the release of espeak-ng that the voice was trained with.

        A voice of ESPnet reads all its languages in one way: not `by_language`. UserError for what cannot be.
        """
        self._settings, self._espeak, self._language = settings, espeak, language
        self._by_language, self._told = by_language, False
        self._made: dict[str, TextFrontEnd] = {}
        self.main = self(language)

    def __call__(self, language: str) -> TextFrontEnd:
        """The front-end of a language, "" for the voice's own. UserError where what it needs is missing."""
        known = language if language and self._by_language else self._language
        with _making:
            if known not in self._made:
                settings = self._settings(known)
                self._compare(espeak_release(settings))
                made = TextFrontEnd.from_config(settings)
                with suppress(TextError):  # of a lexicon that lacks the word
                    made.phonemise("a")  # dictionaries load at the first text: let that be part of loading
                self._made[known] = made
            return self._made[known]

    def _compare(self, release: str) -> None:
        if release and self._espeak and release != self._espeak and not self._told:
            self._told = True
            _log.warning(
                "the voice learned sounds as espeak-ng %s writes them; here is %s, which may write some otherwise: "
                "install that release for the same speech", self._espeak, release,
            )  # fmt: skip
