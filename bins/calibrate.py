"""Measure how far a voice's pitch moves when it is asked to, and how far it falls short of its recordings.

usage: python bins/calibrate.py --expt_dir ckpts/tts/NAME [--checkpoint best] [--device cpu] [--set KEY=VALUE]

So that pitch in semitones means what it says, pitch_response.json is written into the experiment; stage 3 reads it for
this checkpoint, and who deletes it is without. So that the voice's own pitch moves as far as its speaker's, and sounds
last as long, the recordings of the validation split are compared with what is predicted for them, where stage 1's
features are there: that file then has pitch_range and duration_scale, too, for where config.inference has null.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from utils.errors import UserError, command  # noqa: E402

CORRECTIONS = ("pitch_range", "duration_scale")  # of config.inference


@command
def main() -> None:
    """Exit status: 0, 2 for what the user can mend, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--expt_dir", type=Path, required=True, help="trained experiment, <log_dir>/<name>")
    parser.add_argument("--checkpoint", help='"last", "best" or a folder in checkpoints/ (default: the config\'s)')
    parser.add_argument("--device", help='"cpu", "cuda" ... (default: the GPU if there is one)')
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE", help="override")
    args = parser.parse_args()
    from models.base.checkpoints import find_checkpoint
    from models.registry import load_experiment_config, model_module
    from models.tts.pitch_shifts import measure
    from processors.pitch_response import PITCH_RESPONSE
    from utils.files import disk_errors

    config = load_experiment_config(args.expt_dir, args.overrides)
    kind = model_module(config.model_type, "synthesizer").Synthesizer
    # What is measured is what the network predicts.
    overrides = [*args.overrides, *(f"inference.{key}=1" for key in CORRECTIONS)]
    voice = kind.from_experiment(args.expt_dir, args.device, args.checkpoint, overrides)
    voice.pitch_response = None
    name = find_checkpoint(args.expt_dir, args.checkpoint or voice.config.inference.checkpoint).name
    response = measure(voice, name)
    try:
        note = ""
        if kind.SHORTFALL is not None:
            correction = model_module(config.model_type, kind.SHORTFALL).shortfall(voice, args.expt_dir)
            response = replace(response, inference=correction)
            shown = ", ".join(f"inference.{key}={value}" for key, value in correction.items())
            note = f"to do as the recordings do: {shown}"
    except UserError as error:
        note = f"pitch range and durations are not compared with the recordings: {error}"
    with disk_errors(args.expt_dir):
        response.save(args.expt_dir)
    print("asked for, semitones | measured")
    for asked, measured in zip(response.asked, response.measured):
        print(f"{asked:+.1f} | {measured:+.2f}")
    lowest, highest = response.measured[0], response.measured[-1]
    print(f"{name} moves by {lowest:+.1f} to {highest:+.1f}: {args.expt_dir / PITCH_RESPONSE}")
    if own := [key for key in response.inference if getattr(config.inference, key) is not None]:
        note += f"; {' and '.join(own)} of the config win, until they are null"
    if note:
        print(note)


if __name__ == "__main__":
    sys.exit(main())
