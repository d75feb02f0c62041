"""Answer OpenAI's speech clients with a trained voice (stage 5); an exported one speaks without torch."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bins import recipe
from utils.errors import command

if TYPE_CHECKING:
    from processors.speaker import Speaker


@command
def main() -> None:
    """Exit status: 0, 2 for what the user can mend, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    recipe.add_flags(parser, 5, required=("expt_dir",))
    parser.add_argument("--device", help='"cpu", "cuda", "cuda:1" (default: the CPU for an exported voice, or the GPU)')
    args = parser.parse_args()
    port, wyoming_port = (recipe.port(args, name) for name in recipe.PORTS)
    assert port is not None  # its default is a number
    from models.tts.serving import serve
    from processors.onnx_voice import MODEL, OnnxVoice

    voice: Speaker
    own_settings = args.config is None and not args.overrides
    if (args.expt_dir / MODEL).is_file() and own_settings and args.device in (None, "cpu"):
        voice = OnnxVoice(args.expt_dir)
    else:
        voice = with_torch(args)
    serve(voice, args.expt_dir.resolve().name, args.serve_host or "127.0.0.1", port, wyoming_port)


def with_torch(args: argparse.Namespace) -> Speaker:
    """An experiment's voice; on a GPU clients share its batches."""
    from models.registry import load_config, load_experiment_config, model_module
    from models.tts.serving.shared_voice import SharedVoice

    given = args.config and load_config(args.config, args.overrides)
    config = given or load_experiment_config(args.expt_dir, args.overrides)
    kind = model_module(config.model_type, "synthesizer").Synthesizer
    voice = kind.from_experiment(args.expt_dir, args.device, config=config)
    if not voice.batches_generator:
        return voice
    # Each kernel's launch waits for Python's lock, which others hold for 5 ms otherwise.
    sys.setswitchinterval(1e-4)
    voice.expect_mixed_batches()
    shared = SharedVoice(voice)
    shared.warm_up()
    return shared


if __name__ == "__main__":
    sys.exit(main())
