"""What stage 3 says about texts that it cannot speak, or not wholly."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tqdm import tqdm

from processors.text.text_error import TextError
from utils.errors import UserError

if TYPE_CHECKING:
    from models.tts.script import Scriptwriter

_SHOWN_WORDS, _SHOWN_LETTERS = 5, 30


class LeftOut:
    """Words that a voice cannot read: one note for each text that loses some."""

    def __init__(self, script: Scriptwriter) -> None:
        """Listen to what a voice's script leaves out."""
        self._words: dict[str, None] = {}
        script.on_left_out = self._add

    def _add(self, word: str) -> None:
        # A book may lose every word of it: no more are kept than are needed to see that there are more.
        if len(self._words) <= _SHOWN_WORDS:
            self._words[word if len(word) <= _SHOWN_LETTERS else f"{word[:_SHOWN_LETTERS]}…"] = None

    @contextmanager
    def of(self, name: str = "") -> Iterator[None]:
        """Say what is lost of the text that is scripted in the block; an error there says more, and stands alone."""
        self._words.clear()
        yield
        if self._words:
            shown = ", ".join(f'"{word}"' for word in list(self._words)[:_SHOWN_WORDS])
            more = " and more" if len(self._words) > _SHOWN_WORDS else ""
            where = f" of {name}" if name else ""
            tqdm.write(f"note: left out{where}, the voice cannot read it: {shown}{more}", file=sys.stderr)


class Failures:
    """Utterances that could not be spoken: each is reported once and skipped."""

    def __init__(self, tolerant: bool = True) -> None:
        self.tolerant = tolerant
        self.told: list[str] = []

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Report what is wrong with this utterance's text; anything else, such as a full disk, ends the run."""
        try:
            yield
        except TextError as error:
            if not self.tolerant:
                raise
            self.report(name, error)

    def report(self, name: str, error: TextError) -> None:
        """Say that an utterance is skipped, and why."""
        self.told.append(name)
        tqdm.write(f"skipped {name}: {error}", file=sys.stderr)

    def finish(self, count: int) -> None:
        """UserError if none of `count` utterances is left."""
        if count == 0:
            raise UserError("there is nothing to speak: the input is empty")
        if len(self.told) >= count:
            raise UserError("nothing was spoken")
