"""The JETS voice: what its network takes of a script's lines, and what it gives."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from config.schema import InferenceConfig
from models.tts.jets.conditioning import Roles
from models.tts.jets.config import JetsConfig
from models.tts.jets.gpu_inference import GpuNetwork
from models.tts.jets.network import InferenceOutput, JetsNetwork
from models.tts.pieces import FrameGenerator, padded
from models.tts.voice import Voice
from models.vocoders.convolutions import fold_weight_norm
from processors.cast import Cast
from processors.script import Line
from processors.text.frontend import FrontEnds, TextFrontEnd


class Synthesizer(Voice):
    """Speaks with one trained JETS voice: `Synthesizer.from_experiment(folder).tts("Hello.")`."""

    MODEL_TYPE = "Jets"
    UNUSED = ("model.discriminator", "model.prior_omega")
    SHORTFALL = "shortfall"
    network: JetsNetwork
    config: JetsConfig

    def __init__(
        self, network: JetsNetwork, frontend: TextFrontEnd, tokens: list[str], config: JetsConfig,
        device: torch.device, cast: Cast | None = None, frontends: FrontEnds | None = None,
    ) -> None:  # fmt: skip
        """Take over a network, whose weight normalisation is folded for good; the rest is as in `Voice`."""
        super().__init__(network, frontend, tokens, config, device, cast, frontends)
        own = None if network.conditioning is None else network.conditioning.speaker_statistics
        if own is not None:
            self.script.speaker_f0 = dict(zip(self.script.cast.speakers, own[:, 0].exp().tolist()))
        pitch_range, duration_scale = config.inference.pitch_range, config.inference.duration_scale
        network.pitch_predictor.gain = 1.0 if pitch_range is None else pitch_range
        network.duration_predictor.shift = math.log(duration_scale or 1.0)
        fold_weight_norm(network)
        self.batches_generator = device.type == "cuda"
        # The network itself stays as it is, for those who measure it.
        self.speaking = network
        if device.type == "cuda":
            self.speaking = GpuNetwork(network, self.half, config.inference.cuda_graphs)

    def expect_mixed_batches(self) -> None:
        """CUDA graphs are for a line alone, where they save most."""
        if isinstance(self.speaking, GpuNetwork) and self.speaking.graphs is not None:
            self.speaking.graphs.most_rows = 1

    @staticmethod
    def build(config: JetsConfig, n_tokens: int, cast: Cast) -> JetsNetwork:
        """The network of a config, with random weights."""
        model = config.model.counted(len(cast.speakers), len(cast.languages))
        return JetsNetwork(model, n_tokens, config.preprocess.n_mel)

    @property
    def mean_f0(self) -> float:
        """The corpus' mean pitch in Hz, which travels with the weights."""
        return math.exp(float(self.network.log_f0_mean))

    @property
    def generator(self) -> FrameGenerator:
        """Makes samples of decoder states (1, T, C) that have no padding."""
        return self.speaking.generator

    def plan(self, lines: list[Line], settings: InferenceConfig) -> InferenceOutput:
        """Durations, pitch, energy and decoder states of lines, padded to a batch; no waveform."""
        lengths = torch.tensor([len(line.ids) for line in lines]).to(self.device)
        text = padded([line.ids for line in lines], 0, torch.long, self.device)
        speed: float | Tensor = settings.speed
        semitones: float | Tensor = self.needed_semitones([settings.pitch_semitones])[0]
        if any(p.rate != 1 for line in lines for p in line.prosody):
            rates = [[p.rate for p in line.prosody] for line in lines]
            speed = padded(rates, 1.0, torch.float64, self.device) * settings.speed
        if any(p.semitones != 0 for line in lines for p in line.prosody):
            asked = [[p.semitones + settings.pitch_semitones for p in line.prosody] for line in lines]
            shifts = [self.needed_semitones(row) for row in asked]
            semitones = padded(shifts, 0.0, torch.float32, self.device)
        return self.speaking.plan(
            text,
            lengths,
            roles=self.roles(lines),
            speed=speed,
            pitch_shift=semitones * (math.log(2) / 12),
            energy_scale=10 ** (settings.energy_db / 20),
            temperature=settings.prosody_temperature,
            seed=settings.prosody_seed,
        )

    def roles(self, lines: list[Line]) -> Roles:
        """Who speaks each of the lines, and in which language each token is."""
        conditioning, cast = self.network.conditioning, self.script.cast
        if conditioning is None:
            return Roles()
        names = [line.prosody[0].speaker for line in lines]
        speakers = languages = vectors = None
        if conditioning.speakers is not None:
            shares = [cast.shares(name) for name in names]
            # Whole speakers by their number, as in training.
            mixed = any(1.0 not in row for row in shares)
            rows = conditioning.speakers.num_embeddings
            numbers = [[*row, *[0.0] * (rows - len(row))] if mixed else row.index(1.0) for row in shares]
            speakers = torch.tensor(numbers).to(self.device)
        if conditioning.languages is not None or conditioning.token_languages is not None:
            tokens = [[cast.number(p.language) for p in line.prosody] for line in lines]
            languages = padded(tokens, 0, torch.long, self.device)
        if conditioning.vector_size:
            vectors = torch.from_numpy(np.stack([cast.vector(name) for name in names])).to(self.device)
        return Roles(speakers, languages, vectors)

    def generate(self, states: Tensor, frame_lengths: Sequence[int]) -> Tensor:
        """Waveforms (B, T * hop_size) of decoder states (B, T, C), each as if alone and zero behind its end."""
        with self.autocast():
            return self.speaking.generate(states, frame_lengths)
