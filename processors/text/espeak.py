"""phone_extractor "espeak": IPA by espeak-ng, for the languages that it knows.

espeak-ng is GPL-3.0-or-later, so that it stays optional: the pip package espeakng-loader brings its library and data,
which ctypes calls here.
"""

from __future__ import annotations

import ctypes
import os
import re
import threading
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache

from processors.text.arpabet import arpabet_to_ipa
from processors.text.normalise import Normaliser
from processors.text.tokens import IPA_SYMBOLS, PUNCTUATION, WORD_BOUNDARY, append_word, ipa_tokens
from utils.errors import UserError, required

_KNOWN = frozenset((*IPA_SYMBOLS, WORD_BOUNDARY))
# "(en)word(de)": espeak's note that it changed the language.
_SWITCH = re.compile(r"\([a-z-]{1,12}\)")
_PIECE = re.compile(r"\{[^{}]*\}|[^\s{}]+")
# Quotes and brackets around a word.
_OUTSIDE = re.compile(r"^[^\w']+|[^\w']+$")
_CLOSING_MARK = re.compile(r"([,.!?;:…-])(?=\s|$)")


class _Library:
    """espeak-ng in this process; it has one voice at a time, so that calls take turns."""

    def __init__(self) -> None:
        without = 'phone_extractor "ipa" reads US English without it, other languages by a preprocess.lexicon_path'
        whose = f"espeak-ng (GPL), which reads this language here ({without}),"
        espeakng_loader = required("espeakng_loader", whose, "espeakng-loader")
        try:
            self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        except OSError as error:
            raise UserError(f"espeak-ng's library cannot be loaded ({error}); reinstall espeakng-loader") from None
        self._library.espeak_SetVoiceByName.argtypes = [ctypes.c_char_p]
        self._library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        self._library.espeak_TextToPhonemes.argtypes = [ctypes.POINTER(ctypes.c_void_p), ctypes.c_int, ctypes.c_int]
        # 1: sound would go to a callback, no device is opened; 0x8000: errors return instead of ending the process.
        if self._library.espeak_Initialize(1, 0, os.fsencode(espeakng_loader.get_data_path()), 0x8000) < 0:
            raise UserError("espeak-ng cannot read its data; reinstall espeakng-loader")
        self._library.espeak_Info.restype = ctypes.c_char_p
        self.release = (self._library.espeak_Info(None) or b"").decode("ascii", "replace")
        self._voice = ""
        self._lock = threading.Lock()

    def ipa(self, text: str, language: str) -> str:
        """IPA of a text, clauses joined by blanks; UserError for an unknown language."""
        with self._lock:
            if self._voice != language:
                if self._library.espeak_SetVoiceByName(language.encode()) != 0:
                    raise UserError(
                        f"the language is {language!r}, which espeak-ng does not know; try for example en-us, de or "
                        "fr-fr (preprocess.language, or the language of a corpus)"
                    )
                self._voice = language
            buffer = ctypes.create_string_buffer(text.encode("utf-8"))
            position = ctypes.c_void_p(ctypes.addressof(buffer))
            clauses = []
            while position.value:
                # 1: the text is UTF-8; 2: IPA.
                clause = self._library.espeak_TextToPhonemes(ctypes.byref(position), 1, 2)
                clauses.append((clause or b"").decode("utf-8", errors="ignore"))
        return " ".join(clauses)


_the_library = lru_cache(maxsize=1)(_Library)
_making = threading.Lock()


def _shared_library() -> _Library:
    with _making:  # a cache alone lets threads that come together make one each, with a lock each
        return _the_library()


def release() -> str:
    """Release of espeak-ng, such as "1.52.0": others write some sounds differently. UserError where it is missing."""
    return _shared_library().release


class EspeakPhones(Normaliser):
    """IPA symbols, one token each, with " " between words."""

    def __init__(
        self,
        language: str,
        user_lexicon: Mapping[str, tuple[str, ...]] | None = None,
        own: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(user_lexicon, own, language.lower().replace("_", "-"))
        self.tokens = ipa_tokens()
        self._symbols("a")  # complains at once about a missing package or an unknown language

    def phones(self, spoken: str) -> list[str]:
        """Tokens of a normalised text, without start and end."""
        tokens: list[str] = []
        run: list[str] = []  # words that espeak reads together
        for piece in [*_PIECE.findall(_CLOSING_MARK.sub(r" \1 ", spoken)), ""]:
            given = piece[1:-1].split() if piece[:1] == "{" else self.user.get(piece.lower())
            if piece and not given and piece not in PUNCTUATION:
                run.append(piece)
                continue
            append_word(tokens, self._symbols(" ".join(run)) if run else [])
            run = []
            if given:
                append_word(tokens, as_ipa(given))
            elif piece:
                tokens.append(piece)
        return tokens

    def _symbols(self, text: str) -> list[str]:
        ipa = _SWITCH.sub("", _shared_library().ipa(text, self.language))
        ipa = " ".join(unicodedata.normalize("NFD", ipa).split())
        return [symbol for symbol in ipa if symbol in _KNOWN]


class LexiconIpa(EspeakPhones):
    """The same by a user's lexicon alone, without espeak-ng: words that it lacks are left out."""

    def unknown(self, text: str) -> list[str]:
        """Words of a raw text that the lexicon lacks."""
        words = _PIECE.findall(_CLOSING_MARK.sub(r" \1 ", self.normalise(text)))
        plain = (self._plain(word) for word in words if word[0] != "{")
        return [word for word in plain if word and word not in self.user]

    def _symbols(self, text: str) -> list[str]:
        tokens: list[str] = []
        for word in map(self._plain, text.split()):
            append_word(tokens, as_ipa(self.user.get(word, ())))
        return tokens

    @staticmethod
    def _plain(word: str) -> str:
        """A word as the lexicon has it, without quotes and brackets."""
        return _OUTSIDE.sub("", word.lower())


def as_ipa(phones: Sequence[str]) -> list[str]:
    """IPA symbols of a lexicon's phones, which are ARPAbet or IPA already."""
    return list(phones) if all(phone in _KNOWN for phone in phones) else arpabet_to_ipa(list(phones))
