"""Export a trained voice: graph, configuration, check against PyTorch; the folder appears when all is right."""

from __future__ import annotations

import copy
import logging
import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from models.tts.exchange.exported_voice import PIPER_SCALES, ExportedVoice
from models.tts.exchange.folders import whole_folder
from models.tts.exchange.onnx_check import compare, open_session, require, sample_texts
from models.tts.exchange.onnx_files import (
    MODEL,
    check_piper,
    graph_metadata,
    voice_config,
    write_sherpa_files,
    write_voice_files,
)
from models.tts.jets.synthesizer import Synthesizer
from processors.text.text_error import TextError
from utils.errors import UserError

# An exported sample may differ from PyTorch's by this much in fp32 (full scale is 1).
TOLERANCE = 1e-3
# In int8, noise as weak as this is masked by the speech around it.
LEAST_SNR_DB = 25.0
# Of March 2022: every runtime in use reads it, and it has layer norm as one operation.
OPSET = 17
SCALES = "scales: noise_scale, length_scale, noise_w, pitch in semitones, energy in dB, first frame, number of frames"
# What is dynamic of each input, and then of each output.
INPUTS = {"input": {0: "batch", 1: "tokens"}, "input_lengths": {0: "batch"}, "scales": {0: "scales"}}
OUTPUTS = {"output": {0: "batch", 3: "samples"}, "durations": {0: "batch", 1: "tokens"}}
# Durations, pitch and energy come from the encoder, which stays as it is: an 8-bit voice keeps its timing and melody.
_QUANTISED = ("/decoder/", "/generator/")
# Spectra and the samples made of them: an error here is heard directly, and little time would be won.
_EXACT = ("/generator/head/", "/generator/MatMul")


def export_voice(
    expt_dir: Path,
    out: Path,
    checkpoint: str | None = None,
    precision: str = "fp32",
    piper: bool = False,
    check: int = 8,
    say: Callable[[str], None] = print,
) -> None:
    """Export the voice of an experiment to the folder `out`.

    `precision` "int8" is smaller and faster (see EXCHANGE.md for what it costs); `piper` adds what Piper and
    sherpa-onnx need, or says why they cannot speak with this voice; `check` texts are compared with PyTorch, alone and
    in a batch. Files of the same names in `out` are replaced at the end; until then it stays as it is.

    :raises UserError: no such voice or checkpoint, a missing package, a full disk, or results that differ.
    """
    for package in ("onnx", "onnxruntime"):
        require(package)
    if out.exists() and not out.is_dir():
        raise UserError(f"--out {out} is a file; give a folder")
    synthesizer = Synthesizer.from_experiment(expt_dir, device="cpu", checkpoint=checkpoint)
    config, tokens, network = synthesizer.config, list(synthesizer.script.ids), synthesizer.network
    if piper:
        check_piper(config, tokens)
    voice = ExportedVoice(copy.deepcopy(network))
    rows = _token_rows(synthesizer, max(check, 1))
    chosen, name = checkpoint or config.inference.checkpoint, expt_dir.resolve().name
    with whole_folder(out, _publish) as folder:
        write_graph(voice, folder / MODEL, graph_metadata(config))
        reach = voice.generator.receptive_field
        content = voice_config(config, tokens, name, chosen, precision, reach, synthesizer.mean_f0)
        write_voice_files(folder, expt_dir, content)
        has_data = not piper or write_sherpa_files(folder, tokens, config.preprocess.phone_extractor)
        session = open_session(folder / MODEL)
        for batch in (1, 4):
            agreement = compare(session, network, rows, batch)
            say(f"onnxruntime against PyTorch, {'one by one' if batch == 1 else f'batches of {batch}'}: {agreement}")
            if agreement.largest > TOLERANCE:
                raise UserError(f"the graph differs from PyTorch by {agreement.largest:.1e}; nothing is written")
        if precision == "int8":
            quantise_products(folder / MODEL)
            agreement = compare(open_session(folder / MODEL), network, rows)
            say(f"int8 against PyTorch's fp32: {agreement}")
            if not agreement.snr_db > LEAST_SNR_DB:
                say("that much noise may be heard: listen before you ship it, or export in fp32")
    size = (out / MODEL).stat().st_size / 2**20
    say(f"{out / MODEL}: {size:.1f} MiB, {precision}, generator {config.model.generator}")
    if not has_data:
        say("espeak-ng's data is missing (sherpa-onnx 1 needs it): `pip install espeakng-loader`, then export again")


def write_graph(voice: ExportedVoice, path: Path, metadata: dict[str, str]) -> None:
    """Write `voice` as one ONNX file with dynamic batch and length.

    Inputs `input` (B, T_text), `input_lengths` (B,), `scales` (3,) to (7,); outputs `output` (B, 1, 1, N) and
    `durations` (B, T_text) in frames, as `ExportedVoice.forward` explains them.

    :raises UserError: the package onnx is missing.
    """
    onnx = require("onnx")
    example = (torch.tensor([[1, 2, 3, 2], [1, 3, 2, 0]]), torch.tensor([4, 3]), torch.ones(PIPER_SCALES))
    # The exporter warns of its own future, and of sizes that it takes as they should be taken.
    with warnings.catch_warnings(), _without_log(), torch.no_grad():
        warnings.simplefilter("ignore")
        # dynamo=False: lengths depend on the data here, which torch.export refuses at every turn.
        torch.onnx.export(
            voice, example, str(path), dynamo=False, opset_version=OPSET, do_constant_folding=True,
            input_names=list(INPUTS), output_names=list(OUTPUTS), dynamic_axes={**INPUTS, **OUTPUTS},
        )  # fmt: skip
    model = onnx.load_model(str(path))
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)
    model.doc_string = SCALES
    onnx.checker.check_model(model)
    onnx.save_model(model, str(path))


def quantise_products(path: Path) -> int:
    """Store constant matrices of decoder and generator in 8 bits, in place; the number of products that change.

    Activations are rounded to 8 bits while the graph runs, with a scale for each tensor as it comes ("dynamic"), so
    that nothing has to be calibrated. Convolutions stay in fp32: HiFi-GAN in 8 bits hisses.
    """
    quantisation = require("onnxruntime.quantization")
    model = require("onnx").load_model(str(path))
    constants = {tensor.name for tensor in model.graph.initializer}
    nodes = [
        node.name
        for node in model.graph.node
        if node.op_type == "MatMul"
        and node.input[1] in constants
        and any(part in node.name for part in _QUANTISED)
        and not any(part in node.name for part in _EXACT)
    ]
    if nodes:
        with _without_log():
            quantisation.quantize_dynamic(
                model, str(path), op_types_to_quantize=["MatMul"], nodes_to_quantize=nodes, per_channel=True,
                weight_type=quantisation.QuantType.QInt8,
            )  # fmt: skip
    return len(nodes)


@contextmanager
def _without_log() -> Iterator[None]:
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(level)


def _token_rows(synthesizer: Synthesizer, count: int) -> list[list[int]]:
    """Token ids of the sample texts, one row each."""
    rows = []
    for text in sample_texts(count):
        try:
            rows.append(synthesizer.script.frontend.encode(text))
        except TextError as error:
            raise UserError(f"the voice cannot be checked: its front-end refuses {text!r} ({error})") from None
    return rows


def _publish(folder: Path, out: Path) -> None:
    """Move everything from a finished folder into `out`; the configuration last, because it says that all is there."""
    out.mkdir(exist_ok=True)
    (out / f"{MODEL}.json").unlink(missing_ok=True)
    for path in sorted(folder.iterdir(), key=lambda path: path.name == f"{MODEL}.json"):
        target = out / path.name
        if path.is_dir() and target.exists():
            shutil.rmtree(target)
        os.replace(path, target)
