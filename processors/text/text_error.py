"""The error of a text that cannot be spoken."""

from __future__ import annotations

from utils.errors import UserError


class TextError(UserError):
    """A text that holds nothing to speak, or phones that do not exist; the message says which."""
