"""Stage 1's corpora as training batches: assembled where the model is, from packed arrays."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from config.schema import ExperimentConfig, PreprocessConfig
from models.base.sampler import FRAME_MULTIPLE, TEXT_MULTIPLE, BatchPlan, LengthSampler, balance, padded
from models.tts.jets.network import STATISTICS, Batch
from models.vocoders.convolutions import length_mask
from processors.audio.mel import MelSpectrogram
from processors.cast import Cast
from processors.corpus import ProcessedCorpus, corpus_directory, id_prefixes, split_rows
from utils.errors import OwnError, UserError

# Where the corpus stays on the disk: threads that read, and batches that they are ahead. One thread keeps up with a
# local disk; several requests at once also hide the latency of one across a network.
READERS, BATCHES_AHEAD = 4, 8


def open_corpora(config: ExperimentConfig) -> list[ProcessedCorpus]:
    """Open stage 1's result for every name in `config.dataset`.

    Raises UserError when one is missing, stale or damaged (of what is read later, the checksum is compared then), or
    when they do not share tokens, sample rate and hop size.
    """
    corpora = []
    for name in config.dataset:
        corpora.append(ProcessedCorpus.open(corpus_directory(config.preprocess, name), config.preprocess_of(name)))
        corpora[-1].check_for_training(config.corpus_config(name).speaker)
        for key in ("tokens", "sample_rate", "hop_size"):
            if getattr(corpora[-1], key) != getattr(corpora[0], key):
                raise UserError(
                    f"datasets {config.dataset[0]} and {name} differ in {key.replace('_', ' ')}: run stage 1 on both "
                    "with the same config, or train on one of them"
                )
    return corpora


class UtteranceTable:
    """The utterances of one split of several corpora, by number."""

    def __init__(self, corpora: Sequence[ProcessedCorpus], split: str, cast: Cast | None = None) -> None:
        """`cast` numbers speakers and languages."""
        self.corpora, self.cast = list(corpora), cast or Cast()
        self.hop_size = corpora[0].hop_size
        rows = split_rows(corpora, split)
        self.rows = np.concatenate(rows)
        self.corpus_index = np.repeat(np.arange(len(corpora), dtype=np.int16), [len(part) for part in rows])
        self.frames = np.concatenate([corpus.frames[part] for corpus, part in zip(corpora, rows)]).astype(np.int64)
        numbers = zip(*(self.cast.numbers(corpus, part) for corpus, part in zip(corpora, rows)))
        self.speaker_ids, self.language_ids = map(np.concatenate, numbers)
        # Token numbers of all splits back to back: one corpus' stay where they are, in the mapped file.
        texts, starts = zip(*(corpus.phones for corpus in corpora))
        before = np.cumsum([0, *(len(text) for text in texts)])
        self.text = texts[0] if len(texts) == 1 else np.concatenate(texts)
        self.text_offset = np.concatenate([first + start[part] for first, start, part in zip(before, starts, rows)])
        lengths = [start[part + 1] - start[part] for start, part in zip(starts, rows)]
        self.tokens = np.concatenate(lengths).astype(np.int64)

    def __len__(self) -> int:
        return len(self.rows)

    def ids(self, indices: np.ndarray | None = None) -> list[str]:
        """Ids of some utterances, or of all; "<corpus>/<id>" where there are several corpora."""
        indices = np.arange(len(self)) if indices is None else indices
        before = id_prefixes(self.corpora)
        return [before[i] + key for i, key in zip(self.corpus_index[indices], self._strings("id", indices))]

    def texts(self, indices: np.ndarray) -> list[str]:
        """Texts of some utterances, as the corpus has them."""
        return self._strings("text", indices)

    def _strings(self, name: str, indices: np.ndarray) -> list[str]:
        found = np.empty(len(indices), dtype=object)
        for number, corpus in enumerate(self.corpora):
            mine = self.corpus_index[indices] == number
            found[mine] = corpus.strings(name, self.rows[indices[mine]])
        return found.tolist()

    def _parts(self) -> Iterator[tuple[ProcessedCorpus, np.ndarray]]:
        """Each corpus and its rows."""
        ends = np.cumsum(np.bincount(self.corpus_index, minlength=len(self.corpora)))[:-1]
        yield from zip(self.corpora, np.split(self.rows, ends))

    def numbers(self, column: str) -> np.ndarray:
        """Numbers (N,) that tell names of "speaker" or "language" apart."""
        known: dict[str, int] = {}
        found = []
        for corpus, rows in self._parts():
            codes, names = corpus.codes(column)
            found.append(np.array([known.setdefault(name, len(known)) for name in names])[codes[rows]])
        return np.concatenate(found)

    def appearances(self, config: ExperimentConfig) -> np.ndarray | None:
        """How often each utterance comes in a pass of training, by the corpora's weights and the balance (N,)."""
        weights = np.array([config.corpus_config(corpus.directory.name).weight for corpus in self.corpora])
        groups = (self.numbers("language"), self.numbers("speaker"))
        return balance(self.frames, weights[self.corpus_index], groups, config.train.balance_temperature)

    def token_numbers(self, indices: np.ndarray) -> np.ndarray:
        """Token numbers of some utterances, back to back."""
        counts = self.tokens[indices]
        places = np.repeat(self.text_offset[indices] - np.cumsum(counts) + counts, counts)
        return self.text[places + np.arange(len(places))]

    def token_counts(self) -> dict[str, int]:
        """How often each token occurs in the split."""
        counts = sum(corpus.token_counts(rows) for corpus, rows in self._parts())
        return dict(zip(self.corpora[0].tokens, np.asarray(counts).tolist()))

    def size_in_bytes(self) -> int:
        """Memory that the whole split takes on a device: int16 audio and float32 log F0."""
        return int(self.frames.sum()) * (2 * self.hop_size + 4)

    def arrays(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Copies of one utterance's samples (T, hop_size) int16 and log F0 (T,) float32."""
        audio, log_f0, _ = self.corpora[self.corpus_index[index]].arrays(int(self.rows[index]))
        return audio.reshape(-1, self.hop_size).copy(), log_f0.copy()

    def in_order(self, max_frames: int, among: np.ndarray | None = None) -> list[BatchPlan]:
        """Every utterance once, or those of `among`, by length: batches of at most `max_frames` padded frames."""
        plans: list[BatchPlan] = []
        order = np.argsort(self.frames, kind="stable")
        order = order if among is None else order[np.isin(order, among)]
        start = 0
        for end in range(1, len(order) + 1):
            longest = padded(int(self.frames[order[min(end, len(order) - 1)]]), FRAME_MULTIPLE)
            if end == len(order) or longest * (end + 1 - start) > max_frames:
                group = order[start:end]
                frames = padded(int(self.frames[group].max()), FRAME_MULTIPLE)
                plans.append(BatchPlan(group, frames, padded(int(self.tokens[group].max()), TEXT_MULTIPLE)))
                start = end
        return plans


@dataclass
class StoredUtterances:
    """Some utterances of a table back to back, as stage 1 stored them: those of a batch, or a whole split."""

    audio: Tensor  # (sum of T, hop_size) int16
    log_f0: Tensor  # (sum of T,) ln(Hz)
    text: Tensor  # (sum of T_text,) int64
    frames: Tensor  # (B,) int64
    tokens: Tensor  # (B,) int64
    speakers: Tensor  # (B,) int64 in the table's cast
    languages: Tensor  # (B,) int64

    @classmethod
    def read(cls, table: UtteranceTable, indices: np.ndarray, device: torch.device) -> StoredUtterances:
        """Read them to a device; on the host in pinned memory, where there is a GPU to fetch them."""
        pinned = device.type == "cpu" and torch.cuda.is_available()
        total = int(table.frames[indices].sum())
        audio = torch.empty((total, table.hop_size), dtype=torch.int16, device=device, pin_memory=pinned)
        log_f0 = torch.empty(total, dtype=torch.float32, device=device, pin_memory=pinned)
        end = 0
        for index in indices:
            samples, pitch = table.arrays(index)
            start, end = end, end + len(pitch)
            audio[start:end].copy_(torch.from_numpy(samples))
            log_f0[start:end].copy_(torch.from_numpy(pitch))
        columns = (table.frames, table.tokens, table.speaker_ids, table.language_ids)
        numbers = (table.token_numbers(indices), *(column[indices] for column in columns))
        on_host = (torch.from_numpy(part.astype(np.int64)) for part in numbers)
        return cls(audio, log_f0, *(part.pin_memory() if pinned else part.to(device) for part in on_host))

    def to(self, device: torch.device) -> StoredUtterances:
        """A copy on a device, without waiting for it."""
        return StoredUtterances(*(values.to(device, non_blocking=True) for values in vars(self).values()))

    def padded(self, rows: Tensor, plan: BatchPlan) -> tuple[Tensor, ...]:
        """Utterances `rows` (B,) in the sizes of a plan, padded with whatever follows them.

        Audio (B, T, hop_size), log F0 (B, T), token ids (B, T_text), and how many frames and tokens count (B,).
        """
        frames, letters = positions(self.frames, rows, plan.frames), positions(self.tokens, rows, plan.tokens)
        return self.audio[frames], self.log_f0[frames], self.text[letters], self.frames[rows], self.tokens[rows]


def positions(lengths: Tensor, rows: Tensor, size: int) -> Tensor:
    """Places (B, size) from the beginning of `rows` (B,) on, where so long ones lie back to back."""
    ends = lengths.cumsum(0)
    places = (ends - lengths)[rows].unsqueeze(1) + torch.arange(size, device=rows.device)
    return torch.minimum(places, ends[-1] - 1)


class BatchAssembler:
    """Turns stored pieces into a Batch on their device: scaling, masks, spectra, normalisation."""

    def __init__(self, preprocess: PreprocessConfig, statistics: dict[str, float], device: torch.device) -> None:
        self.statistics, self.device = statistics, device
        self.speaker_statistics: Tensor | None = None  # (speakers, 4) in their place, in the same order
        self.hop_size, self.sample_rate = preprocess.hop_size, preprocess.sample_rate
        self.spectra = MelSpectrogram(
            preprocess.sample_rate, preprocess.n_fft, preprocess.win_size, preprocess.hop_size, preprocess.n_mel,
            preprocess.fmin, preprocess.fmax,
        ).to(device)  # fmt: skip
        # The spectra reflect the signal at its ends. In a batch each utterance is reflected at its own end, so that
        # its last frames do not depend on its neighbours' lengths.
        self.tail = preprocess.n_fft // 2
        self.extra_frames = -(-2 * self.tail // self.hop_size)

    def read(self, table: UtteranceTable, plan: BatchPlan) -> Batch:
        """Any batch, from the disk."""
        return self.whole(StoredUtterances.read(table, plan.indices, torch.device("cpu")), table, plan)

    def whole(self, utterances: StoredUtterances, table: UtteranceTable, plan: BatchPlan) -> Batch:
        """A batch of all the utterances that are given, on the host."""
        return self(utterances.to(self.device), torch.arange(len(plan.indices), device=self.device), table, plan)

    @torch.no_grad()
    def __call__(self, utterances: StoredUtterances, rows: Tensor, table: UtteranceTable, plan: BatchPlan) -> Batch:
        """A batch of the utterances `rows` (B,), which are those of the plan."""
        stored, log_f0, text, frame_lengths, text_lengths = utterances.padded(rows, plan)
        size, frames, hop = stored.shape
        inside = length_mask(frame_lengths, frames)
        audio = stored.new_zeros((size, frames + self.extra_frames, hop), dtype=torch.float32)
        audio[:, :frames] = stored.float() * (inside.unsqueeze(2) * (1.0 / 32768.0))
        audio = audio.view(size, -1)
        samples = (frame_lengths * hop).unsqueeze(1)
        mel, energy = self.spectra(self._with_tail(audio, samples))
        own = self.speaker_statistics
        speakers = utterances.speakers[rows] if len(table.cast.speakers) > 1 else None
        languages = utterances.languages[rows] if len(table.cast.languages) > 1 else None
        overall = [self.statistics[name] for name in STATISTICS]
        scale: Any = overall if own is None else (own[:1] if speakers is None else own[speakers]).split(1, dim=1)
        zero = audio.new_zeros(())
        log_f0, energy = (log_f0 - scale[0]) / scale[1], (energy[:, :frames] - scale[2]) / scale[3]
        return Batch(
            text=torch.where(length_mask(text_lengths, text.shape[1]), text, 0),
            text_lengths=text_lengths,
            mel=torch.where(inside.unsqueeze(2), mel[:, :frames], zero),
            frame_lengths=frame_lengths,
            log_f0=torch.where(inside, log_f0, zero),
            energy=torch.where(inside, energy, zero),
            audio=audio[:, : frames * hop].contiguous(),
            host_text_lengths=tuple(table.tokens[plan.indices].tolist()),
            host_frame_lengths=tuple(table.frames[plan.indices].tolist()),
            ids=tuple(table.ids(plan.indices)),
            speaker_ids=speakers,
            language_ids=languages,
        )

    def _with_tail(self, audio: Tensor, samples: Tensor) -> Tensor:
        """Audio (B, N) with each utterance's last samples mirrored behind its end."""
        steps = torch.arange(self.tail, device=audio.device)
        mirrored = audio.gather(1, (samples - 2 - steps).clamp_min(0))
        # As in MelSpectrogram: what is too short to be reflected gets silence.
        mirrored = mirrored * (samples > self.tail)
        return audio.scatter(1, samples + steps, mirrored)


class JetsBatches:
    """Training batches without end; its state is the sampler's counters of the batches that were taken."""

    def __init__(
        self, table: UtteranceTable, sampler: LengthSampler, assembler: BatchAssembler, on_device: bool
    ) -> None:
        self.table, self.sampler, self.assembler, self.device = table, sampler, assembler, assembler.device
        self.corpus: StoredUtterances | None = None
        if on_device:
            try:
                self.corpus = StoredUtterances.read(table, np.arange(len(table)), self.device)
            except torch.OutOfMemoryError:
                gib = table.size_in_bytes() / 2**30
                raise OwnError(f"the corpus ({gib:.1f} GiB) does not fit: set train.corpus_on_device=never") from None
        self._reader: ThreadPoolExecutor | None = None
        self._ahead: deque[tuple[BatchPlan, dict[str, Any], Future[StoredUtterances]]] = deque()
        self._state = sampler.state_dict()
        self._waited = 0.0
        sampler.current_pass  # noqa: B018  planned now, so that the padding is known before the first batch

    def next(self) -> Batch:
        """The next batch, on the device."""
        if self.corpus is not None:
            plan = self.sampler.next()
            self._state = self.sampler.state_dict()
            return self.at(plan)
        if self._reader is None:
            self._reader = ThreadPoolExecutor(READERS, "read ahead")
        while len(self._ahead) < BATCHES_AHEAD:
            plan = self.sampler.next()
            read = self._reader.submit(StoredUtterances.read, self.table, plan.indices, torch.device("cpu"))
            self._ahead.append((plan, self.sampler.state_dict(), read))
        begin = time.perf_counter()
        plan, self._state, coming = self._ahead.popleft()
        utterances = coming.result()
        self._waited += time.perf_counter() - begin
        return self.assembler.whole(utterances, self.table, plan)

    def at(self, plan: BatchPlan) -> Batch:
        """Any batch, without moving the position."""
        if self.corpus is None:
            return self.assembler.read(self.table, plan)
        rows = torch.from_numpy(np.ascontiguousarray(plan.indices))
        if self.device.type == "cuda":  # from pinned memory the host need not wait
            rows = rows.pin_memory().to(self.device, non_blocking=True)
        return self.assembler(self.corpus, rows, self.table, plan)

    def describe(self) -> str:
        """How much speech there is, and where it lies."""
        hours = self.table.frames.sum() * self.table.hop_size / self.assembler.sample_rate / 3600
        place = "read from disk" if self.corpus is None else f"in {self.device.type.upper()} memory"
        mib = self.table.size_in_bytes() / 2**20
        return f"{len(self.table)} utterances, {hours:.2f} hours, {mib:.0f} MiB {place}"

    def padding_waste(self) -> float:
        """Share of the frames in this pass's batches that is padding."""
        return self.sampler.padding_waste

    def wait_seconds(self) -> float:
        """How long the steps so far have waited for the disk; nothing where the corpus is on the device."""
        return self._waited

    def largest(self) -> Batch:
        """A batch as large as any that will come."""
        return self.at(self.sampler.largest())

    def close(self) -> None:
        """Stop reading ahead."""
        if self._reader is not None:
            self._reader.shutdown(cancel_futures=True)
            self._reader = None
            self._ahead.clear()

    def state_dict(self) -> dict[str, Any]:
        """Position after the last batch that was taken."""
        return self._state

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Continue with the batch after the last one that was taken."""
        self.close()
        self.sampler.load_state_dict(saved)
        self._state = self.sampler.state_dict()
