"""Measure how good a voice is (stage 4).

usage: python bins/evaluate.py --expt_dir DIR [--output_dir DIR] [--testing_set S] [--set KEY=VALUE ...]
       python bins/evaluate.py --wavs DIR [--manifest FILE] --output_dir DIR [--expt_dir DIR]
       python bins/evaluate.py --compare REPORT REPORT [--output_dir DIR]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bins import recipe
from utils.errors import UserError, command


@command
def main() -> None:
    """Exit status: 0, 2 for what the user can mend, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    add = parser.add_argument
    recipe.add_flags(parser, 4)
    add("--wavs", type=Path, metavar="DIR", help="judge these wavs, of any system, named by the split's ids")
    add("--manifest", type=Path, metavar="FILE", help="their JSON lines: id, text, wav, reference (a recording)")
    add("--system", metavar="NAME", help="what the report calls what it judges")
    add("--systems", nargs="+", default=(), metavar="NAME=REPORT", help="other reports to show beside this one")
    add("--compare", nargs=2, type=Path, metavar="REPORT", help="which differences of two reports are real")
    add("--limit", type=int, metavar="N", help="the first N utterances only")
    parser.set_defaults(testing_set="test")
    args = parser.parse_args()
    from models.evaluation.stage import run

    try:
        print(run(args))
    except UserError as error:
        raise UserError(recipe.as_typed(str(error))) from None


if __name__ == "__main__":
    sys.exit(main())
