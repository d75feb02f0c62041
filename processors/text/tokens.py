"""The token table: which symbols a voice knows, and their ids."""

from __future__ import annotations

import json
from pathlib import Path

from processors.text.arpabet import PHONES
from utils.atomic import write_text
from utils.errors import UserError, one_line
from utils.json_text import read_json
from utils.paths import remedy

FORMAT_VERSION = 1
PAD, START, END = "<pad>", "^", "$"
# What a voice from ESPnet says instead of a token that its table lacks.
UNKNOWN = "<unk>"
# Marks that carry prosody; everything else in a text becomes words or vanishes.
PUNCTUATION: tuple[str, ...] = (",", ".", "!", "?", ";", ":", "-", "…")


def lexicon_tokens() -> list[str]:
    """Token table of phone_extractor "lexicon": padding, start, end, punctuation, ARPAbet."""
    return [PAD, START, END, *PUNCTUATION, *PHONES]


def save_tokens(path: Path, tokens: list[str], phone_extractor: str, language: str) -> None:
    """Write a token table beside the data or the voice that uses it (atomically)."""
    content = {
        "format_version": FORMAT_VERSION,
        "phone_extractor": phone_extractor,
        "language": language,
        "tokens": tokens,
    }
    write_text(Path(path), json.dumps(content, ensure_ascii=False, indent=1) + "\n")


def load_tokens(path: Path) -> dict:
    """Read what `save_tokens` wrote: keys format_version, phone_extractor, language, tokens.

    :raises UserError: the file is missing, is no token table, or has another version.
    """
    advice = remedy(Path(path).parent, "run stage 1 again")
    try:
        content = read_json(Path(path))
    except FileNotFoundError:
        raise UserError(f"token table {path} is missing; {advice}") from None
    except (OSError, ValueError) as error:
        raise UserError(f"token table {path} cannot be read ({one_line(error)}); {advice}") from None
    version = content.get("format_version") if isinstance(content, dict) else None
    if version != FORMAT_VERSION:
        raise UserError(
            f"token table {path} has format version {one_line(version)}, this program reads {FORMAT_VERSION}; {advice}"
        )
    tokens = content.get("tokens")
    well_formed = (
        isinstance(tokens, list)
        and all(isinstance(token, str) for token in tokens)
        and len(set(tokens)) == len(tokens)
        and (UNKNOWN in tokens if content.get("phone_extractor") == "espnet" else tokens[:3] == [PAD, START, END])
        and isinstance(content.get("phone_extractor"), str)
        and isinstance(content.get("language"), str)
    )
    if not well_formed:
        raise UserError(f"token table {path} is damaged (tokens, phone_extractor or language); {advice}")
    return content
