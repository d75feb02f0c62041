"""What JETS shows at validation: losses over the split, and fixed utterances to hear and look at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from models.base.processes import Processes
from models.base.run_log import RunLog
from models.base.sampler import TEXT_MULTIPLE, BatchPlan, padded
from models.evaluation.waveform_measures import VALIDATION_MEASURES, validation_measures
from models.tts.jets.batch import Batch
from models.tts.jets.dataset import BatchAssembler, UtteranceTable
from models.tts.jets.network import JetsNetwork
from models.tts.jets.spoken_split import copy_synthesis
from models.tts.jets.step import TrainStep
from models.tts.jets.variance import durations_from_log
from processors import plots
from processors.audio.mel import MelSpectrogram

# Utterances that the measures are computed on, and frames that are synthesised at once.
MEASURED, MEASURED_FRAMES = 64, 4000


class Validation:
    """The validation split, read from disk batch by batch (it is small, and rarely needed)."""

    def __init__(
        self,
        table: UtteranceTable,
        assembler: BatchAssembler,
        tokens: Sequence[str],
        sample_rate: int,
        processes: Processes,
        max_frames: int,
        samples: int,
    ) -> None:
        """Batches hold at most `max_frames` padded frames; `samples` utterances are shown, always the same."""
        self.table, self.assembler, self.tokens = table, assembler, list(tokens)
        self.sample_rate, self.processes = sample_rate, processes
        self.plans = table.in_order(max_frames) if len(table) else []
        self.shown = fixed_samples(table, samples)

    def batch(self, plan: BatchPlan) -> Batch:
        """One batch of the split, on the device."""
        return self.assembler.read(self.table, plan)

    def losses(self, step: TrainStep) -> dict[str, float]:
        """Mean of every loss over the split's utterances, shared by all processes; empty without utterances."""
        if not self.plans:
            return {}
        names: list[str] = []
        total: Tensor | None = None
        own = self.plans[self.processes.rank :: self.processes.world_size]
        # A process without a batch of its own takes part in the sum with weight 0.
        for plan, weight in [(plan, len(plan.indices)) for plan in own] or [(self.plans[0], 0)]:
            values = step.evaluate(self.batch(plan))
            names = list(values)
            row = torch.stack([*(values[name].double() for name in names), torch.ones_like(values[names[0]]).double()])
            total = row * weight if total is None else total + row * weight
        assert total is not None
        self.processes.average_([total])
        numbers = (total[:-1] / total[-1]).tolist()
        return dict(zip(names, numbers))

    @torch.no_grad()
    def measures(self, network: JetsNetwork) -> dict[str, float]:
        """`validation_measures` of copy synthesis over fixed utterances, the mean shared by all processes.

        Keys are "measures/<name>"; empty without utterances.
        """
        plans = self.table.in_order(MEASURED_FRAMES, fixed_samples(self.table, MEASURED)) if self.plans else []
        if not plans:
            return {}
        training = network.training
        network.eval()
        total = torch.zeros(len(VALIDATION_MEASURES) + 1, dtype=torch.float64, device=self.processes.device)
        try:
            for plan in plans[self.processes.rank :: self.processes.world_size]:
                batch = self.batch(plan)
                aligned, spoken = copy_synthesis(network, batch)
                # The batch is padded a little beyond its longest utterance.
                recording = batch.audio[:, : spoken.waveform.shape[1]]
                values = validation_measures(
                    recording, spoken.waveform.float(), batch.host_frame_lengths, aligned.durations,
                    durations_from_log(aligned.log_durations_hat, aligned.text_mask), self.assembler.spectra,
                )  # fmt: skip
                row = torch.stack([*(values[name].double() for name in VALIDATION_MEASURES), total.new_ones(())])
                total += row * len(plan.indices)
        finally:
            network.train(training)
        self.processes.average_([total])
        means = (total[:-1] / total[-1]).tolist()
        return {f"measures/{name}": value for name, value in zip(VALIDATION_MEASURES, means)}

    @torch.no_grad()
    def show(self, network: JetsNetwork, log: RunLog, step: int) -> None:
        """Sounds and pictures of the fixed utterances in TensorBoard; on the main process only."""
        if not self.processes.is_main:
            return
        training = network.training
        network.eval()
        try:
            for index in self.shown:
                self._show(int(index), network, log, step)
        finally:
            network.train(training)

    def _show(self, index: int, network: JetsNetwork, log: RunLog, step: int) -> None:
        frames, count = int(self.table.frames[index]), int(self.table.tokens[index])
        plan = BatchPlan(np.array([index]), frames, padded(count, TEXT_MULTIPLE))
        batch = self.batch(plan)
        output, copied = copy_synthesis(network, batch)
        free = network.infer(batch.text, batch.text_lengths)
        sounds = {
            "recording": batch.audio[0],
            "speech": free.waveform[0, : int(free.frame_lengths[0]) * self.table.hop_size],
            "copy": copied.waveform[0, : frames * self.table.hop_size],
        }
        (name,), (text,) = self.table.ids(plan.indices), self.table.texts(plan.indices)
        for kind, sound in sounds.items():
            log.audio(f"{name}/{kind}", sound.float().cpu().numpy(), step, self.sample_rate)
        mels = [mel_of(self.assembler.spectra, sound) for sound in sounds.values()]
        titles = (
            f"recording: {text if len(text) <= 110 else text[:107] + '...'}",
            "speech from text",
            "with the recording's durations, pitch and energy",
        )
        log.image(f"{name}/mel", plots.spectrogram_pair(titles, mels, self.table.hop_size / self.sample_rate), step)
        letters = [self.tokens[token] for token in batch.text[0, :count].tolist()]
        log_p = output.log_p_attn[0, :frames, :count].float().cpu().numpy()
        log.image(f"{name}/alignment", plots.alignment(log_p, output.path[0, :frames].cpu().numpy(), letters), step)
        durations = output.durations[0, :count].float().cpu().numpy()
        # As many frames as at inference, where a token can get none.
        predicted = free.durations[0, :count].float().cpu().numpy()
        log.image(f"{name}/durations", plots.token_curves(durations, predicted, letters, "frames", bars=True), step)
        mean, deviation = float(network.log_f0_mean), float(network.log_f0_std)
        for kind, target, guess, label, to_plain in (
            ("pitch", output.log_f0, output.log_f0_hat, "F0 in Hz", lambda x: np.exp(x * deviation + mean)),
            ("energy", output.energy, output.energy_hat, "energy, normalised", lambda x: x),
        ):
            pair = [to_plain(value[0, :count].float().cpu().numpy()) for value in (target, guess)]
            log.image(f"{name}/{kind}", plots.token_curves(*pair, letters, label), step)


def mel_of(spectra: MelSpectrogram, sound: Tensor) -> np.ndarray:
    """Log-mel (T, n_mel) of a waveform (N,); an empty one counts as one frame of silence."""
    if len(sound) < spectra.hop_size:
        sound = sound.new_zeros(spectra.hop_size)
    return spectra(sound.float().unsqueeze(0))[0][0].cpu().numpy()


def fixed_samples(table: UtteranceTable, count: int) -> np.ndarray:
    """`count` utterances of the split, spread over its lengths: the same ones in every run on this corpus."""
    order = np.argsort(table.frames, kind="stable")
    if count == 0 or len(order) == 0:
        return np.zeros(0, np.int64)
    places = (np.arange(count) + 0.5) / count * len(order)
    return np.unique(order[np.minimum(places.astype(np.int64), len(order) - 1)])
