"""A network's inference on a GPU: weights that are cast once, and CUDA graphs where shapes recur."""

from __future__ import annotations

import copy
import logging
from typing import Any

import torch
from torch import Tensor, nn

from models.base.sampler import padded
from models.kernels import tl
from models.kernels.cuda_graphs import GraphCache
from models.tts.jets.conditioning import Encoded, Roles
from models.tts.jets.network import JetsNetwork, Predictions
from models.vocoders.convolutions import WeightNormConv1d, length_mask

_log = logging.getLogger(__name__)
GRAPHS = 64  # kept at most, a few MB each
TEXT_STEP = 16  # tokens; graphs are made for multiples
FRAME_STEP = 32  # frames, likewise; long utterances take longer steps
# Larger batches keep the device busy without graphs, and padding them for the sake of fewer shapes would cost more.
PADDED_FRAMES = 2048
# Where padding costs next to nothing, memory is the limit.
FUSED_PADDED_FRAMES = 16384


class GpuNetwork(JetsNetwork):
    """A network for synthesis on a GPU, in inference mode: the weights are those of another one, folded.

    What decides about durations is computed in float32, the decoder and the generator in half precision if wanted.
    """

    def __init__(self, network: JetsNetwork, half: torch.dtype | None, graphs: bool) -> None:
        """`half` is bfloat16, float16 or None; without `graphs` every kernel is launched by itself."""
        nn.Module.__init__(self)
        self.__dict__.update(network.__dict__)
        self._modules = {name: module for name, module in network._modules.items() if name != "generator"}
        self.dtype, self.device = half, network.log_f0_mean.device
        self.graphs = GraphCache(GRAPHS, self.device) if graphs else None
        self.generator = GpuGenerator(network.generator, half, self.graphs)

    def read(self, text: Tensor, text_lengths: Tensor, roles: Roles) -> tuple[Encoded, Predictions]:
        """As the network's."""
        if self.graphs is None:
            return super().read(text, text_lengths, roles)
        shape = (len(text), padded(text.shape[1], TEXT_STEP))
        # Graphs take tensors: of the roles those that there are.
        names = [name for name in ("speakers", "languages", "vectors") if getattr(roles, name) is not None]
        given = [getattr(roles, name) for name in names]

        def flat(text: Tensor, lengths: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
            encoded, predicted = super(GpuNetwork, self).read(text, lengths, Roles(**dict(zip(names, given))))
            speaker = () if encoded.speaker is None else (encoded.speaker,)
            return encoded.hidden, predicted.log_durations, predicted.log_f0, predicted.energy, *speaker

        shapes = [
            shape if name == "languages" and value.dim() == 2 else value.shape for name, value in zip(names, given)
        ]
        made = self.graphs.run(
            ("read", *names), flat, (text, text_lengths, *given), (shape, shape[:1], *map(tuple, shapes))
        )
        hidden, *predicted = (values[:, : text.shape[1]] for values in made[:4])
        return Encoded(hidden, *made[4:]), Predictions(*predicted)

    def draw(
        self, encoded: Encoded, text: Tensor, text_mask: Tensor, temperature: float | Tensor, seed: int | Tensor
    ) -> Predictions:
        """As the network's."""
        spread = torch.as_tensor(temperature, dtype=torch.float32).expand(1).to(self.device, non_blocking=True)
        number = torch.as_tensor(seed).expand(1).to(self.device, non_blocking=True)
        if self.graphs is None:
            return super().draw(encoded, text, text_mask, spread, number)

        def flat(hidden: Tensor, text: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
            drawn = super(GpuNetwork, self).draw(Encoded(hidden, *given[3:]), text, *given[:3])
            return drawn.log_durations, drawn.log_f0, drawn.energy

        speaker = () if encoded.speaker is None else (encoded.speaker,)
        shape = (len(text), padded(text.shape[1], TEXT_STEP))
        made = self.graphs.run(
            "draw", flat, (encoded.hidden, text, text_mask, spread, number, *speaker),
            ((*shape, encoded.hidden.shape[2]), shape, shape, (1,), (1,), *(tuple(one.shape) for one in speaker)),
        )  # fmt: skip
        return Predictions(*(values[:, : text.shape[1]] for values in made))

    def decode(
        self, encoded: Encoded, durations: Tensor, log_f0: Tensor, energy: Tensor, text_mask: Tensor,
        frame_mask: Tensor, tempo: float | Tensor = 1.0,
    ) -> Tensor:  # fmt: skip
        """As the network's."""
        if not isinstance(tempo, Tensor):
            tempo = log_f0.new_full(log_f0.shape, tempo)
        speaker = () if encoded.speaker is None else (encoded.speaker,)
        inputs = (encoded.hidden, durations, log_f0, energy, text_mask, frame_mask, tempo, *speaker)
        if self.graphs is None:
            return self._decoded(*inputs)[0]
        batch, n_text, channels = encoded.hidden.shape
        text, frames = (batch, padded(n_text, TEXT_STEP)), (batch, frame_bucket(frame_mask.shape[1]))
        shapes = ((*text, channels), text, text, text, text, frames, text, *(tuple(one.shape) for one in speaker))
        return self.graphs.run("decode", self._decoded, inputs, shapes)[0][:, : frame_mask.shape[1]]

    def _decoded(self, hidden: Tensor, *inputs: Tensor) -> tuple[Tensor]:
        encoded = Encoded(hidden, *inputs[6:])
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not None, cache_enabled=False):
            return (super().decode(encoded, *inputs[:6]).float(),)


class GpuGenerator:
    """A waveform generator with weights in half precision, if wanted, as a graph for each shape that recurs.

    In half precision HiFi-GAN has kernels of its own.
    """

    def __init__(self, generator: Any, half: torch.dtype | None, graphs: GraphCache | None) -> None:
        self.module, self.half, self.graphs = for_inference(generator, half), half, graphs
        self.fused = None if half is None else fused_generator(generator, half)
        self.hop_size, self.receptive_field = generator.hop_size, generator.receptive_field

    def __call__(self, frames: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Waveform (B, T * hop_size) in float32 of frames (B, T, C), zero behind the ends of lengths (B,)."""
        batch, n_frames, channels = frames.shape
        if lengths is None:
            lengths = torch.full((batch,), n_frames, device=frames.device)
        rows, size, most = batch, frame_bucket(n_frames), PADDED_FRAMES
        if self.fused is not None:
            # Utterances of no frames fill the batch up.
            rows, most = 1 << (batch - 1).bit_length(), FUSED_PADDED_FRAMES
        if self.graphs is None or rows * size > most:
            return self._generated(frames, lengths)[0]
        shapes = ((rows, size, channels), (rows,))
        waveform = self.graphs.run("generate", self._generated, (frames, lengths), shapes)[0]
        return waveform[:batch, : n_frames * self.hop_size]

    def _generated(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor]:
        if self.fused is not None:
            inside = length_mask(lengths, frames.shape[1], self.hop_size)
            return (self.fused(frames, lengths).masked_fill(~inside, 0.0),)
        # The weights are cast already; autocast knows which operations need float32 all the same.
        with torch.autocast(frames.device.type, self.half, enabled=self.half is not None, cache_enabled=False):
            return (self.module(frames, lengths).float(),)


def fused_generator(generator: Any, half: torch.dtype) -> Any:
    """The generator as kernels of our own, compiled; None where that cannot be."""
    device = next(generator.parameters()).device
    if tl is None or device.type != "cuda" or not hasattr(generator, "fused"):
        return None
    fused = generator.fused(half)
    if fused is None:
        return None
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
    for layer in generator.modules():
        if isinstance(layer, WeightNormConv1d):
            # Channels innermost in memory, as in the channels-last layout of the image that the layer makes of it.
            folded = layer.weight().to(half or torch.float32)
            layer.folded = folded.transpose(1, 2).contiguous().transpose(1, 2)
        if half is not None and isinstance(layer, (WeightNormConv1d, nn.Conv1d, nn.Linear)):
            for parameter in layer.parameters(recurse=False):
                parameter.data = parameter.data.to(half)
    return generator


def frame_bucket(n_frames: int) -> int:
    """A few more frames, the same for similar numbers: at most 31, or an eighth of many."""
    step = FRAME_STEP
    while n_frames > 16 * step:
        step *= 2
    return padded(n_frames, step)
