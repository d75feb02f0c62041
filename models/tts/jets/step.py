"""One training step: forward and backward of both networks, without the host waiting for the device."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.kernels.step_graphs import GraphedStep
from models.tts.jets.batch import Batch
from models.tts.jets.config import JetsConfig
from models.tts.jets.gan import GanHalf, set_channels_last, trainable
from models.tts.jets.losses import acoustic_losses, weights_of
from models.tts.jets.masking import length_mask
from models.tts.jets.network import AcousticOutput, JetsNetwork
from models.tts.jets.side_stream import SideStream
from models.tts.jets.upsampling import random_starts, take_segments
from processors.audio.mel import MelSpectrogram

# Mel bands of the multi-resolution loss: one for so many samples of the window, few enough that none is empty.
SAMPLES_PER_BAND = 12
AUTOCAST_DTYPES = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


class TrainStep:
    """Adds the gradients of one batch to both networks; the optimisers are the caller's.

    The step is cut where states leave the encoder and where random segments leave the decoder; each part makes its
    own backward pass. So the losses in front of the waveform are done, back to the encoder, while the waveform half is
    under way. On a GPU the whole step is replayed as a CUDA graph.
    """

    def __init__(
        self, network: JetsNetwork, discriminator: nn.Module, config: JetsConfig, device: torch.device, precision: str
    ) -> None:
        """Prepare the step for networks that are on `device` already; precision is "fp32", "bf16" or "fp16"."""
        self.network, self.discriminator = network, discriminator
        self.segment_size = config.train.segment_size
        self.hop_size = config.preprocess.hop_size
        self.weights = weights_of(config.train.loss)
        self.autocast_dtype = AUTOCAST_DTYPES[precision]
        on_gpu = torch.device(device).type == "cuda"
        layers = [*network.generator.modules(), *discriminator.modules()]
        set_channels_last(layers, on_gpu and config.train.channels_last)
        preprocess, loss = config.preprocess, config.train.loss
        kinds = [(preprocess.n_fft, preprocess.win_size, preprocess.hop_size, preprocess.n_mel)]
        if loss.multi_mel > 0:
            kinds += [(n_fft, n_fft, n_fft // 4, n_fft // SAMPLES_PER_BAND) for n_fft in loss.multi_mel_n_ffts]
        mels = [
            MelSpectrogram(preprocess.sample_rate, *kind, loss.mel_fmin, loss.mel_fmax, last_frame=True).to(device)
            for kind in kinds
        ]
        parts = (network.generator, discriminator, mels, loss, self.autocast_dtype)
        self.eager_gan = GanHalf(*parts, fused=on_gpu and config.train.channels_last)
        self.gan = GanHalf(*parts, compiled=True) if on_gpu and config.train.compile else self.eager_gan
        parameters = [*trainable(network), *trainable(discriminator)]
        graphs = on_gpu and config.train.cuda_graphs
        self.side = SideStream(graphs)
        if graphs and not config.train.compile:
            discriminator.side_by_side()
        self._fast = GraphedStep(self._eager, parameters) if graphs else self._eager

    def _autocast(self, device: torch.device) -> torch.autocast:
        return torch.autocast(device.type, self.autocast_dtype, enabled=self.autocast_dtype is not None)

    def segments(self, output: AcousticOutput, batch: Batch, starts: Tensor) -> tuple[Tensor, Tensor]:
        """Decoder states (B, S, C) and real audio (B, S * hop_size) of segments from frames starts (B,)."""
        segments = take_segments(output.decoder_states.float(), starts, self.segment_size)
        return segments, take_segments(batch.audio, starts * self.hop_size, self.segment_size * self.hop_size)

    def __call__(
        self, batch: Batch, loss_scale: Tensor | float = 1.0, starts: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Add the gradients of `batch`, times loss_scale, to both networks; detached losses on the device.

        Segments start at frames `starts` (B,), or at random. Keys are "generator/<term>" raw,
        "generator/<term>/weighted", "generator/total", "discriminator/real", "discriminator/fake" and
        "discriminator/total". They are valid until the next step.
        """
        loss_scale = torch.as_tensor(loss_scale, dtype=torch.float32, device=batch.text.device)
        return self._fast(batch, loss_scale) if starts is None else self._eager(batch, loss_scale, starts)

    def _eager(self, batch: Batch, loss_scale: Tensor, starts: Tensor | None = None) -> dict[str, Tensor]:
        with self._autocast(batch.text.device):
            hidden = self.network.encode(batch.text, length_mask(batch.text_lengths, batch.text.shape[1]))
            ends = [hidden.detach().requires_grad_() for _ in range(2)]
            output = self.network.acoustic_of(batch, *ends, self.side)
        with self.side.proceed():
            acoustic = acoustic_losses(output, batch)
            (sum(self.weights[name] * value for name, value in acoustic.items()) * loss_scale).backward()
        if starts is None:
            starts = random_starts(batch.frame_lengths, self.segment_size)
        segments, real = self.segments(output, batch, starts)
        raw, segment_gradient = self.gan(segments, real, loss_scale)
        segments.backward(segment_gradient)
        self.side.join()
        hidden.backward(ends[0].grad + ends[1].grad)
        return self._report(raw, acoustic)

    def _report(self, raw: dict[str, Tensor], acoustic: dict[str, Tensor]) -> dict[str, Tensor]:
        report = {**raw, **{f"generator/{name}": value.detach() for name, value in acoustic.items()}}
        weighted = {
            f"generator/{name}/weighted": weight * report[f"generator/{name}"] for name, weight in self.weights.items()
        }
        report["generator/total"] = sum(weighted.values())
        report["discriminator/total"] = report["discriminator/real"] + report["discriminator/fake"]
        return {**report, **weighted}

    @torch.no_grad()
    def evaluate(self, batch: Batch) -> dict[str, Tensor]:
        """The same losses without gradients or dropout, on segments from the middle of each utterance."""
        modules = (self.network, self.discriminator)
        training = [module.training for module in modules]
        for module in modules:
            module.eval()
        with self._autocast(batch.text.device):
            output = self.network.acoustic(batch)
        acoustic = acoustic_losses(output, batch)
        starts = (batch.frame_lengths - self.segment_size).clamp_min(0) // 2
        raw, _, _ = self.eager_gan.losses(*self.segments(output, batch, starts))
        for module, mode in zip(modules, training):
            module.train(mode)
        return self._report(raw, acoustic)
