"""Both sides on the same batch: what they compute on the way, their losses and their gradients.

ESPnet lets padding leak into its convolutions, so it gets the utterances of a batch one at a time; its losses and
gradients are combined as the batch's own definition says: squared errors are averaged over all tokens of the batch,
everything else over utterances.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from unittest.mock import patch

import torch
from torch import Tensor, nn

from models.tts.exchange.espnet_names import discriminator_names, network_names, to_ours
from models.tts.jets.network import Batch
from models.tts.jets.step import TrainStep
from tests.parity.oracle import HOP, Pair

LN10 = math.log(10.0)


@dataclass
class Outcome:
    """What one side made of a batch; tensors are lists with an entry for each utterance."""

    tensors: dict[str, list[Tensor]] = field(default_factory=dict)
    losses: dict[str, float] = field(default_factory=dict)
    network_gradients: dict[str, Tensor] = field(default_factory=dict)  # by our names, in our shapes
    discriminator_gradients: dict[str, Tensor] = field(default_factory=dict)

    def add(self, name: str, value: Tensor) -> None:
        """Append one utterance's tensor."""
        self.tensors.setdefault(name, []).append(value.detach().float().clone())


@contextmanager
def outputs_of(**modules: nn.Module) -> Iterator[dict[str, list]]:
    """Outputs of each module's calls, in order, while the block runs."""
    calls: dict[str, list] = {name: [] for name in modules}
    hooks = [
        module.register_forward_hook(lambda _m, _i, output, name=name: calls[name].append(output))
        for name, module in modules.items()
    ]
    try:
        yield calls
    finally:
        for hook in hooks:
            hook.remove()


def espnet_arguments(pair: Pair, batch: Batch, rows: slice) -> dict[str, Tensor]:
    """Arguments of ESPnet's JETS for some utterances of a batch, without the padding that the rest needs."""
    text_lengths, frame_lengths = batch.text_lengths[rows], batch.frame_lengths[rows]
    n_text, n_frames = int(text_lengths.max()), int(frame_lengths.max())
    feats, _ = pair.espnet.normalize(batch.mel[rows, :n_frames] / LN10, frame_lengths)
    return {
        "text": batch.text[rows, :n_text], "text_lengths": text_lengths.clone(),
        "feats": feats, "feats_lengths": frame_lengths.clone(),
        "speech": batch.audio[rows, : n_frames * HOP], "speech_lengths": frame_lengths * HOP,
        "pitch": batch.log_f0[rows, :n_frames, None], "pitch_lengths": frame_lengths.clone(),
        "energy": batch.energy[rows, :n_frames, None], "energy_lengths": frame_lengths.clone(),
        **espnet_roles(batch, rows),
    }  # fmt: skip


def espnet_roles(batch: Batch, rows: slice) -> dict[str, Tensor]:
    """Who speaks some utterances of a batch, and in which language, as ESPnet's JETS is told."""
    given = {"sids": batch.speaker_ids, "lids": batch.language_ids, "spembs": batch.speaker_vectors}
    found = {name: value[rows] for name, value in given.items() if value is not None}
    return {name: value if name == "spembs" else value.unsqueeze(1) for name, value in found.items()}


@contextmanager
def segments_from(starts: Tensor) -> Iterator[None]:
    """ESPnet's random segments, not random."""
    from espnet2.gan_tts.utils import get_segments

    def segments(x: Tensor, _lengths: Tensor, size: int) -> tuple[Tensor, Tensor]:
        return get_segments(x, starts, size), starts

    with patch("espnet2.gan_tts.jets.generator.get_random_segments", segments):
        yield


def run_espnet(pair: Pair, batch: Batch, starts: Tensor) -> Outcome:
    """One generator turn and one discriminator turn for each utterance, gradients added up."""
    jets, outcome = pair.jets, Outcome()
    generator, size, tokens = jets.generator, len(batch.text_lengths), batch.text_lengths.sum()
    jets.train()
    jets.zero_grad()
    gradients: dict[str, Tensor] = {}
    lambda_var = jets.lambda_var
    for i in range(size):
        one = slice(i, i + 1)
        arguments = espnet_arguments(pair, batch, one)
        share = float(batch.text_lengths[i] / tokens)
        parts = outputs_of(
            alignment=generator.alignment_module, upsampled=generator.length_regulator,
            decoder=generator.decoder, duration=generator.duration_predictor, pitch=generator.pitch_predictor,
            energy=generator.energy_predictor, discriminator=jets.discriminator,
        )  # fmt: skip
        # What follows the encoder, with the speaker if there is one.
        followed: list[Tensor] = []
        hook = generator.duration_predictor.register_forward_pre_hook(
            lambda _m, inputs, to=followed: to.append(inputs[0])
        )
        with segments_from(starts[one]), parts as calls:
            jets.lambda_var = lambda_var * share * size
            turn = jets(**arguments)
            segment, _, _, _, _, durations, _, pitch, _, energy = jets._cache
            (turn["loss"] / size).backward()
            _collect(gradients, jets)
            judged = jets(**arguments, forward_generator=False)
            (judged["loss"] / size).backward()
            for name, parameter in jets.discriminator.named_parameters():
                key = f"tts.discriminator.{name}"
                gradients[key] = gradients.get(key, 0) + parameter.grad
            jets.zero_grad()
        hook.remove()
        jets.lambda_var = lambda_var
        for name, value in (
            ("encoder states", followed[0]), ("alignment log-probabilities", calls["alignment"][0]),
            ("durations", durations), ("averaged pitch", pitch.squeeze(-1)), ("averaged energy", energy.squeeze(-1)),
            ("predicted log-durations", calls["duration"][0]), ("predicted pitch", calls["pitch"][0].squeeze(-1)),
            ("predicted energy", calls["energy"][0].squeeze(-1)), ("upsampled states", calls["upsampled"][0]),
            ("decoder states", calls["decoder"][0][0]), ("waveform of segments", segment.squeeze(1)),
        ):  # fmt: skip
            outcome.add(name, value[0])
        # Generator turn: generated, then real.
        for kind, features in zip(("generated", "real"), calls["discriminator"]):
            for index, layers in enumerate(features):
                for layer, value in enumerate(layers):
                    outcome.add(f"discriminator {index}, layer {layer}, {kind}", value[0])
        with torch.no_grad():
            jets.eval()
            keys = ("text", "text_lengths", "feats", "feats_lengths", "pitch", "energy", "sids", "lids", "spembs")
            speech = {key: arguments[key] for key in keys if key in arguments}
            waveform, _ = generator.inference(**speech, use_teacher_forcing=True)
            outcome.add("waveform of utterances", waveform[0])
            jets.train()
        _add_losses(outcome.losses, {**turn["stats"], **judged["stats"]}, jets, share, 1 / size)
    kernels = len(pair.network.generator.blocks[0])
    for name, parameter in pair.network.named_parameters():
        outcome.network_gradients[name] = to_ours(network_names(name, kernels), gradients, parameter.shape)
    for name, parameter in pair.discriminator.named_parameters():
        outcome.discriminator_gradients[name] = to_ours(discriminator_names(name), gradients, parameter.shape)
    return outcome


def _collect(gradients: dict[str, Tensor], jets: nn.Module) -> None:
    for name, parameter in jets.generator.named_parameters():
        key = f"tts.generator.{name}"
        gradients[key] = gradients.get(key, 0) + parameter.grad
    jets.zero_grad()


def _add_losses(
    losses: dict[str, float], stats: dict[str, Tensor], jets: nn.Module, share: float, equal: float
) -> None:
    """Add one utterance's unweighted losses, by our names; `share` of its tokens, `equal` share of utterances."""
    for name, key, weight in (
        ("adversarial", "generator_g_adv_loss", equal / jets.lambda_adv),
        ("feature_matching", "generator_g_feat_match_loss", equal / jets.lambda_feat_match),
        ("mel", "generator_g_mel_loss", equal / jets.lambda_mel),
        ("duration", "generator_var_dur_loss", share), ("pitch", "generator_var_pitch_loss", share),
        ("energy", "generator_var_energy_loss", share), ("forward_sum", "generator_align_forwardsum_loss", equal),
        ("binarisation", "generator_align_bin_loss", equal), ("total", "generator_loss", equal),
    ):  # fmt: skip
        losses[f"generator/{name}"] = losses.get(f"generator/{name}", 0.0) + weight * float(stats[key])
    for name in ("real", "fake"):
        key = f"discriminator/{name}"
        losses[key] = losses.get(key, 0.0) + equal * float(stats[f"discriminator_{name}_loss"])


def run_ours(pair: Pair, batch: Batch, starts: Tensor) -> Outcome:
    """One training step of ours on the whole batch."""
    network, discriminator, outcome = pair.network, pair.discriminator, Outcome()
    step = TrainStep(network, discriminator, pair.config, "fp32")
    for module in (network, discriminator):
        module.train()
        module.zero_grad()
    upsampled: list[Tensor] = []
    hook = network.decoder.register_forward_pre_hook(lambda _module, inputs: upsampled.append(inputs[0]))
    with outputs_of(generator=network.generator, discriminator=discriminator) as calls:
        report = step(batch, starts=starts)
    hook.remove()
    with torch.no_grad():
        out, states = network.acoustic(batch)
        waveform = network.generate(states, batch.host_frame_lengths)
    aligned, predicted = out.aligned, out.predicted
    real, fake = ([[f.chunk(2)[half] for f in layers] for layers in calls["discriminator"][0]] for half in (0, 1))
    for i, (n, t) in enumerate(zip(batch.host_text_lengths, batch.host_frame_lengths)):
        for name, value in (
            ("encoder states", out.hidden[i, :n]), ("alignment log-probabilities", aligned.log_p_attn[i, :t, :n]),
            ("durations", aligned.durations[i, :n]), ("averaged pitch", aligned.log_f0[i, :n]),
            ("averaged energy", aligned.energy[i, :n]), ("predicted log-durations", predicted.log_durations[i, :n]),
            ("predicted pitch", predicted.log_f0[i, :n]), ("predicted energy", predicted.energy[i, :n]),
            ("upsampled states", upsampled[0][i, :t]), ("decoder states", states[i, :t]),
            ("waveform of segments", calls["generator"][0][i]), ("waveform of utterances", waveform[i, : t * HOP]),
        ):  # fmt: skip
            outcome.add(name, value)
        for kind, features in (("generated", fake), ("real", real)):
            for index, layers in enumerate(features):
                for layer, value in enumerate(layers):
                    outcome.add(f"discriminator {index}, layer {layer}, {kind}", _as_espnet(value, i, len(batch.ids)))
    outcome.losses = {name: float(value) for name, value in report.items() if not name.endswith("/weighted")}
    outcome.network_gradients = {name: p.grad.clone() for name, p in network.named_parameters()}
    outcome.discriminator_gradients = {name: p.grad.clone() for name, p in discriminator.named_parameters()}
    return outcome


def _as_espnet(value: Tensor, index: int, size: int) -> Tensor:
    """Feature map of utterance `index` in ESPnet's shape: the phases of a period, (p, C, T'), become (C, T', p)."""
    value = value.squeeze(2)
    period = value.shape[0] // size
    if period == 1:
        return value[index]
    folded = value[index * period : (index + 1) * period].permute(1, 2, 0)
    return folded if value.shape[1] > 1 else folded.reshape(-1)


def largest_difference(ours: list[Tensor], theirs: list[Tensor]) -> float:
    """Maximum absolute difference over the utterances of a batch."""
    assert len(ours) == len(theirs)
    worst = 0.0
    for a, b in zip(ours, theirs):
        assert a.shape == b.shape, (a.shape, b.shape)
        worst = max(worst, float((a - b).abs().max()))
    return worst


def norm(gradients: dict[str, Tensor]) -> float:
    """Norm of all gradients together."""
    return math.sqrt(sum(float(g.double().square().sum()) for g in gradients.values()))
