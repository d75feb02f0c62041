"""Synthesis on a GPU: the same functions with weights that are cast once, and as CUDA graphs where shapes recur."""

from __future__ import annotations

import copy
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from models.kernels.cuda_graphs import GraphCache, filled_up
from models.tts.jets.network import JetsNetwork
from models.vocoders.convolutions import WeightNormConv1d
from models.vocoders.tails import generate_each

if TYPE_CHECKING:
    from models.kernels.hifigan_triton import FusedHifigan

_log = logging.getLogger(__name__)
GRAPHS = 64  # kept at most, a few MB each
TEXT_STEP = 16  # tokens; graphs are made for multiples
FRAME_STEP = 32  # frames, likewise; long utterances take longer steps
# Larger batches keep the device busy without graphs, and padding them for the sake of fewer shapes would cost more.
PADDED_FRAMES = 2048
# Where padding costs next to nothing, memory is the limit.
FUSED_PADDED_FRAMES = 16384


class GpuInference:
    """A network's inference on a GPU, for use in inference mode. Its weight normalisation must be folded.

    What decides about durations is computed in float32, the decoder and the generator in half precision if wanted.
    """

    def __init__(self, network: JetsNetwork, half: torch.dtype | None, graphs: bool, fused: bool = True) -> None:
        """`half` is bfloat16, float16 or None; without `graphs` every kernel is launched by itself.

        In half precision a HiFi-GAN generator has kernels of its own, unless `fused` is false.
        """
        self.network, self.half = network, half
        self.device = network.log_f0_mean.device
        self.graphs = GraphCache(GRAPHS, self.device) if graphs else None
        self.fused = fused_generator(network.generator, half, self.device) if fused and half is not None else None
        self.generator = WholeGenerator(network.generator, half, self.graphs)
        self.hop_size, self.receptive_field = self.generator.hop_size, self.generator.receptive_field

    def predict_from_text(self, text: Tensor, text_lengths: Tensor) -> tuple[Tensor, ...]:
        """As the network's, padded."""
        if self.graphs is None:
            return self.network.predict_from_text(text, text_lengths)
        shape = (len(text), rounded_up(text.shape[1], TEXT_STEP))
        shapes = (shape, shape[:1])
        return self.graphs.run(
            "predict", self.network.predict_from_text, (text, text_lengths), shapes, reads=self.network
        )

    def decode(
        self,
        hidden: Tensor,
        durations: Tensor,
        log_f0: Tensor,
        energy: Tensor,
        text_lengths: Tensor,
        frame_lengths: Tensor,
        n_frames: int,
        tempo: float | Tensor,
    ) -> Tensor:
        """As the network's, padded."""
        if not isinstance(tempo, Tensor):
            tempo = log_f0.new_full(log_f0.shape, tempo)
        size = n_frames if self.graphs is None else frame_bucket(n_frames)

        def decoded(*inputs: Tensor) -> tuple[Tensor, ...]:
            with torch.autocast(self.device.type, self.half, enabled=self.half is not None, cache_enabled=False):
                return (self.network.decode(*inputs[:-1], size, inputs[-1]).float(),)

        inputs = (hidden, durations, log_f0, energy, text_lengths, frame_lengths, tempo)
        if self.graphs is None:
            return decoded(*inputs)[0]
        batch, n_text, channels = hidden.shape
        text = (batch, rounded_up(n_text, TEXT_STEP))
        shapes = ((*text, channels), text, text, text, (batch,), (batch,), text)
        return self.graphs.run(("decode", size), decoded, inputs, shapes, reads=self.network)[0]

    def generate(self, frames: Tensor, frame_lengths: Sequence[int]) -> Tensor:
        """Waveform (B, T * hop_size) in float32 of frames (B, T, C), each as if alone and zero behind its end."""
        if self.fused is not None:
            return self._generate_fused(self.fused, frames, frame_lengths)
        batch, n_frames, channels = frames.shape
        if self.graphs is not None and batch * n_frames <= PADDED_FRAMES:
            frames = filled_up(frames, (batch, frame_bucket(n_frames), channels))
        waveform = generate_each(self.generator, frames, frame_lengths)
        return waveform[:, : n_frames * self.hop_size]

    def _generate_fused(self, fused: FusedHifigan, frames: Tensor, frame_lengths: Sequence[int]) -> Tensor:
        batch, n_frames, channels = frames.shape
        lengths = torch.tensor(list(frame_lengths)).to(frames.device, non_blocking=True)
        rows, size = 1 << (batch - 1).bit_length(), frame_bucket(n_frames)
        if self.graphs is None or rows * size > FUSED_PADDED_FRAMES:
            waveform = fused(frames, lengths)
        else:
            # Utterances of no frames fill the batch up.
            shapes = ((rows, size, channels), (rows,))
            waveform = self.graphs.run("fused", lambda *inputs: (fused(*inputs),), (frames, lengths), shapes)[0]
            waveform = waveform[:batch, : n_frames * self.hop_size]
        sample = torch.arange(waveform.shape[1], device=waveform.device)
        return waveform.masked_fill(sample >= lengths.unsqueeze(1) * self.hop_size, 0.0)

    def __call__(self, frames: Tensor) -> Tensor:
        """Waveform (B, T * hop_size) in float32 of frames (B, T, C) that have no padding."""
        return self.generate(frames, [frames.shape[1]] * len(frames))


class WholeGenerator:
    """A generator with weights in half precision, if wanted, as a graph for each shape that recurs."""

    def __init__(self, generator: nn.Module, half: torch.dtype | None, graphs: GraphCache | None) -> None:
        self.module, self.half, self.graphs = for_inference(generator, half), half, graphs
        self.hop_size, self.receptive_field = generator.hop_size, generator.receptive_field

    def __call__(self, frames: Tensor) -> Tensor:
        """Waveform (B, T * hop_size) in float32 of frames (B, T, C), padding included."""
        if self.graphs is None:
            return self._generated(frames)[0]
        return self.graphs.run("generate", self._generated, (frames,), (tuple(frames.shape),), reads=self.module)[0]

    def _generated(self, frames: Tensor) -> tuple[Tensor]:
        # The weights are cast already; autocast knows which operations need float32 all the same.
        with torch.autocast(frames.device.type, self.half, enabled=self.half is not None, cache_enabled=False):
            return (self.module(frames).float(),)


def fused_generator(generator: nn.Module, half: torch.dtype, device: torch.device) -> FusedHifigan | None:
    """The generator as kernels of our own, compiled; None where that cannot be."""
    if device.type != "cuda":
        return None
    try:
        from models.kernels.hifigan_triton import FusedHifigan, can_fuse
    except ImportError:  # Triton exists for Linux only.
        return None
    if not can_fuse(generator):
        return None
    fused = FusedHifigan(generator, half)
    frame = torch.zeros(1, 1, fused.input_conv.n_in, device=device)
    try:
        fused(frame, torch.ones(1, device=device, dtype=torch.long))
    except Exception as error:  # no C compiler, an old GPU, too little shared memory: Triton has no error for them all
        _log.warning("no kernels of our own for this generator (%s): cuDNN's instead, which are slower", error)
        return None
    return fused


def for_inference(generator: nn.Module, half: torch.dtype | None) -> nn.Module:
    """A copy of a generator with folded weights, in the memory layout that GPUs prefer.

    Weights of convolutions and matrix products, which autocast would cast at every call, are `half`, if given.
    """
    generator = copy.deepcopy(generator)
    if hasattr(generator, "channels_last"):
        generator.channels_last = True
    for layer in generator.modules():
        if isinstance(layer, WeightNormConv1d):
            # Channels innermost in memory, as in the channels-last layout of the image that the layer makes of it.
            folded = layer.folded.to(half or layer.folded.dtype)
            layer.folded = folded.transpose(1, 2).contiguous().transpose(1, 2)
        if half is not None and isinstance(layer, (WeightNormConv1d, nn.Conv1d, nn.Linear)):
            for parameter in layer.parameters(recurse=False):
                parameter.data = parameter.data.to(half)
    return generator


def rounded_up(size: int, step: int) -> int:
    """The next multiple of `step`."""
    return -(-size // step) * step


def frame_bucket(n_frames: int) -> int:
    """A few more frames, the same for similar numbers: at most 31, or an eighth of many."""
    step = FRAME_STEP
    while n_frames > 16 * step:
        step *= 2
    return rounded_up(n_frames, step)
