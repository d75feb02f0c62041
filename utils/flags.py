"""Names of flags in error messages: as the user typed them, to a program here or to run.sh, which starts it."""

from __future__ import annotations

import os
import re

# Set by run.sh, whose flags for speech and measures are the programs' own behind this prefix.
PREFIX_VARIABLE = "JETS_FLAG_PREFIX"
_PREFIXED = re.compile(
    r"(?<![\w/-])--(?=(?:expt_dir|output_dir|mode|dataset|testing_set|text|text_file|stream|speed|pitch|energy)(?![\w-]))"
)


def as_typed(message: str) -> str:
    """The message with the flags that run.sh's user typed: "--text" is "--infer_text" there."""
    prefix = os.environ.get(PREFIX_VARIABLE, "")
    return _PREFIXED.sub(f"--{prefix}", message) if prefix else message
