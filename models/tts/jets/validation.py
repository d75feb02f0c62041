"""What JETS shows at validation: losses over the split, and fixed utterances to hear and look at."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from models.base.processes import Processes
from models.base.run_log import RunLog
from models.base.sampler import TEXT_MULTIPLE, BatchPlan, padded
from models.evaluation.signal_measures import VALIDATION_MEASURES, validation_measures
from models.tts.jets.dataset import BatchAssembler, UtteranceTable
from models.tts.jets.network import Batch, JetsNetwork
from models.tts.jets.step import TrainStep
from models.tts.jets.variance import durations_from_log
from processors import plots

# Utterances that the measures are computed on, and frames that are synthesised at once.
MEASURED, MEASURED_FRAMES = 64, 4000


class Validation:
    """The validation split, for networks in eval mode; read from disk batch by batch: it is small and rarely needed."""

    def __init__(
        self, table: UtteranceTable, assembler: BatchAssembler, processes: Processes, max_frames: int, samples: int
    ) -> None:
        """Batches hold at most `max_frames` padded frames; `samples` utterances are shown, always the same."""
        self.table, self.assembler, self.processes = table, assembler, processes
        self.plans = table.in_order(max_frames) if len(table) else []
        self.shown = fixed_samples(table, samples).tolist()

    def losses(self, step: TrainStep) -> dict[str, float]:
        """Mean of every loss over the split's utterances, shared by all processes; empty without utterances."""
        return self._mean(self.plans, step.evaluate)

    def measures(self, network: JetsNetwork) -> dict[str, float]:
        """`validation_measures` of copy synthesis over fixed utterances, the mean shared by all processes.

        Keys are "measures/<name>"; empty without utterances.
        """
        chosen = self.table.in_order(MEASURED_FRAMES, fixed_samples(self.table, MEASURED)) if self.plans else []
        return self._mean(chosen, lambda batch: self._measured(network, batch))

    def _measured(self, network: JetsNetwork, batch: Batch) -> dict[str, Tensor]:
        output, spoken = network.copy(batch)
        # The batch is padded a little beyond its longest utterance.
        recording = batch.audio[:, : spoken.waveform.shape[1]]
        predicted = durations_from_log(output.predicted.log_durations, output.text_mask)
        values = validation_measures(
            recording, spoken.waveform.float(), batch.host_frame_lengths, output.aligned.durations, predicted,
            self.assembler.spectra,
        )  # fmt: skip
        return {f"measures/{name}": values[name] for name in VALIDATION_MEASURES}

    def _mean(self, plans: Sequence[BatchPlan], measure: Callable[[Batch], dict[str, Tensor]]) -> dict[str, float]:
        """Mean of what `measure` says of each batch, by its utterances, over all processes."""
        if not plans:
            return {}
        own = plans[self.processes.rank :: self.processes.world_size]
        names, rows = [], []
        # A process without a batch of its own takes part in the sum with weight 0.
        for plan, weight in [(plan, len(plan.indices)) for plan in own] or [(plans[0], 0)]:
            values = measure(self.assembler.read(self.table, plan))
            names = list(values)
            row = torch.stack([value.double() for value in values.values()])
            rows.append(torch.cat([row, torch.ones_like(row[:1])]) * weight)
        total = torch.stack(rows).sum(0)
        self.processes.average_([total])
        return dict(zip(names, (total[:-1] / total[-1]).tolist()))

    @torch.no_grad()
    def show(self, index: int, network: JetsNetwork, log: RunLog, step: int) -> None:
        """Sounds and pictures of an utterance in TensorBoard."""
        frames, count = int(self.table.frames[index]), int(self.table.tokens[index])
        plan = BatchPlan(np.array([index]), frames, padded(count, TEXT_MULTIPLE))
        batch, tokens = self.assembler.read(self.table, plan), self.table.corpora[0].tokens
        rate, hop_size, spectra = self.assembler.sample_rate, self.table.hop_size, self.assembler.spectra
        output, copied = network.copy(batch)
        aligned, hat = output.aligned, output.predicted
        free = network.infer(batch.text, batch.text_lengths, roles=batch.roles)
        waveforms = {"recording": batch.audio, "speech": free.waveform, "copy": copied.waveform[:, : frames * hop_size]}
        (name,), (text,) = self.table.ids(plan.indices), self.table.texts(plan.indices)
        for kind, waveform in waveforms.items():
            log.audio(f"{name}/{kind}", waveform[0].float().cpu().numpy(), step, rate)
        mels = [spectra(waveform.float())[0][0].cpu().numpy() for waveform in waveforms.values()]
        titles = (
            f"recording: {text if len(text) <= 110 else text[:107] + '...'}",
            "speech from text",
            "with the recording's durations, pitch and energy",
        )
        log.image(f"{name}/mel", plots.spectrogram_pair(titles, mels, hop_size / rate), step)
        letters = [tokens[token] for token in batch.text[0, :count].tolist()]
        log_p = aligned.log_p_attn[0, :frames, :count].float().cpu().numpy()
        log.image(f"{name}/alignment", plots.alignment(log_p, aligned.path[0, :frames].cpu().numpy(), letters), step)
        durations = aligned.durations[0, :count].float().cpu().numpy()
        # As many frames as at inference, where a token can get none.
        predicted = free.durations[0, :count].float().cpu().numpy()
        log.image(f"{name}/durations", plots.token_curves(durations, predicted, letters, "frames", bars=True), step)
        mean, deviation = (float(value.flatten()[0]) for value in network.scale(batch.roles)[:2])
        for kind, target, guess, label, to_plain in (
            ("pitch", aligned.log_f0, hat.log_f0, "F0 in Hz", lambda x: np.exp(x * deviation + mean)),
            ("energy", aligned.energy, hat.energy, "energy, normalised", lambda x: x),
        ):
            true, guessed = (to_plain(value[0, :count].float().cpu().numpy()) for value in (target, guess))
            log.image(f"{name}/{kind}", plots.token_curves(true, guessed, letters, label), step)


def fixed_samples(table: UtteranceTable, count: int) -> np.ndarray:
    """`count` utterances of the split, spread over its lengths: the same ones in every run on this corpus."""
    order = np.argsort(table.frames, kind="stable")
    if count == 0 or len(order) == 0:
        return np.zeros(0, np.int64)
    places = (np.arange(count) + 0.5) / count * len(order)
    return np.unique(order[np.minimum(places.astype(np.int64), len(order) - 1)])
