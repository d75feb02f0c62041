"""Bring a voice from ESPnet2 over, or take one there.

usage: python bins/convert.py --espnet_model X.pth --espnet_config config.yaml --out ckpts/tts/NAME
       python bins/convert.py --to_espnet --expt_dir ckpts/tts/NAME --out DIR
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
    parser.add_argument("--espnet_model", type=Path, metavar="PTH", help="ESPnet's model file")
    parser.add_argument("--espnet_config", type=Path, metavar="YAML", help="the config.yaml of its training")
    parser.add_argument("--to_espnet", action="store_true", help="the other way: our experiment in ESPnet's naming")
    parser.add_argument("--expt_dir", type=Path, metavar="DIR", help="experiment to take to ESPnet, <log_dir>/<name>")
    parser.add_argument(
        "--checkpoint", default="last", help='"last", "best" or a folder in checkpoints/ (default: last)'
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="new folder for the result")
    arguments = parser.parse_args()
    needed = ("expt_dir",) if arguments.to_espnet else ("espnet_model", "espnet_config")
    for name in needed:
        if getattr(arguments, name) is None:
            parser.error(f"--{name} is missing")
    from models.tts.exchange.espnet_voice import export_voice, import_voice

    if arguments.to_espnet:
        export_voice(arguments.expt_dir, arguments.out, arguments.checkpoint)
    else:
        for note in import_voice(arguments.espnet_model, arguments.espnet_config, arguments.out):
            print(f"note: {note}")
    print(f"written: {arguments.out}")


if __name__ == "__main__":
    sys.exit(main())
