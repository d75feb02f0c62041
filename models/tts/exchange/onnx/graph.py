"""From the module to an ONNX file."""

from __future__ import annotations

import io
import logging
import warnings
from pathlib import Path

import torch

from models.tts.exchange.onnx.voice import PIPER_SCALES, ExportedVoice
from utils.errors import UserError

# Of March 2022: every runtime in use reads it, and it has layer norm as one operation.
OPSET = 17
SCALES = "scales: noise_scale, length_scale, noise_w, pitch in semitones, energy in dB, first frame, number of frames"
INPUTS, OUTPUTS = ("input", "input_lengths", "scales"), ("output", "durations")


def write_graph(voice: ExportedVoice, path: Path, metadata: dict[str, str]) -> None:
    """Write `voice` as one ONNX file with dynamic batch and length.

    Inputs `input` (B, T_text), `input_lengths` (B,), `scales` (3,) to (7,); outputs `output` (B, 1, 1, N) and
    `durations` (B, T_text) in frames, as `ExportedVoice.forward` explains them.

    :raises UserError: the package onnx is missing.
    """
    onnx = require("onnx")
    example = (torch.tensor([[1, 2, 3, 2], [1, 3, 2, 0]]), torch.tensor([4, 3]), torch.ones(PIPER_SCALES))
    dynamic = {
        "input": {0: "batch", 1: "tokens"},
        "input_lengths": {0: "batch"},
        "scales": {0: "scales"},
        "output": {0: "batch", 3: "samples"},
        "durations": {0: "batch", 1: "tokens"},
    }
    buffer = io.BytesIO()
    # The exporter warns of its own future, and of sizes that it takes as they should be taken.
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        level = logging.root.manager.disable
        logging.disable(logging.WARNING)
        try:
            # dynamo=False: lengths depend on the data here, which torch.export refuses at every turn.
            torch.onnx.export(
                voice, example, buffer, dynamo=False, opset_version=OPSET, do_constant_folding=True,
                input_names=list(INPUTS), output_names=list(OUTPUTS), dynamic_axes=dynamic,
            )  # fmt: skip
        finally:
            logging.disable(level)
    model = onnx.load_model_from_string(buffer.getvalue())
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)
    model.doc_string = SCALES
    onnx.checker.check_model(model)
    onnx.save_model(model, str(path))


def require(name: str) -> object:
    """A package that only export needs; UserError that says how to install it."""
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError:
        raise UserError(
            f"export needs the package {name}: run `pip install -r egs/tts/Jets/requirements-export.txt`"
        ) from None
