"""What the person at the shell is told: the one exception that is meant for them, and how a script ends with it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps


def one_line(error: object, limit: int = 200) -> str:
    """An exception's text as part of a sentence: printable, without line ends, and not too long."""
    text = " ".join("".join(c if c.isprintable() else " " for c in str(error)).split()) or type(error).__name__
    return text if len(text) <= limit else f"{text[:limit]} ..."


class UserError(Exception):
    """Something the user can mend; the message names what is wrong and what to do, in one sentence.

    What it quotes from files may hold anything: control characters, which a terminal would obey, are shown as codes,
    and a line that nobody would read to its end loses its middle.
    """

    def __str__(self) -> str:
        message = super().__str__()
        plain = "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in message)
        return "\n".join(line if len(line) <= 1200 else f"{line[:800]} ... {line[-300:]}" for line in plain.split("\n"))


def command(main: Callable[[], int]) -> Callable[[], int]:
    """`main` of a script that ends in a sentence and status 2 at a UserError, and without a word in 130 at Ctrl-C.

    What takes seconds to import is imported in `main`, so that Ctrl-C ends that, too, without a traceback.
    """

    @wraps(main)
    def ending() -> int:
        try:
            return main()
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            return 130

    return ending
