"""Every term of the generator's loss, in two tables that all training steps read.

A new term is a function and a row here, and its weight in the config, as `train.loss.others.<weight>`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models.tts.jets.alignment import binarisation_loss, forward_sum_loss
from models.tts.jets.config import JetsConfig
from models.tts.jets.network import AcousticOutput, Batch
from models.vocoders.discriminators import Features, adversarial_loss, feature_matching_loss, total
from processors.audio.mel import MelSpectrogram
from utils.errors import UserError

# Mel bands of the multi-resolution loss: one for so many samples of the window, few enough that none is empty.
SAMPLES_PER_BAND = 12


@dataclass
class Segments:
    """Segments of a batch, spoken, and what the discriminators make of them."""

    states: Tensor  # (B, S, C) decoder states
    real: Tensor  # (B, S * hop_size) the recording
    fake: Tensor  # (B, S * hop_size) spoken
    features: Features  # of the real ones, then the spoken ones
    mels: Sequence[MelSpectrogram]  # of the mel loss, then those of the multi-resolution one


@dataclass(frozen=True)
class Term:
    """A term: its function, the key of train.loss with its weight, and when it is left out."""

    loss: Callable[..., Tensor]
    weight: str
    optional: bool = True  # left out while the weight is 0
    part: str = ""  # of the network, in the config's model section, without whose layers there is no such term


def masked_mse(predicted: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean squared error of (B, T_text) values over the true positions of mask."""
    keep = mask.to(predicted.dtype)
    return ((predicted - target).square() * keep).sum() / keep.sum()


def variance_term(name: str) -> Term:
    """Mean squared error of what the predictors say of "log_durations", "log_f0" or "energy"."""

    def loss(output: AcousticOutput, _: Batch) -> Tensor:
        return masked_mse(getattr(output.predicted, name), getattr(output.aligned, name), output.text_mask)

    return Term(loss, "variance", optional=False)


def flow_loss(output: AcousticOutput) -> Tensor:
    """Mean squared error of the velocities that make prosody of noise."""
    assert output.flow is not None
    guessed, wanted = output.flow
    return masked_mse(guessed, wanted, output.text_mask.unsqueeze(-1)) / wanted.shape[-1]


def mel_distance(mel: MelSpectrogram, segments: Segments) -> Tensor:
    """Mean absolute difference of the segments' log-mels."""
    with torch.no_grad():
        target = mel(segments.real)[0]
    return (mel(segments.fake)[0] - target).abs().mean()


def multi_mel_loss(segments: Segments) -> Tensor:
    """Mean of the mel distances of further window lengths."""
    return torch.stack([mel_distance(mel, segments) for mel in segments.mels[1:]]).mean()


# loss(output, batch), of what stands in front of the decoder.
ACOUSTIC_TERMS: dict[str, Term] = {
    "duration": variance_term("log_durations"),
    "pitch": variance_term("log_f0"),
    "energy": variance_term("energy"),
    "prosody": Term(lambda output, _: flow_loss(output), "variance", part="prosody"),
    "forward_sum": Term(
        lambda output, batch: forward_sum_loss(output.aligned.log_p_attn, batch.text_lengths, batch.frame_lengths),
        "alignment", optional=False,
    ),
    "binarisation": Term(
        lambda output, _: binarisation_loss(output.aligned.log_p_attn, output.aligned.path, output.frame_mask),
        "alignment", optional=False,
    ),
}  # fmt: skip
# loss(segments), of the decoder's states and all that follows.
WAVEFORM_TERMS: dict[str, Term] = {
    "mel": Term(lambda segments: mel_distance(segments.mels[0], segments), "mel", optional=False),
    "multi_mel": Term(multi_mel_loss, "multi_mel"),
    "adversarial": Term(lambda segments: adversarial_loss(segments.features), "adversarial", optional=False),
    "feature_matching": Term(
        lambda segments: feature_matching_loss(segments.features), "feature_matching", optional=False
    ),
}


class Losses:
    """The terms that a config asks for."""

    def __init__(self, config: JetsConfig, device: torch.device) -> None:
        """Raise UserError for a weight of no term."""
        loss, preprocess = config.train.loss, config.preprocess
        known = {**loss.model_dump(), **loss.others}
        terms = {**ACOUSTIC_TERMS, **WAVEFORM_TERMS}
        unknown = set(loss.others) - {term.weight for term in terms.values()}
        if unknown:
            raise UserError(f"train.loss.others.{min(unknown)} is the weight of no loss in models/tts/jets/losses.py")
        if twice := set(loss.others) & set(type(loss).model_fields):
            raise UserError(f"train.loss.others.{min(twice)} is set twice: write train.loss.{min(twice)} alone")
        weights = {name: float(known.get(term.weight, 0.0)) for name, term in terms.items()}
        # A term without weight would still cost time.
        self.weights = {
            name: weight
            for name, weight in weights.items()
            if (weight > 0 or not terms[name].optional)
            and not (terms[name].part and getattr(config.model, terms[name].part).layers == 0)
        }
        kinds = [(preprocess.n_fft, preprocess.win_size, preprocess.hop_size, preprocess.n_mel)]
        if loss.multi_mel > 0:
            kinds += [(n_fft, n_fft, n_fft // 4, n_fft // SAMPLES_PER_BAND) for n_fft in loss.multi_mel_n_ffts]
        rate, fmin, fmax = preprocess.sample_rate, loss.mel_fmin, loss.mel_fmax
        self.mels = [MelSpectrogram(rate, *kind, fmin, fmax, last_frame=True).to(device) for kind in kinds]

    def acoustic(self, output: AcousticOutput, batch: Batch, weight: str | None = None) -> dict[str, Tensor]:
        """Raw terms () in front of the decoder, or those of one weight."""
        chosen = {name: term for name, term in ACOUSTIC_TERMS.items() if name in self.weights}
        return {name: term.loss(output, batch) for name, term in chosen.items() if weight in (None, term.weight)}

    def waveform(self, segments: Segments) -> dict[str, Tensor]:
        """Raw terms () of the waveform."""
        return {name: term.loss(segments) for name, term in WAVEFORM_TERMS.items() if name in self.weights}

    def weighted(self, terms: Mapping[str, Tensor]) -> Tensor:
        """The sum () of raw terms times their weights."""
        return total([self.weights[name] * value for name, value in terms.items()])

    def report(self, terms: Mapping[str, Tensor], judged: Sequence[Tensor] = ()) -> dict[str, Tensor]:
        """What is logged: raw and weighted terms, the discriminators' losses (real, generated), if any, and totals."""
        raw = {name: value.detach() for name, value in terms.items()}
        judges = {f"discriminator/{name}": value.detach() for name, value in zip(("real", "fake"), judged)}
        if judges:
            judges["discriminator/total"] = total(list(judges.values()))
        weighted = {f"generator/{name}/weighted": self.weights[name] * value for name, value in raw.items()}
        return {
            **{f"generator/{name}": value for name, value in raw.items()},
            **weighted,
            "generator/total": total(list(weighted.values())),
            **judges,
        }
