"""The token table: which symbols a voice knows, and their ids."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from processors.text.arpabet import PHONES
from processors.text.tables import rows
from utils.errors import UserError, one_line
from utils.files import read_json, remedy, write_text

FORMAT_VERSION = 1
_CAST = ("speakers", "languages", "espeak")  # what further keys of a table's file are about
PAD, START, END = "<pad>", "^", "$"
# What a voice from ESPnet says instead of a token that its table lacks.
UNKNOWN = "<unk>"
# Marks that carry prosody; everything else in a text becomes words or vanishes.
PUNCTUATION: tuple[str, ...] = (",", ".", "!", "?", ";", ":", "-", "…")
# Stands between words where sounds are written as IPA.
WORD_BOUNDARY = " "
# What is heard less often than this in training is hardly learnt.
RARE = 10

_LETTERS, _MODIFIERS, _CODES = (row[1] for row in rows("ipa_symbols.txt"))
_COMBINING = "".join(chr(int(code, 16)) for code in _CODES.split())
IPA_SYMBOLS: tuple[str, ...] = tuple(dict.fromkeys(_LETTERS + _MODIFIERS + _COMBINING))
# What is no sound by itself: it bounds words and sentences, or says how the sound beside it is spoken.
NO_SOUND = frozenset((PAD, START, END, WORD_BOUNDARY, *PUNCTUATION, *_MODIFIERS, *_COMBINING))


def lexicon_tokens() -> list[str]:
    """Token table of phone_extractor "lexicon": padding, start, end, punctuation, ARPAbet."""
    return [PAD, START, END, *PUNCTUATION, *PHONES]


def ipa_tokens() -> list[str]:
    """Token table of phone_extractors "ipa" and "espeak", the same for every language, so that voices can be adapted.

    Padding, start, end, punctuation, word boundary, IPA symbols.
    """
    return [PAD, START, END, *PUNCTUATION, WORD_BOUNDARY, *IPA_SYMBOLS]


def append_word(tokens: list[str], symbols: list[str]) -> None:
    """Add the symbols of a word to `tokens`, in which a boundary parts it from what stands before, be it a mark."""
    if tokens and symbols:
        tokens.append(WORD_BOUNDARY)
    tokens += symbols


def save_tokens(
    path: Path, tokens: list[str], phone_extractor: str, language: str, counts: Mapping[str, int] | None = None,
    **cast: Any,
) -> None:  # fmt: skip
    """Write a token table beside the voice that uses it (atomically); `counts`: how often it was trained on each.

    `cast` are its speakers (name -> own language), its languages and its release of espeak, where there are any.
    """
    content: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "phone_extractor": phone_extractor,
        "language": language,
        "tokens": tokens,
        **({} if counts is None else {"counts": {token: counts[token] for token in tokens if counts.get(token)}}),
    }
    content |= {key: value for key, value in cast.items() if value}
    content["crc32"] = _checksum(content)
    write_text(Path(path), json.dumps(content, ensure_ascii=False, indent=1) + "\n")


def _checksum(content: Mapping[str, Any]) -> int:
    """Of a table's values, however its file is laid out."""
    covered = [content["phone_extractor"], content["language"], content["tokens"], content.get("counts")]
    covered += [[key, list(value.items()) if isinstance(value, dict) else value]
                for key in _CAST if (value := content.get(key))]  # fmt: skip
    return zlib.crc32(json.dumps(covered, sort_keys=True).encode())


def load_tokens(path: Path) -> dict:
    """Read what `save_tokens` wrote: keys format_version, phone_extractor, language, tokens, perhaps counts,
    speakers, languages, espeak and crc32.

    :raises UserError: the file is missing, is no token table, was changed, or has another version.
    """
    advice = remedy(Path(path).parent, "restore it from another copy of the voice")
    try:
        content = read_json(Path(path))
    except FileNotFoundError:
        raise UserError(f"token table {path} is missing; {advice}") from None
    except (OSError, ValueError) as error:
        raise UserError(f"token table {path} cannot be read ({one_line(error)}); {advice}") from None
    version = content.get("format_version") if isinstance(content, dict) else None
    if version != FORMAT_VERSION:
        found = f"has format version {one_line(version)}, this program reads {FORMAT_VERSION}"
        raise UserError(f"token table {path} {found}; {advice}")
    tokens, counts = content.get("tokens"), content.get("counts", {})
    speakers, languages = content.get("speakers", {}), content.get("languages", [])
    well_formed = (
        isinstance(tokens, list)
        and all(isinstance(token, str) for token in tokens)
        and len(set(tokens)) == len(tokens)
        and (UNKNOWN in tokens if content.get("phone_extractor") == "espnet" else tokens[:3] == [PAD, START, END])
        and isinstance(content.get("phone_extractor"), str)
        and isinstance(content.get("language"), str)
        and isinstance(counts, dict)
        and all(token in tokens and type(count) is int and count > 0 for token, count in counts.items())
        and isinstance(languages, list)
        and isinstance(speakers, dict)
        and all(isinstance(name, str) for name in (*speakers.values(), *languages, content.get("espeak", "")))
    )
    if not well_formed:
        parts = "tokens, counts, phone_extractor, language or speakers"
        raise UserError(f"token table {path} is damaged ({parts}); {advice}")
    if content.get("crc32", expected := _checksum(content)) != expected:  # tables of before have none
        raise UserError(
            f"token table {path} was changed after it was written, and the voice would speak otherwise; {advice}"
        )
    return content
