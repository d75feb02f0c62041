"""The one exception whose message is meant for the person at the shell."""

from __future__ import annotations


class UserError(Exception):
    """Something the user can mend; the message names what is wrong and what to do, in one sentence."""
