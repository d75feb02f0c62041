"""Say whether training by a config can start from the weights of another experiment or packed voice.

Stage 2 refuses what does not fit; run.sh asks here before stage 1 has done all its work.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from utils.errors import command


@command
def main() -> int:
    """Exit status: 0, 2 for weights that do not fit or a config that does not load, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--config", required=True, help="config file")
    parser.add_argument("--finetune_from", required=True, type=Path, metavar="DIR", help="experiment or packed voice")
    parser.add_argument("--name", help="experiment that would be trained; there must be none of this name yet")
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE", help="override")
    args = parser.parse_args()
    from models.base.experiment import Experiment, check_source
    from models.registry import load_config, model_module
    from processors.text.frontend import TextFrontEnd

    config = load_config(args.config, args.overrides)
    if args.name is not None:
        Experiment.named(args.name, config).open(resume=False)
    networks = model_module(config.model_type, "trainer").Trainer.NETWORKS
    # The features that stage 1 makes have these tokens.
    tokens = TextFrontEnd.from_config(config.preprocess).tokens
    check_source(args.finetune_from, tokens, config, networks)
    return 0


if __name__ == "__main__":
    sys.exit(main())
