"""Stage 1: prepare the corpora of a config for training."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from utils.errors import UserError, command


@command
def main() -> None:
    """Parse the command line, prepare each corpus; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="experiment config, JSON5")
    parser.add_argument("--dataset", action="append", metavar="NAME", help="only this corpus (repeatable)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    arguments = parser.parse_args()
    try:
        from models.registry import load_config
        from preprocessors.pipeline import preprocess_dataset
        from preprocessors.speaker_report import joint_report

        config = load_config(arguments.config, arguments.overrides)
        unknown = [name for name in arguments.dataset or () if name not in config.dataset]
        if unknown:
            raise UserError(f"--dataset {unknown[0]} is not in the config's dataset list: {', '.join(config.dataset)}")
        for name in arguments.dataset or config.dataset:
            preprocess_dataset(config, name)
        if len(config.dataset) > 1 and not arguments.dataset:
            print(joint_report(config))
    except KeyboardInterrupt:
        print("stopped; run the same command again to continue", file=sys.stderr)
        raise


if __name__ == "__main__":
    sys.exit(main())
