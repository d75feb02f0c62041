"""Measure how far a voice's pitch moves when it is asked to, so that pitch in semitones means what it says.

usage: python bins/calibrate.py --expt_dir ckpts/tts/NAME [--checkpoint best] [--device cpu]

Writes pitch_response.json into the experiment; stage 3 reads it. Delete the file to be without.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from utils.errors import command  # noqa: E402


@command
def main() -> None:
    """Exit status: 0, 2 for what the user can mend, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--expt_dir", type=Path, required=True, help="trained experiment, <log_dir>/<name>")
    parser.add_argument("--checkpoint", help='"last", "best" or a folder in checkpoints/ (default: the config\'s)')
    parser.add_argument("--device", help='"cpu", "cuda" ... (default: the GPU if there is one)')
    args = parser.parse_args()
    from models.base.checkpoints import find_checkpoint
    from models.registry import load_experiment_config, model_module
    from models.tts.pitch_shifts import measure
    from processors.pitch_response import PITCH_RESPONSE
    from utils.files import disk_errors

    kind = model_module(load_experiment_config(args.expt_dir).model_type, "synthesizer").Synthesizer
    voice = kind.from_experiment(args.expt_dir, args.device, args.checkpoint)
    voice.pitch_response = None
    name = find_checkpoint(args.expt_dir, args.checkpoint or voice.config.inference.checkpoint).name
    response = measure(voice, name)
    with disk_errors(args.expt_dir):
        response.save(args.expt_dir)
    print("asked for, semitones | measured")
    for asked, measured in zip(response.asked, response.measured):
        print(f"{asked:+.1f} | {measured:+.2f}")
    lowest, highest = response.measured[0], response.measured[-1]
    print(f"{name} moves by {lowest:+.1f} to {highest:+.1f}: {args.expt_dir / PITCH_RESPONSE}")


if __name__ == "__main__":
    sys.exit(main())
