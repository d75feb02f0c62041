"""Where the recording of an id lies: any format that libsndfile reads, below a folder."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from utils.errors import UserError

# In this order where one id has several recordings.
AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".au", ".caf", ".w64", ".rf64")

Finder = Callable[[str], Path | None]


def finder(folder: Path) -> Finder:
    """Function from an id to its recording below `folder`; reads each folder once."""

    @cache
    def listing(parent: str) -> dict[str, Path]:
        place = folder / parent
        try:
            paths = sorted(place.iterdir()) if place.is_dir() else []
        except OSError as error:
            raise UserError(f"{place} cannot be read ({error.strerror or error})") from error
        known = [path for path in paths if path.suffix.lower() in AUDIO_SUFFIXES]
        known.sort(key=lambda path: AUDIO_SUFFIXES.index(path.suffix.lower()), reverse=True)
        # macOS may store accents as two characters where a table has one.
        return {unicodedata.normalize("NFC", path.stem): path for path in known}

    def find(identity: str) -> Path | None:
        parent, _, stem = identity.rpartition("/")
        return listing(parent).get(unicodedata.normalize("NFC", stem))

    return find


def names_of(identity: str, folder: str) -> tuple[str, ...]:
    """What the recording of an id may be called below `folder`; others write wavs\\a.wav for a."""
    plain = identity.replace("\\", "/").removeprefix(f"{folder}/")
    stem, dot, suffix = plain.rpartition(".")
    return identity, plain, stem if f"{dot}{suffix}".lower() in AUDIO_SUFFIXES else plain


def files_below(folder: Path) -> Iterator[Path]:
    """All files below a folder, in an order that is the same everywhere."""
    for place, folders, files in os.walk(folder):
        folders.sort()
        yield from (Path(place, name) for name in sorted(files))
