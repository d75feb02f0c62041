"""What the scripts in bins/ have in common: how they end."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps

from utils.errors import UserError


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
