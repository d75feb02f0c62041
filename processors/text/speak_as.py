"""What SSML's `say-as` makes of its text: the classes of written things, reached by name."""

from __future__ import annotations

from processors.text.say_as import say_as

KINDS = ("characters", "spell-out", "digits", "cardinal", "number", "ordinal", "date", "telephone")


def speak_as(kind: str, text: str, format: str | None = None, detail: str | None = None, arpabet: bool = True) -> str:
    """Words for `text` read as `kind` (one of KINDS); letters as `{ARPAbet}` unless `arpabet` is false.

    :raises ValueError: the text is not what `kind` says, or the format is not known; the message says what.
    """
    return say_as(kind, text, format, arpabet)
