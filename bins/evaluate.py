"""Measure how good a voice is (stage 4).

usage: python bins/evaluate.py --expt_dir DIR [--output_dir DIR] [--testing_set S] [--set KEY=VALUE ...]
       python bins/evaluate.py --wavs DIR [--manifest FILE] --output_dir DIR [--expt_dir DIR]
       python bins/evaluate.py --compare REPORT REPORT [--output_dir DIR]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from utils.errors import UserError  # noqa: E402
from utils.flags import as_typed  # noqa: E402

if TYPE_CHECKING:
    from config.schema import ExperimentConfig


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    add = parser.add_argument
    add("--expt_dir", type=Path, help="experiment or packed voice that is judged, or whose config is used")
    add("--config", help="config file in place of the experiment's (default without one: config/jets.json)")
    add("--output_dir", type=Path, help="folder of the report (default: <expt_dir>/evaluation)")
    add("--dataset", help="one of the config's corpora (default: all)")
    add("--testing_set", default="test", help="split: test, valid or train (default: test)")
    add("--wavs", type=Path, metavar="DIR", help="judge these wavs, of any system, named by the split's ids")
    add("--manifest", type=Path, metavar="FILE", help="their JSON lines: id, text, wav, reference (a recording)")
    add("--system", metavar="NAME", help="what the report calls what it judges")
    add("--systems", nargs="+", default=(), metavar="NAME=REPORT", help="other reports to show beside this one")
    add("--compare", nargs=2, type=Path, metavar="REPORT", help="which differences of two reports are real")
    add("--limit", type=int, metavar="N", help="the first N utterances only")
    add("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE", help="override of the config")
    return parser.parse_args()


def loaded_config(args: argparse.Namespace) -> ExperimentConfig:
    """The experiment's config or the given one, with --dataset in it; UserError for a corpus without features."""
    from config.schema import EXPERIMENT_CONFIG
    from models.registry import load_config, load_experiment_config
    from processors.corpus import require_features
    from utils.paths import project_path

    if args.config is None and args.expt_dir is not None:
        config = load_experiment_config(args.expt_dir, args.overrides)
    else:
        config = load_config(args.config or project_path("config/jets.json"), args.overrides)
    if args.expt_dir is not None and not (args.wavs or args.manifest or args.compare):
        names = [args.dataset] if args.dataset else config.dataset
        require_features(config, names, Path(args.config or args.expt_dir / EXPERIMENT_CONFIG))
    return config.model_copy(update={"dataset": [args.dataset]}) if args.dataset else config


def main() -> int:
    """Exit status: 0, 2 for what the user can mend, 130 after Ctrl-C."""
    args = parse_arguments()
    try:
        # What takes seconds to load loads here, where Ctrl-C ends it without a traceback.
        from models.evaluation.stage import Request, run_comparison, run_evaluation

        config = loaded_config(args)
        request = Request(**{name: getattr(args, name) for name in Request.__dataclass_fields__})
        print(run_comparison(config, request) if request.compare else run_evaluation(config, request))
    except UserError as error:
        print(f"error: {as_typed(str(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
