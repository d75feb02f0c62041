"""How a packed voice's folder is told from others, even when files of it are missing."""

from __future__ import annotations

from pathlib import Path

CARD = "CARD.md"  # written by bins/pack.py alone


def remedy(folder: Path, otherwise: str) -> str:
    """What to do about a folder that lacks files: `otherwise`, but no stage can make those of a packed voice again."""
    if not (folder / CARD).is_file():
        return otherwise
    return "the folder of this packed voice is incomplete; get it again, by git checkout or from another copy"
