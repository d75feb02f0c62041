"""JSON that may come from anywhere: whatever is wrong with a text is a ValueError."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def parse_json(text: str | bytes) -> Any:
    """Value of a JSON text; ValueError for anything else, even for brackets too deep for the parser."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("its brackets are nested too deeply") from None


def read_json(path: Path) -> Any:
    """Value of a JSON file in UTF-8; OSError where it cannot be read, ValueError where it is no JSON."""
    return parse_json(path.read_text(encoding="utf-8"))


def is_count(value: object) -> bool:
    """Whether a JSON value is a whole number from 0 on (true and false are none) that an array index can hold."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def is_finite(value: object) -> bool:
    """Whether a JSON value is a number that floating-point arithmetic can use."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -1e300 < value < 1e300
