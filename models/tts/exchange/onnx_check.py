"""Does an exported voice give what PyTorch gives?"""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.tts.jets.network import JetsNetwork
from utils.errors import UserError

# Any other text would do.
SENTENCES = (
    "Good morning.",
    "The quick brown fox jumps over the lazy dog near the old river bank.",
    "Would you mind closing the window before it starts to rain?",
    "Yes, of course!",
    "Seven small ships sailed slowly south, and none of them was ever seen again.",
    "Wait: is this the right platform?",
    "We have to choose between hope and fear; most of us choose both.",
    "Although the engineers had checked every joint of the bridge twice, the mayor asked them to do it once more, "
    "because a single loose bolt could cost a hundred lives.",
)


@dataclass(frozen=True)
class Agreement:
    """How the waveforms of a graph compare with PyTorch's over some utterances."""

    utterances: int
    other_durations: int  # utterances in which a duration was rounded the other way; not in the figures below
    largest: float  # difference of two samples
    snr_db: float  # power of PyTorch's waveforms over that of the difference; inf when they are equal

    def __str__(self) -> str:
        compared = self.utterances - self.other_durations
        text = f"{compared} of {self.utterances} texts with equal durations"
        return text + (f", largest difference {self.largest:.1e}, {self.snr_db:.1f} dB" if compared else "")


def sample_texts(count: int) -> list[str]:
    """That many different texts, from a word to a paragraph: the sentences, then runs of them."""
    runs = ((number % len(SENTENCES), 1 + number // len(SENTENCES)) for number in range(count))
    return [" ".join(SENTENCES[(start + i) % len(SENTENCES)] for i in range(length)) for start, length in runs]


def require(name: str) -> Any:
    """A package that only export needs; UserError that says how to install it."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise UserError(
            f"export needs the package {name}: run `pip install -r egs/tts/Jets/requirements-export.txt`"
        ) from None


def open_session(path: Path, threads: int = 0) -> Any:
    """An onnxruntime session on the CPU; quiet."""
    onnxruntime = require("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def run_graph(
    session: Any, rows: Sequence[Sequence[int]], scales: Sequence[float] = (0, 1, 0)
) -> tuple[np.ndarray, np.ndarray]:
    """Waveforms (B, N) and durations (B, T_text) of rows of token ids, padded to a batch."""
    ids = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    feeds = {"input": ids, "input_lengths": lengths, "scales": np.array(scales, dtype=np.float32)}
    waves, durations = session.run(None, feeds)
    return waves[:, 0, 0], durations


def compare(session: Any, network: JetsNetwork, rows: Sequence[Sequence[int]], batch: int = 1) -> Agreement:
    """Run rows of token ids through the graph, `batch` at a time, and through `network`, one at a time."""
    others, largest, signal, noise = 0, 0.0, 0.0, 0.0
    for start in range(0, len(rows), batch):
        part = rows[start : start + batch]
        waves, durations = run_graph(session, part)
        for row, wave, given in zip(part, waves, durations):
            with torch.inference_mode():
                output = network.infer(torch.tensor([row]), torch.tensor([len(row)]))
            if not np.array_equal(output.durations[0].numpy(), given[: len(row)]):
                others += 1
                continue
            expected = output.waveform[0].numpy().astype(np.float64)
            difference = wave[: len(expected)] - expected
            largest = max(largest, float(np.abs(difference).max()), float(np.abs(wave[len(expected) :]).max(initial=0)))
            signal, noise = signal + float((expected**2).sum()), noise + float((difference**2).sum())
    snr = math.inf if noise == 0 else 10 * math.log10(max(signal, 1e-30) / noise)
    return Agreement(len(rows), others, largest, snr)
