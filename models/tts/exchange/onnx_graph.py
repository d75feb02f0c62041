"""The graph of an exported voice: the module that becomes it, how it is written and run, and what it must give."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.tts.jets.conditioning import UNNAMED, Roles
from models.tts.jets.network import JetsNetwork, Predictions
from models.tts.jets.variance import durations_from_log, scale_durations
from models.vocoders.convolutions import fold_weight_norm, length_mask
from processors.cast import Cast
from utils.errors import required

PAD_ID = 0
# noise_scale, length_scale and noise_w; with pitch, energy, first frame, number of frames and seed.
PIPER_SCALES, N_SCALES = 3, 8
# Of March 2022: every runtime in use reads it, and it has layer norm as one operation.
OPSET = 17
SCALES = (
    "scales: noise_scale, length_scale, noise_w, pitch in semitones, energy in dB, first frame, number of frames, seed"
)
# What is dynamic of each input, of which voices of one speaker and language lack the last, and then of each output.
INPUTS = {"input": {0: "batch", 1: "tokens"}, "input_lengths": {0: "batch"}, "scales": {0: "scales"}}
SPEAKER = {"sid": {0: "batch"}}
OUTPUTS = {"output": {0: "batch", 3: "samples"}, "durations": {0: "batch", 1: "tokens"}}
# Durations, pitch and energy come from the encoder, which stays as it is: an 8-bit voice keeps its timing and melody.
_QUANTISED = ("/decoder/", "/generator/")
# Spectra and the samples made of them: an error here is heard directly, and little time would be won.
_EXACT = ("/generator/head/", "/generator/MatMul")


class ExportedVoice(nn.Module):
    """Speaks token ids as `JetsNetwork.infer` does; an utterance sounds the same alone and in a batch."""

    own: Tensor

    def __init__(
        self, network: JetsNetwork, cast: Cast | None = None, edges: tuple[int, int, int] | None = None
    ) -> None:
        """Take over a network for good; `edges` are its tokens of start, end and word boundary.

        With them a text that comes without start and end gets both: sherpa-onnx has neither, and a boundary in front.
        """
        super().__init__()
        network.eval()
        fold_weight_norm(network)
        self.network, self.generator = network, network.generator
        self.cast, self.edges = cast or Cast(), edges
        self.register_buffer("own", torch.tensor([self.cast.number(own) for own in self.cast.speakers.values()] or [0]))

    @property
    def numbers(self) -> dict[str, int]:
        """`sid` of each speaker, who speaks the own language, and behind them that of each in another: "anna (de)".

        Programs that know speakers but no languages can choose both. Empty for a voice of one.
        """
        if self.network.conditioning is None:
            return {}
        names = list(self.cast.speakers) or ["speaker"]
        numbers = {name: number for number, name in enumerate(names)}
        for place, language in enumerate(self.cast.languages if len(self.cast.languages) > 1 else (), 1):
            others = [(n, name) for n, name in enumerate(names) if self.cast.speakers.get(name) != language]
            numbers |= {f"{name} ({language})": place * len(names) + n for n, name in others}
        return numbers

    def forward(self, ids: Tensor, lengths: Tensor, scales: Tensor, sid: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Waveform (B, 1, 1, N) and frames of each token (B, T_text).

        ids (B, T_text) int64 of which `lengths` (B,) count; id 0 is dropped wherever it stands, since Piper puts it
        between all phonemes. scales (3,) to (8,) float32 holds what Piper gives (noise_scale, length_scale, noise_w),
        of which length_scale acts, as the factor of all durations, and noise_scale as the temperature of a voice whose
        prosody varies; then, as far as given, pitch in semitones, energy in dB, the first frame, the number of frames
        that become waveform (0: all), and a seed. What lies behind an utterance's end is zero. Who speaks is `sid`
        (B,), see `numbers`.
        """
        given_scales = F.pad(scales, (0, N_SCALES - PIPER_SCALES))
        length_scale, pitch, energy = given_scales[1], given_scales[3], given_scales[4]
        window = given_scales[5:7].long()
        network, size = self.network, ids.shape[1]
        text, text_lengths, place, kept = self._gathered(ids, (ids != PAD_ID) & length_mask(lengths, size))
        text_mask = length_mask(text_lengths, text_lengths.max())
        text = text[:, : text_mask.shape[1]]

        roles = self.roles(sid)
        encoded, predicted = network.read(text, text_lengths, roles)
        if network.prosody is not None:
            spread = given_scales[0]
            drawn = network.draw(encoded, text, text_mask, spread, given_scales[7].long())
            predicted = Predictions(*(torch.where(spread > 0, a, b) for a, b in zip(drawn.values, predicted.values)))
        tempo = 1 / length_scale.double()
        durations = scale_durations(durations_from_log(predicted.log_durations, text_mask), tempo)
        log_f0, loudness = network.vary(
            predicted.log_f0, predicted.energy, pitch * (math.log(2) / 12), torch.exp(energy * (math.log(10) / 20)),
            text_mask, roles,
        )  # fmt: skip
        frame_lengths = durations.sum(1)
        frame_mask = length_mask(frame_lengths, frame_lengths.max())
        states = network.decode(encoded, durations, log_f0, loudness, text_mask, frame_mask, tempo.float())
        waveform = self._waveform(states, frame_lengths, window)

        # Back to where the caller has them: tokens that were dropped take no time.
        given = durations.gather(1, place.clamp(min=0)) * kept
        return waveform[:, None, None], given

    def _gathered(self, ids: Tensor, kept: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Those of ids (B, T) that are kept, side by side, how many they are (B,), and for each its place, if any."""
        place = kept.long().cumsum(1) - 1
        count = kept.long().sum(1)
        if self.edges is None:
            # Dropped ids all land in one place too many, which is cut off.
            room = F.pad(torch.zeros_like(ids), (0, 1))
            return room.scatter(1, torch.where(kept, place, ids.shape[1]), ids), count, place, kept
        start, end, boundary = self.edges
        kept = kept & ~((place == 0) & (ids == boundary))
        place, count = kept.long().cumsum(1) - 1, kept.long().sum(1)
        no_start = 1 - (kept & (place == 0) & (ids == start)).long().amax(1)
        no_end = 1 - (kept & (place == count[:, None] - 1) & (ids == end)).long().amax(1)
        place, count = place + no_start[:, None], count + no_start + no_end
        room = F.pad(torch.zeros_like(ids), (0, 3))
        text = room.scatter(1, torch.where(kept, place, ids.shape[1] + 2), ids)
        at = torch.arange(text.shape[1], device=ids.device)[None]
        text = torch.where((at == 0) & (no_start[:, None] > 0), start, text)
        text = torch.where((at == count[:, None] - 1) & (no_end[:, None] > 0), end, text)
        return text, count, place, kept

    def roles(self, sid: Tensor | None) -> Roles:
        """Speakers and languages (B,) by their `numbers`."""
        if sid is None:
            return UNNAMED
        count = len(self.own)
        speakers = sid % count
        languages = torch.where(sid < count, self.own[speakers], torch.div(sid, count, rounding_mode="floor") - 1)
        return Roles(speakers, languages)

    def _waveform(self, states: Tensor, frame_lengths: Tensor, window: Tensor) -> Tensor:
        """Samples (B, n) of the frames in `window`, made with as many frames around them as can change them."""
        hop, reach, n_frames = self.generator.hop_size, self.generator.receptive_field, frame_lengths.max()
        start = torch.minimum(window[0], n_frames)
        end = torch.where(window[1] > 0, torch.minimum(start + window[1], n_frames), n_frames)
        left = (start - reach).clamp(min=0)
        right = torch.minimum(end + reach, n_frames)
        waveform = self.generator(states[:, left:right], frame_lengths - left)
        return waveform[:, (start - left) * hop : (end - left) * hop]


def require(name: str) -> Any:
    """A package that only export needs; UserError that says how to install it."""
    return required(name, "export", "-r egs/tts/Jets/requirements-export.txt")


def write_graph(voice: ExportedVoice, path: Path, metadata: dict[str, str]) -> None:
    """Write `voice` as one ONNX file with dynamic batch and length.

    Inputs `input` (B, T_text), `input_lengths` (B,), `scales` (3,) to (8,), and of several speakers or languages `sid`
    (B,); outputs `output` (B, 1, 1, N) and `durations` (B, T_text) in frames, as `ExportedVoice.forward` explains them.

    :raises UserError: the package onnx is missing.
    """
    require("onnx").save_model(export_module(voice, path, metadata), str(path))


def export_module(voice: ExportedVoice, path: Path, metadata: dict[str, str], fold: bool = True) -> Any:
    """The ONNX model of `voice`, written to `path` on the way.

    Without `fold` weights stand as the network has them. UserError: the package onnx is missing.
    """
    onnx = require("onnx")
    example = (torch.tensor([[1, 2, 3, 2], [1, 3, 2, 0]]), torch.tensor([4, 3]), torch.ones(PIPER_SCALES))
    inputs: dict[str, dict[int, str]] = INPUTS
    if voice.numbers:
        example, inputs = (*example, torch.tensor([0, 1])), {**INPUTS, **SPEAKER}  # type: ignore[assignment]
    # The exporter warns of its own future, and of sizes that it takes as they should be taken.
    with warnings.catch_warnings(), _without_log(), torch.no_grad():
        warnings.simplefilter("ignore")
        # dynamo=False: lengths depend on the data here, which torch.export refuses at every turn.
        torch.onnx.export(
            voice, example, str(path), dynamo=False, opset_version=OPSET, do_constant_folding=fold,
            input_names=list(inputs), output_names=list(OUTPUTS), dynamic_axes={**inputs, **OUTPUTS},
        )  # fmt: skip
    model = onnx.load_model(str(path))
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)
    model.doc_string = SCALES
    onnx.checker.check_model(model)
    return model


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


def open_session(path: Path, threads: int = 0) -> Any:
    """An onnxruntime session on the CPU; quiet."""
    onnxruntime = require("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def run_graph(
    session: Any, rows: Sequence[Sequence[int]], scales: Sequence[float] = (0, 1, 0), sids: Sequence[int] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Waveforms (B, N) and durations (B, T_text) of rows of token ids, padded to a batch, by speakers `sids`."""
    ids = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    feeds = {"input": ids, "input_lengths": lengths, "scales": np.array(scales, dtype=np.float32)}
    if sids is not None:
        feeds["sid"] = np.array(sids, dtype=np.int64)
    waves, durations = session.run(None, feeds)
    return waves[:, 0, 0], durations


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


def compare(
    session: Any,
    network: JetsNetwork,
    rows: Sequence[Sequence[int]],
    batch: int = 1,
    voice: ExportedVoice | None = None,
    temperature: float = 0.0,
) -> Agreement:
    """Run rows of token ids through the graph, `batch` at a time, and through `network`, one at a time.

    Of the exported `voice` all that can speak take turns.
    """
    others, largest, signal, noise = 0, 0.0, 0.0, 0.0
    numbers = list(voice.numbers.values()) if voice is not None else []
    for start in range(0, len(rows), batch):
        part = rows[start : start + batch]
        sids = [numbers[(start + i) % len(numbers)] for i in range(len(part))] if numbers else None
        waves, durations = run_graph(session, part, (temperature, 1, 0), sids)
        for i, (row, wave, given) in enumerate(zip(part, waves, durations)):
            with torch.inference_mode():
                roles = UNNAMED if voice is None or sids is None else voice.roles(torch.tensor([sids[i]]))
                text, lengths = torch.tensor([row]), torch.tensor([len(row)])
                output = network.infer(text, lengths, roles=roles, temperature=temperature)
            if not np.array_equal(output.durations[0].numpy(), given[: len(row)]):
                others += 1
                continue
            expected = output.waveform[0].numpy().astype(np.float64)
            difference = wave[: len(expected)] - expected
            largest = max(largest, float(np.abs(difference).max()), float(np.abs(wave[len(expected) :]).max(initial=0)))
            signal, noise = signal + float((expected**2).sum()), noise + float((difference**2).sum())
    snr = math.inf if noise == 0 else 10 * math.log10(max(signal, 1e-30) / noise)
    return Agreement(len(rows), others, largest, snr)
