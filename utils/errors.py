"""What the person at the shell is told: the one exception that is meant for them, and how a script ends with it."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any


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


class OwnError(UserError):
    """What one process of several may meet alone, so that no other says it."""


def required(package: str, whose: str, install: str) -> Any:
    """An optional package; UserError that says how to install it: `whose` needs it, `install` are pip's arguments."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        missing = error.name or package
        raise UserError(f"{whose} needs the package {missing}: run `.venv/bin/pip install {install}`") from None


_REMEDIES = {
    errno.ENOSPC: "the disk is full: free some space and run again",
    errno.EDQUOT: "the disk quota is used up: free some space and run again",
    errno.EFBIG: "no file may be as large there (FAT32 or `ulimit -f`): choose another disk, or raise the limit",
    errno.EROFS: "the file system is read-only: choose another folder",
    errno.EACCES: "permission denied: choose a folder that you may write to",
    errno.EPERM: "permission denied: choose a folder that you may write to",
}


def disk_message(error: OSError, where: Path) -> str | None:
    """Sentence for a full, read-only or forbidden disk at `where`; None for any other error."""
    remedy = _REMEDIES.get(error.errno or 0)
    if remedy is None:
        return None
    return f"cannot write to {where if _output_works() else 'standard output'}: {remedy}"


def _output_works() -> bool:
    """Whether standard output takes what is printed; one that does not is let go, or Python would try once more."""
    try:
        sys.stdout.flush()
        os.write(1, b"\n")  # what failed to be written is not kept where Python does not buffer
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return False
    return True


def command(main: Callable[[], int | None]) -> Callable[[], int]:
    """`main` of a script, which gives its exit status, None for 0; a sentence and 2 at a UserError, 130 at Ctrl-C.

    What takes seconds to import is imported in `main`, so that Ctrl-C ends that, too, without a traceback.
    """

    @wraps(main)
    def ending() -> int:
        try:
            status = main() or 0
            sys.stdout.flush()
            return status
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            return 130
        except OSError as error:
            message = disk_message(error, Path(error.filename or "the output"))
            if message is None:
                raise
            print(f"error: {message}", file=sys.stderr)
            return 2

    return ending
