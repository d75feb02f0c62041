"""Stage 0: download the corpora of a config into their dataset_path."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from utils.errors import command  # noqa: E402


@command
def main() -> None:
    """Exit status: 0, 2 for what the user can mend, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--config", required=True, help="config file")
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE", help="override")
    args = parser.parse_args()
    try:
        from models.registry import load_config
        from preprocessors.download import download_datasets

        download_datasets(load_config(args.config, args.overrides))
    except KeyboardInterrupt:
        print("stopped; run stage 0 again to go on", file=sys.stderr)
        raise


if __name__ == "__main__":
    sys.exit(main())
