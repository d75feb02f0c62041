"""ESPnet's own JETS with random weights, ours converted from it, and random batches for both."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.base.checkpoints import find_checkpoint, load_weights
from models.registry import load_experiment_config
from models.tts.exchange.espnet_voice import import_voice
from models.tts.jets.config import JetsConfig
from models.tts.jets.network import Batch, JetsNetwork
from models.tts.jets.transformer import SelfAttention
from models.vocoders.discriminators import Discriminators
from processors.cast import Cast
from processors.text.tokens import load_tokens
from tests.parity.espnet_files import build_model, save_espnet, write_statistics
from tests.parity.recipe import HOP, N_MEL, TOKENS, espnet_config

# Factor of every layer's gain, by the generator's channels.
LOUDNESS = {512: 8.0, 64: 3.2}


def build_espnet(config: dict[str, Any], seed: int = 0) -> nn.Module:
    """ESPnet's JETS, its biases and learned scales moved away from zero and one, so that they can't hide."""
    from espnet2.gan_tts.jets import JETS

    torch.manual_seed(seed)
    jets = JETS(idim=len(TOKENS), odim=N_MEL, **copy.deepcopy(config["tts_conf"]))
    generator = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for name, parameter in jets.named_parameters():
            if parameter.dim() <= 1 or name.endswith("weight_g"):
                parameter.mul_(1 + 0.2 * torch.randn(parameter.shape, generator=generator))
                parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator))
        # A random generator is almost silent; at speech-like levels, wrong weights show and tanh is not saturated.
        for name, parameter in jets.generator.generator.named_parameters():
            if name.endswith("weight_g"):
                parameter.mul_(LOUDNESS[config["tts_conf"]["generator_params"]["generator_channels"]])
        # Durations of a few frames, so that free-running output is neither empty nor endless.
        jets.generator.duration_predictor.linear.bias.fill_(1.3)
    return jets


def with_roles(batch: Batch, config: JetsConfig) -> Batch:
    """The batch with speakers, languages and vectors, as far as the model has them."""
    size, model = len(batch.ids), config.model
    numbers, generator = torch.arange(size), torch.Generator().manual_seed(4)
    batch.speaker_ids = (numbers + 1) % model.spks if model.spks else None
    batch.language_ids = (numbers + 1) % model.langs if model.langs else None
    vectors = torch.randn(size, model.spk_embed_dim or 0, generator=generator)
    batch.speaker_vectors = vectors if model.spk_embed_dim else None
    return batch


def random_batch(
    seed: int, text_lengths: list[int], frame_lengths: list[int], segment_size: int
) -> tuple[Batch, Tensor]:
    """A batch of noise with the given lengths, and first frames of segments."""
    rng = np.random.default_rng(seed)
    sizes, n_text, n_frames = len(text_lengths), max(text_lengths), max(frame_lengths)
    text = rng.integers(1, len(TOKENS), (sizes, n_text))
    mel = rng.normal(-4, 2, (sizes, n_frames, N_MEL)).astype(np.float32)
    values = rng.normal(0, 1, (2, sizes, n_frames)).astype(np.float32)
    audio = (0.2 * rng.normal(0, 1, (sizes, n_frames * HOP))).clip(-1, 1).astype(np.float32)
    for i, (tokens, frames) in enumerate(zip(text_lengths, frame_lengths)):
        text[i, tokens:], mel[i, frames:], values[:, i, frames:], audio[i, frames * HOP :] = 0, 0, 0, 0
    starts = [int(rng.integers(0, max(frames - segment_size, 0) + 1)) for frames in frame_lengths]
    batch = Batch(
        text=torch.from_numpy(text), text_lengths=torch.tensor(text_lengths), mel=torch.from_numpy(mel),
        frame_lengths=torch.tensor(frame_lengths), log_f0=torch.from_numpy(values[0]),
        energy=torch.from_numpy(values[1]), audio=torch.from_numpy(audio), host_text_lengths=tuple(text_lengths),
        host_frame_lengths=tuple(frame_lengths), ids=tuple(str(i) for i in range(sizes)),
    )  # fmt: skip
    return batch, torch.tensor(starts)


@dataclass
class Pair:
    """The same voice twice: ESPnet's model and ours, both without dropout."""

    espnet: nn.Module  # ESPnetGANTTSModel: normalisation around JETS
    network: JetsNetwork
    discriminator: Discriminators
    config: JetsConfig

    @property
    def jets(self) -> nn.Module:
        """ESPnet's generator and discriminator."""
        return self.espnet.tts


def build_pair(folder: Path, full: bool = False, seed: int = 0, **changes: Any) -> Pair:
    """ESPnet's model with random weights, written and read back as a voice of ours in `folder`."""
    recipe = espnet_config(full, **changes)
    folder.mkdir(parents=True, exist_ok=True)
    write_statistics(folder, recipe, seed)
    espnet = build_model(recipe, build_espnet(recipe, seed))
    model, config = save_espnet(folder, recipe, espnet)
    import_voice(model, config, folder / "voice")
    ours = load_experiment_config(folder / "voice")
    cast = Cast.read(load_tokens(folder / "voice" / "tokens.json"))
    network = JetsNetwork(ours.model.counted(len(cast.speakers), len(cast.languages)), len(TOKENS), N_MEL)
    discriminator = Discriminators(**ours.model.discriminator.model_dump())
    checkpoint = find_checkpoint(folder / "voice").path
    network.load_state_dict(load_weights(checkpoint))
    discriminator.load_state_dict(load_weights(checkpoint, name="discriminator"))
    for module in [*espnet.modules(), *network.modules()]:
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        elif isinstance(module, SelfAttention):
            module.dropout = 0.0
    return Pair(espnet, network, discriminator, ours)
