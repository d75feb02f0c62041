"""Why is a text spoken as it is? A line for each piece of it: written, taken for, spoken, phones.

usage: python -m processors.text "Dr. Smith left at 10:30." (without a text: standard input)
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from utils.errors import UserError, command


@command
def main() -> int:
    """Exit status: 0, or 2 for what the user can mend."""
    parser = argparse.ArgumentParser(
        prog="python -m processors.text", description=(__doc__ or "").splitlines()[0], allow_abbrev=False
    )
    parser.add_argument("text", nargs="*", help="English, plain or SSML (default: standard input)")
    parser.add_argument("--lexicon", type=Path, help="your own words and abbreviations, as preprocess.lexicon_path")
    arguments = parser.parse_args()
    try:
        from processors.script import explained
        from processors.text.english import EnglishPhones
        from processors.text.frontend import TextFrontEnd
        from processors.text.lexicon import read_lexicon
    except ModuleNotFoundError as error:
        raise UserError(f"no package {error.name} here: run .venv/bin/python -m processors.text") from None
    frontend = TextFrontEnd(EnglishPhones(*(read_lexicon(arguments.lexicon) if arguments.lexicon else ())))
    for row in explained(lambda language: frontend, " ".join(arguments.text) or sys.stdin):
        print(row)
    return 0


if __name__ == "__main__":
    sys.exit(main())
