"""Export a trained voice: graph, configuration, check against PyTorch; the folder appears when all is right."""

from __future__ import annotations

import copy
import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

from models.tts.jets.export.check import compare, open_session
from models.tts.jets.export.graph import require, write_graph
from models.tts.jets.export.quantise import quantise_products
from models.tts.jets.export.samples import sample_texts
from models.tts.jets.export.voice import ExportedVoice
from models.tts.jets.export.voice_files import (
    MODEL,
    check_piper,
    graph_metadata,
    voice_config,
    write_sherpa_files,
    write_voice_files,
)
from models.tts.jets.synthesizer import Synthesizer
from processors.text.errors import TextError
from utils.atomic import disk_errors
from utils.errors import UserError

# An exported sample may differ from PyTorch's by this much in fp32 (full scale is 1).
TOLERANCE = 1e-3
# In int8, noise as weak as this is masked by the speech around it.
LEAST_SNR_DB = 25.0


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

    `precision` "int8" is smaller and faster (see EXPORT.md for what it costs); `piper` adds what Piper and sherpa-onnx
    need, or says why they cannot speak with this voice; `check` texts are compared with PyTorch, alone and in a batch.
    Files of the same names in `out` are replaced at the end; until then it stays as it is.

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
    # The name is chosen first, so that a request to stop right after the folder is made finds what to remove.
    folder = out.parent / f".{out.name}.{secrets.token_hex(8)}"
    try:
        with disk_errors(out):
            folder.mkdir(mode=0o700, parents=True)
            write_graph(voice, folder / MODEL, graph_metadata(config))
            chosen = checkpoint or config.inference.checkpoint
            content = voice_config(
                config, tokens, expt_dir.resolve().name, chosen, precision, voice.generator.receptive_field
            )
            write_voice_files(folder, expt_dir, content)
            has_data = not piper or write_sherpa_files(folder, tokens, config.preprocess.phone_extractor)
        session = open_session(folder / MODEL)
        for batch in (1, 4):
            agreement = compare(session, network, rows, batch)
            say(f"onnxruntime against PyTorch, {'one by one' if batch == 1 else f'batches of {batch}'}: {agreement}")
            if agreement.largest > TOLERANCE:
                raise UserError(f"the graph differs from PyTorch by {agreement.largest:.1e}; nothing is written")
        if precision == "int8":
            with disk_errors(out):
                quantise_products(folder / MODEL)
            agreement = compare(open_session(folder / MODEL), network, rows)
            say(f"int8 against PyTorch's fp32: {agreement}")
            if not agreement.snr_db > LEAST_SNR_DB:
                say("that much noise may be heard: listen before you ship it, or export in fp32")
        with disk_errors(out):
            _publish(folder, out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    size = (out / MODEL).stat().st_size / 2**20
    say(f"{out / MODEL}: {size:.1f} MiB, {precision}, generator {config.model.generator}")
    if not has_data:
        say("espeak-ng's data is missing (sherpa-onnx 1 needs it): `pip install espeakng-loader`, then export again")


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
