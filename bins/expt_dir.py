"""Print the folder of an experiment: <log_dir>/<name>."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from utils.errors import command


@command
def main() -> int:
    """Exit status: 0, 2 for a config that does not load, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--config", required=True, help="config file")
    parser.add_argument("--name", required=True, help="name of the experiment")
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE", help="override")
    args = parser.parse_args()
    from models.registry import load_config
    from utils.paths import project_path

    print(project_path(load_config(args.config, args.overrides).log_dir) / args.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
