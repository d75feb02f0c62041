"""Replacing what is written by what is said."""

from __future__ import annotations

import re
from collections.abc import Callable


def substitute(pattern: re.Pattern[str], speak: Callable[[re.Match[str]], str], text: str) -> str:
    """`pattern.sub(speak, text)`, with a blank wherever words would touch the letters or digits beside them."""

    def spaced(match: re.Match[str]) -> str:
        words = speak(match)
        start, end, whole = match.start(), match.end(), match.string
        if not words:
            return words
        left = " " if start and whole[start - 1].isalnum() and words[0].isalnum() else ""
        right = " " if end < len(whole) and whole[end].isalnum() and words[-1].isalnum() else ""
        return f"{left}{words}{right}"

    return pattern.sub(spaced, text)
