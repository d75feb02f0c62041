"""Speak with a trained voice (stage 3): a split of a corpus, your own text, or raw audio for a pipe."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bins.recipe import as_typed  # noqa: E402
from utils.errors import UserError  # noqa: E402


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--expt_dir", required=True, type=Path, help="experiment, <log_dir>/<name>, or packed voice")
    parser.add_argument("--output_dir", type=Path, help="where the wavs go (default: <expt_dir>/result)")
    parser.add_argument("--mode", choices=("batch", "single"), help="a split or a text (default: single with a text)")
    parser.add_argument("--dataset", help="corpus of the split (default: the first of the config)")
    parser.add_argument("--testing_set", default="test", help="split: test, valid or train (default: test)")
    text = parser.add_mutually_exclusive_group()
    text.add_argument("--text", help="text or SSML to speak; - reads lines from standard input, a wav for each")
    text.add_argument("--text_file", type=Path, help="plain text or SSML (one wav), or lines of id|text (a wav each)")
    parser.add_argument("--stream", action="store_true", help="raw 16-bit mono audio to standard output, for aplay")
    parser.add_argument("--speed", help="tempo, 2 is twice as fast")
    parser.add_argument("--pitch", help="pitch shift in semitones")
    parser.add_argument("--energy", help="vocal effort in dB")
    parser.add_argument("--checkpoint", help='"last", "best" or a folder in checkpoints/ (default: the config\'s)')
    parser.add_argument("--device", help='"cpu", "cuda", "cuda:1" (default: the GPU if there is one)')
    parser.add_argument("--config", type=Path, help="config in place of the experiment's own")
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE", help="override")
    return parser.parse_args()


def message_for(error: UserError, arguments: argparse.Namespace) -> str:
    """The error's sentence with the flags that were typed, also for values that go into the config."""
    message = str(error)
    for flag, key in (("speed", "speed"), ("pitch", "pitch_semitones"), ("energy", "energy_db")):
        if getattr(arguments, flag) is not None:
            message = message.replace(f"--set: inference.{key}", f"--{flag}: inference.{key}")
    return as_typed(message)


def main() -> int:
    """Exit status: 0, or 2 for what the user can mend."""
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leaves by the clean-up, unlike the default
    try:
        from models.tts.speaking import run  # torch loads only once the command line is right

        return run(arguments)
    except UserError as error:
        print(f"error: {message_for(error, arguments)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever listened has heard enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(main())
