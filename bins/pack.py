"""Pack a trained voice into a small folder to ship, which speaks and is measured, exported and fine-tuned as before.

usage: python bins/pack.py --expt_dir ckpts/tts/NAME --corpus "what it was trained on" --licence CC0-1.0 [flags]
"""

from __future__ import annotations

import argparse
import signal
import sys
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from utils.errors import UserError, command  # noqa: E402


@command
def main() -> None:
    """Exit status: 0, 2 for what the user can mend, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    add = parser.add_argument
    add("--expt_dir", type=Path, required=True, help="trained experiment, <log_dir>/<name>")
    add("--corpus", required=True, help="for the card: what the voice was trained on")
    add("--licence", required=True, help="for the card: under which terms it may be used, such as CC0-1.0")
    add("--title", help="for the card: the voice's name (default: the experiment's)")
    add("--training", default="", help='for the card: how it was trained, such as "25 minutes on one H100"')
    add("--date", default=date.today().isoformat(), help="for the card (default: today)")
    add("--report", type=Path, nargs="+", default=[], metavar="DIR", help="for the card: reports of stage 4")
    add("--checkpoint", help='"last", "best" or a folder in checkpoints/ (default: the config\'s)')
    add("--precision", choices=("fp16", "int8"), default="fp16", help="of the stored weights (default: fp16)")
    add("--max_megabytes", type=float, default=40.0, metavar="N", help="largest size of the folder (default: 40)")
    add("--out", type=Path, default=ROOT / "egs/tts/Jets/voice", help="folder (default: the bundled voice's)")
    add("--replace", action="store_true", help="put the voice in the place of an older one")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leaves by the clean-up, unlike the default
    from models.evaluation.report import read_report
    from models.tts.exchange.onnx_export import export_beside
    from models.tts.exchange.packed_voice import VoiceFacts, pack_voice

    title = args.title or args.expt_dir.resolve().name
    facts = VoiceFacts(title, args.corpus, args.licence, args.training, args.date)
    reports = [read_report(path)[0] for path in args.report]
    limits = (args.precision, args.max_megabytes, args.replace)
    pack_voice(args.expt_dir, args.out, facts, reports, args.checkpoint, *limits)
    try:
        export_beside(args.out)
    except UserError as error:
        print(f"note: {args.out} speaks with torch only: {error}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
