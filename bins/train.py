"""Train the model that a config describes (stage 2).

usage: python bins/train.py --config FILE --name NAME [--resume] [--finetune_from DIR] [--set KEY=VALUE ...]
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from utils.errors import UserError  # noqa: E402


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--config", required=True, help="config file")
    parser.add_argument("--name", required=True, help="name of the experiment, a folder below log_dir")
    start = parser.add_mutually_exclusive_group()
    start.add_argument("--resume", action="store_true", help="go on from the newest checkpoint")
    start.add_argument("--finetune_from", type=Path, metavar="DIR", help="start from weights of an experiment or voice")
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE", help="override")
    return parser.parse_args()


def newest_step(expt_dir: Path) -> int:
    """Step of the newest checkpoint, 0 where there is none that can be read."""
    from models.base.checkpoints import checkpoint_folders, read_checkpoint

    folders = checkpoint_folders(expt_dir)
    try:
        return read_checkpoint(folders[-1]).step if folders else 0
    except UserError:  # the trainer has more to say about it
        return 0


def main() -> int:
    """Exit status: 0, or 2 for what the user can mend."""
    arguments = parse_arguments()
    try:
        # utils/accelerate_child.py starts this process with requests to stop held back, until here.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
        # What takes seconds to load loads here, where Ctrl-C ends it without a traceback.
        from models.base.experiment import Experiment
        from models.registry import load_config, model_module
        from utils.paths import shown

        config = load_config(arguments.config, arguments.overrides)
        experiment = Experiment.named(arguments.name, config)
        trainer = model_module(config.model_type, "trainer").Trainer(
            config, experiment, arguments.resume, arguments.finetune_from
        )
        was_complete = arguments.resume and newest_step(experiment.directory) >= trainer.total_steps
        trainer.run()
        if was_complete and os.environ.get("RANK", "0") == "0":
            had, epochs = f"{shown(experiment.directory)} had {trainer.step:,} steps", config.train.max_epoch
            advice = f"to go on, raise it, for instance --resume --set train.max_epoch={2 * epochs}"
            done = f"note: training was complete already: {had}, all of train.max_epoch={epochs}; {advice}"
            print(done, file=sys.stderr)
    except UserError as error:
        from models.base.memory import OutOfMemory

        # Most errors are every process's; one voice is enough for them.
        if os.environ.get("RANK", "0") == "0" or isinstance(error, OutOfMemory):
            print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
