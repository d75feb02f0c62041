"""Export a trained voice to ONNX: a folder that speaks without torch, and with Piper and sherpa-onnx."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from utils.errors import UserError, command  # noqa: E402


@command
def main() -> None:
    """Exit status: 0, 2 for what the user can mend, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--expt_dir", type=Path, help="experiment, <log_dir>/<name>, or packed voice")
    into = "folder to write, such as my_voice_onnx; into the packed voice itself goes a graph without a second copy"
    parser.add_argument("--out", type=Path, help=f"{into} of the weights")
    parser.add_argument("--checkpoint", help='"last", "best" or a folder in checkpoints/ (default: the config\'s)')
    parser.add_argument("--precision", choices=("fp32", "int8"), default="fp32", help="default: fp32")
    parser.add_argument("--piper", action="store_true", help="make sure that Piper and sherpa-onnx can use the folder")
    parser.add_argument("--check", type=int, default=8, metavar="N", help="texts compared with PyTorch (default: 8)")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leaves by the clean-up, unlike the default
    if args.expt_dir is None:
        raise UserError("give --expt_dir, the trained voice, for instance --expt_dir egs/tts/Jets/voice")
    if args.out is None:
        name = args.expt_dir.resolve().name
        raise UserError(f"give --out, the folder to write, for instance --out {name}_onnx")
    from models.tts.exchange.onnx_export import export_beside, export_voice

    if args.out.resolve() == args.expt_dir.resolve():
        if args.precision != "fp32" or args.piper or args.checkpoint is not None:
            raise UserError("a graph beside the weights is as they are: no --precision, --piper and --checkpoint there")
        export_beside(args.expt_dir, args.check)
        return
    export_voice(args.expt_dir, args.out, args.checkpoint, args.precision, args.piper, args.check)


if __name__ == "__main__":
    sys.exit(main())
