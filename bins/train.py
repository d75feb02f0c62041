"""Train the model that a config describes (stage 2), on every device of CUDA_VISIBLE_DEVICES.

usage: python bins/train.py --config FILE --name NAME [--resume] [--finetune_from DIR] [--set KEY=VALUE ...]

torchrun, accelerate or SLURM (train.sbatch) may start it, on several machines, too; without them, several devices
mean as many processes of this script.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bins import recipe
from utils.errors import OwnError, UserError, command


@command
def main() -> int:
    """Exit status: 0, 2 for what the user can mend, or 130 when it was asked to stop before its end."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    recipe.add_flags(parser, 2, required=("config",))
    parser.add_argument("--name", help="name of the experiment")
    what = "only print the experiment's folder, and say whether training can start from --finetune_from"
    parser.add_argument("--check", action="store_true", help=what)
    arguments = parser.parse_args()
    recipe.check_name(arguments.name)
    recipe.check_start(arguments)
    if arguments.check:
        return check(arguments)
    if arguments.name is None:
        parser.error("the following arguments are required: --name")
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
        # Most errors are every process's, or a machine's; one voice of each machine is enough for them.
        if os.environ.get("LOCAL_RANK", "0") == "0" or isinstance(error, OwnError):
            raise
        return 2


def check(arguments: argparse.Namespace) -> int:
    """What run.sh asks before the stages: stage 2 refuses what does not fit, but only after all the work of stage 1."""
    from models.registry import load_config, model_module
    from utils.files import project_path

    config = load_config(arguments.config, arguments.overrides)
    if arguments.finetune_from is not None:
        from models.base.experiment import Experiment, check_source
        from processors.text.frontend import TextFrontEnd

        if arguments.name is not None:
            Experiment.named(arguments.name, config).open(resume=False)
        networks = model_module(config.model_type, "trainer").Trainer.NETWORKS
        # The features that stage 1 makes have these tokens.
        check_source(arguments.finetune_from, TextFrontEnd.from_config(config.preprocess).tokens, config, networks)
    if arguments.name is not None:
        print(project_path(config.log_dir) / arguments.name)
    return 0


def train(arguments: argparse.Namespace) -> int:
    """This process's part of the training; its exit status."""
    from models.base.experiment import Experiment
    from models.registry import load_config, model_module
    from utils.files import shown

    config = load_config(arguments.config, arguments.overrides)
    experiment = Experiment.named(arguments.name, config)
    kind = model_module(config.model_type, "trainer").Trainer
    trainer = kind(config, experiment, arguments.resume, arguments.finetune_from)
    trainer.run()
    if trainer.first_step >= trainer.total_steps and trainer.processes.is_main:
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
