"""Speak with a trained voice (stage 3): a split of a corpus, your own text, or raw audio for a pipe."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bins import recipe
from utils.errors import UserError, command


@command
def main() -> int:
    """Exit status: 0, 1 if some texts of a list were skipped, 2 for what the user can mend, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    recipe.add_flags(parser, 3, required=("expt_dir",))
    parser.add_argument("--checkpoint", help='"last", "best" or a folder in checkpoints/ (default: the config\'s)')
    parser.add_argument("--device", help='"cpu", "cuda", "cuda:1" (default: the GPU if there is one)')
    parser.set_defaults(testing_set="test")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leaves by the clean-up, unlike the default
    try:
        arguments.mode = "single" if arguments.list_voices else recipe.chosen_mode(arguments)
        from models.tts.speaking import run  # torch loads only once the command line is right

        return run(arguments)
    except UserError as error:
        message = str(error)
        keys = {"speed": "speed", "pitch": "pitch_semitones", "energy": "energy_db", "speaker": "speaker"}
        for flag, key in {**keys, "language": "language"}.items():
            if getattr(arguments, flag) is not None:  # it has gone into the config
                message = message.replace(f"--set: inference.{key}", f"--{flag}: inference.{key}")
        raise UserError(recipe.as_typed(message)) from None
    except BrokenPipeError:  # whoever listened has heard enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
