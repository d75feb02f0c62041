"""The training step as GPUs run it: the losses and gradients of `TrainStep`, in less time and memory.

- One pass through the discriminators serves both losses. The generator's gradient stops at the waveform's way through
  them: their weight gradients are not computed for it.
- The step is cut where states leave the encoder and where segments leave the decoder; each part makes its own backward
  pass. So the losses in front of the decoder are done, back to the encoder, while the waveform half is under way, on a
  second stream: small kernels leave most of a GPU idle.
- Weight-normalised weights are computed all at once.
- The whole step is replayed as a CUDA graph for each padded shape. Nothing in it may make the host wait.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor

from models import kernels
from models.kernels.cuda_graphs import StepGraphs
from models.kernels.weight_norm import FusedWeights
from models.tts.jets.losses import Segments
from models.tts.jets.network import AcousticOutput, Batch
from models.tts.jets.step import TrainStep
from models.vocoders.convolutions import length_mask
from models.vocoders.discriminators import Features, discriminator_losses


class SideStream:
    """A second stream of kernels; without one, everything happens in order.

    It pays where the host does not have to launch kernels one by one: in CUDA graphs, which keep the order between the
    streams as it was captured.
    """

    def __init__(self, enabled: bool) -> None:
        self.stream = torch.cuda.Stream() if enabled else None

    @contextmanager
    def begin(self) -> Iterator[None]:
        """Inside the block kernels run on the side, once everything before it has been done."""
        if self.stream is not None:
            self.stream.wait_stream(torch.cuda.current_stream())
        with self.proceed():
            yield

    def proceed(self) -> AbstractContextManager[object]:
        """Inside the block kernels go on where the last block on the side ended."""
        return nullcontext() if self.stream is None else torch.cuda.stream(self.stream)

    def join(self) -> None:
        """The main stream waits for all that the side has been given so far."""
        if self.stream is not None:
            torch.cuda.current_stream().wait_stream(self.stream)


class FastStep(TrainStep):
    """`TrainStep` with everything above; works, without graphs and streams, on a CPU too."""

    def __post_init__(self) -> None:
        super().__post_init__()
        network, discriminator = self.network, self.discriminator
        # Without Triton the alignment makes the host wait, which no graph can hold.
        graphs = self.device.type == "cuda" and self.config.train.cuda_graphs and kernels.tl is not None
        self.side = SideStream(graphs)
        self.sides = [SideStream(graphs and number > 0) for number in range(len(discriminator.judges))]
        self.fused = [
            FusedWeights(module, self.dtype or torch.float32) for module in (network.generator, discriminator)
        ]
        parameters = [*network.parameters(), *discriminator.parameters()]
        self.graphs = StepGraphs(self.compute, parameters) if graphs else None

    def __call__(
        self, batch: Batch, loss_scale: Tensor | float = 1.0, starts: Tensor | None = None
    ) -> dict[str, Tensor]:
        """As `TrainStep`'s; with `starts` it is not replayed."""
        scale = torch.as_tensor(loss_scale, dtype=torch.float32, device=self.device)
        if self.graphs is None or starts is not None:
            return self.compute(batch, scale, starts)
        return self.graphs(batch, scale)

    def compute(self, batch: Batch, loss_scale: Tensor, starts: Tensor | None = None) -> dict[str, Tensor]:
        """The step, kernel by kernel."""
        network, side = self.network, self.side
        with self.autocast():
            text_mask = length_mask(batch.text_lengths, batch.text.shape[1])
            frame_mask = length_mask(batch.frame_lengths, batch.mel.shape[1])
            encoded = network.encode(batch.text, text_mask, batch.roles)
            for_losses, for_decoder = encoded.leaf(), encoded.leaf()
            with side.begin():
                aligned = network.align(batch, for_losses.hidden, text_mask, frame_mask)
            side.join()  # the decoder needs the alignment, but nothing of what follows on the side
            with side.proceed():
                predicted = network.predict(for_losses, text_mask)
                flow = network.flow(for_losses, aligned, text_mask)
            # `output` must live until the streams have joined, masks included. Kernels of one stream read what was made
            # on the other: on the side the encoder states and masks of the main stream, on the main stream the
            # durations, pitch and energy of the side. The allocator does not know: once nothing refers to a tensor, its
            # memory goes to the next one of the stream that made it, even while the other stream has yet to read it. In
            # a captured graph that race would be there at every replay.
            output = AcousticOutput(text_mask, frame_mask, for_losses.hidden, aligned, predicted, flow)
            decoded = network.decode(
                for_decoder, aligned.durations, aligned.log_f0, aligned.energy, text_mask, frame_mask
            )
        with side.proceed():
            acoustic = self.losses.acoustic(output, batch)
            (self.losses.weighted(acoustic) * loss_scale).backward()
        states, real = self.cut(decoded, batch, starts)
        terms, judged, gradient = self.waveform_half(states.detach().requires_grad_(), real, loss_scale)
        states.backward(gradient)
        side.join()
        encoded.backward([for_losses, for_decoder])
        return self.losses.report(acoustic | terms, judged)

    def waveform_half(
        self, states: Tensor, real: Tensor, loss_scale: Tensor
    ) -> tuple[dict[str, Tensor], tuple[Tensor, Tensor], Tensor | None]:
        """Terms of segments (B, S, C), a leaf, against real audio (B, S * hop_size); and the segments' gradient."""
        generator, discriminator = self.network.generator, self.discriminator
        # Weights that are cast in a graph must not stay in a cache that outlives it.
        autocast = torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not None, cache_enabled=False)
        with autocast, self.fused[0].computed(), self.fused[1].computed():
            fake = generator(states)
            features = self.judge(torch.cat([real, fake]))
        terms = self.losses.waveform(Segments(states, real, fake, features, self.losses.mels))
        judged = discriminator_losses(features)
        del features  # of which the backward passes keep what they need, as long as they need it
        ((judged[0] + judged[1]) * loss_scale).backward(inputs=list(discriminator.parameters()), retain_graph=True)
        (self.losses.weighted(terms) * loss_scale).backward(inputs=[states, *generator.parameters()])
        return terms, judged, states.grad

    def judge(self, audio: Tensor) -> Features:
        """The discriminators' feature maps of audio (B, N), each made on a stream of its own, if there are streams."""
        outputs = []
        for side, judge, x in zip(self.sides, self.discriminator.judges, self.discriminator.inputs(audio)):
            with side.begin():
                outputs.append(judge(x))
        for side in self.sides:
            side.join()
        return outputs
