"""Train the model that a config describes (stage 2), on every device of CUDA_VISIBLE_DEVICES.

usage: python bins/train.py --config FILE --name NAME [--resume] [--finetune_from DIR] [--set KEY=VALUE ...]

torchrun may start it, too; without it, several devices mean as many processes of this script.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bins import recipe
from utils.errors import UserError, command


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    recipe.add_flags(parser, 2, required=("config", "name"))
    return parser.parse_args()


def newest_step(expt_dir: Path) -> int:
    """Step of the newest checkpoint, 0 where there is none that can be read."""
    from models.base.checkpoints import checkpoint_folders, read_checkpoint

    folders = checkpoint_folders(expt_dir)
    try:
        return read_checkpoint(folders[-1]).step if folders else 0
    except UserError:  # the trainer has more to say about it
        return 0


@command
def main() -> int:
    """Exit status: 0, 2 for what the user can mend, or 130 when it was asked to stop before its end."""
    arguments = parse_arguments()
    recipe.check_name(arguments.name)
    # What takes seconds to load loads here, where Ctrl-C ends it without a traceback.
    from models.base.processes import answer_requests, processes_for, run_together

    answer_requests()
    if "RANK" not in os.environ:
        count = processes_for(os.environ.get("CUDA_VISIBLE_DEVICES", "0"))
        if count > 1:
            return run_together(count, [sys.executable, *sys.argv])
    try:
        return train(arguments)
    except UserError as error:
        from models.base.device import OutOfMemory

        # Most errors are every process's; one voice is enough for them.
        if os.environ.get("RANK", "0") == "0" or isinstance(error, OutOfMemory):
            raise
        return 2


def train(arguments: argparse.Namespace) -> int:
    """This process's part of the training; its exit status."""
    from models.base.experiment import Experiment
    from models.registry import load_config, model_module
    from utils.files import shown

    config = load_config(arguments.config, arguments.overrides)
    experiment = Experiment.named(arguments.name, config)
    trainer = model_module(config.model_type, "trainer").Trainer(
        config, experiment, arguments.resume, arguments.finetune_from
    )
    was_complete = arguments.resume and newest_step(experiment.directory) >= trainer.total_steps
    trainer.run()
    if was_complete and trainer.processes.is_main:
        had, epochs = f"{shown(experiment.directory)} had {trainer.step:,} steps", config.train.max_epoch
        advice = f"to go on, raise it, for instance --resume --set train.max_epoch={2 * epochs}"
        done = f"note: training was complete already: {had}, all of train.max_epoch={epochs}; {advice}"
        print(done, file=sys.stderr)
    # No further stage may follow a training that has not come to its end.
    status = 130 if trainer.stopped else 0
    if trainer.processes.world_size > 1:
        # All is written and closed; gloo's threads now and then abort a shutdown that would join them.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return status


if __name__ == "__main__":
    sys.exit(main())
