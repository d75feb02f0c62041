"""The text front-ends of a voice: one for each language that it speaks, made when it is needed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress

from config.schema import PreprocessConfig
from processors.text.frontend import TextError, TextFrontEnd, espeak_release

_log = logging.getLogger(__name__)


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
        if known not in self._made:
            settings = self._settings(known)
            self._compare(espeak_release(settings))
            self._made[known] = TextFrontEnd.from_config(settings)
            with suppress(TextError):  # of a lexicon that lacks the word
                self._made[known].phonemise("a")  # dictionaries load at the first text: let that be part of loading
        return self._made[known]

    def _compare(self, release: str) -> None:
        if release and self._espeak and release != self._espeak and not self._told:
            self._told = True
            _log.warning(
                "the voice learned sounds as espeak-ng %s writes them; here is %s, which may write some otherwise: "
                "install that release for the same speech", self._espeak, release,
            )  # fmt: skip
