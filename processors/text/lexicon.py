"""Pronunciation dictionaries: CMUdict, our corrections, and the user's own file."""

from __future__ import annotations

import gzip
from functools import lru_cache
from pathlib import Path

from processors.text.arpabet import complete_stress
from utils.errors import UserError
from utils.files import regular

_DATA = Path(__file__).with_name("data")


@lru_cache(maxsize=1)
def cmudict() -> dict[str, str]:
    """Lower-case word -> phones in one string, CMUdict with our corrections; loaded once in a process."""
    entries = _read_cmudict()
    entries.update({word: " ".join(phones) for word, phones in read_lexicon(_DATA / "overrides.txt").items()})
    return entries


@lru_cache(maxsize=1)
def plain_cmudict() -> dict[str, str]:
    """The same without our corrections, for voices that never met them."""
    return _read_cmudict()


def _read_cmudict() -> dict[str, str]:
    text = gzip.decompress((_DATA / "cmudict.txt.gz").read_bytes()).decode("ascii")
    # str.partition would build three strings a line; splitting once is half the time of loading.
    return dict(line.split(" ", 1) for line in text.splitlines())


def read_lexicon(path: Path | str) -> dict[str, tuple[str, ...]]:
    """A file of `word PHONES` lines ("#" starts a comment) as lower-case word -> phones.

    ARPAbet with or without stresses (see `complete_stress`); the last of several lines for a word wins.

    :raises UserError: the file cannot be read, or a line is wrong; names file and line.
    """
    path = Path(path)
    try:
        lines = regular(path).read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise UserError(
            f"lexicon {path} cannot be read ({error.strerror}); correct preprocess.lexicon_path or set it to null"
        ) from None
    except UnicodeDecodeError:
        raise UserError(f"lexicon {path} is not UTF-8 text; save it as UTF-8") from None
    entries: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(lines, 1):
        fields = line.split("#", 1)[0].split()
        if not fields:
            continue
        word, symbols = fields[0].lower().replace("’", "'"), fields[1:]
        where = f"{path}, line {number}"
        if not symbols:
            raise UserError(
                f"{where}: {fields[0]!r} has no phones; write lines as `word PHONES`, like `kyoto K IY0 OW1 T OW0`"
            )
        if not word.replace("'", "").replace("-", "").isalpha() or not word.isascii():
            raise UserError(
                f"{where}: {fields[0]!r} is no single word of the letters a to z (apostrophes and hyphens are fine)"
            )
        try:
            entries[word] = tuple(complete_stress(symbols))
        except ValueError as error:
            raise UserError(
                f"{where}: {str(error)!r} is no ARPAbet phone; write phones as in `hello HH AH0 L OW1`"
            ) from None
    return entries
