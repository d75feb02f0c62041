"""Questions about an experiment that run.sh asks before it starts the stages.

Prints the folder of --name, <log_dir>/<name>. With --finetune_from, says whether training by the config can start from
those weights: stage 2 refuses what does not fit, but only after all the work of stage 1.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bins import recipe
from utils.errors import command


@command
def main() -> int:
    """Exit status: 0, 2 for weights that do not fit or a config that does not load, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    recipe.add_flags(parser, 2, required=("config",))
    parser.add_argument("--name", help="name of the experiment")
    args = parser.parse_args()
    recipe.check_name(args.name)
    from models.registry import load_config, model_module
    from utils.files import project_path

    config = load_config(args.config, args.overrides)
    if args.finetune_from is not None:
        from models.base.experiment import Experiment, check_source
        from processors.text.frontend import TextFrontEnd

        if args.name is not None:
            Experiment.named(args.name, config).open(resume=False)
        networks = model_module(config.model_type, "trainer").Trainer.NETWORKS
        # The features that stage 1 makes have these tokens.
        tokens = TextFrontEnd.from_config(config.preprocess).tokens
        check_source(args.finetune_from, tokens, config, networks)
    if args.name is not None:
        print(project_path(config.log_dir) / args.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
