"""Batches of similar length: a pure function of seed and position, so that a run continues exactly where it was."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from utils.errors import UserError

# Batches are padded to multiples of these, so that there are few shapes: each one costs a CUDA graph.
FRAME_MULTIPLE = 32
TEXT_MULTIPLE = 32
# Lengths are jittered by up to this share before sorting: enough to mix a batch anew on every pass, little padding.
LENGTH_JITTER = 0.06
# Counts changes of the code that cut other batches.
_VERSION = 2

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BatchPlan:
    """Which utterances form a batch (on this process), and the padded size of its two axes."""

    indices: np.ndarray  # (B,) int64
    frames: int
    tokens: int


def padded(length: int, multiple: int) -> int:
    """`length` rounded up to a multiple."""
    return -(-length // multiple) * multiple


def balance(
    frames: np.ndarray, weights: np.ndarray, groups: Sequence[np.ndarray], temperature: float
) -> np.ndarray | None:
    """How often each utterance comes in a pass on average (N,), from its length and weight; None: each comes once.

    `groups` hold numbers (N,), from coarse to fine: languages, then speakers. Within each language the speakers, and
    the languages among themselves, get the share of frames that they have, to the power of 1 / temperature.
    """
    if temperature == 1 and np.all(weights == weights[:1]):
        return None
    often = np.ones(len(frames))
    within = np.zeros(len(frames), np.int64)  # the groups so far, each of which keeps its share
    for numbers in groups:
        finer = within * (int(numbers.max()) + 1) + numbers
        there = np.bincount(finer) > 0
        finer = (np.cumsum(there) - 1)[finer]
        had = np.bincount(finer, often * frames)
        parent = np.zeros(len(had), np.int64)
        parent[finer] = within
        wanted = had ** (1 / temperature)
        wanted *= (np.bincount(parent, had) / np.bincount(parent, wanted))[parent]
        often *= (wanted / had)[finer]
        within = finer
    often *= weights
    often *= frames.sum() / (often * frames).sum()
    return None if np.allclose(often, 1) else often


class Pass(Sequence[BatchPlan]):
    """The batches of a pass, each made when it is asked for: there may be hundreds of thousands of them."""

    def __init__(
        self, sampler: LengthSampler, number: int, order: np.ndarray, starts: np.ndarray, turns: np.ndarray
    ) -> None:
        """`order` (N,) are all utterances, in groups that begin at `starts` (groups + 1,); `turns` shuffles these."""
        self.sampler, self.number, self.order, self.starts, self.turns = sampler, number, order, starts, turns
        longest = np.maximum.reduceat(sampler.frames[order], starts[:-1])
        self._loads = -(-longest // FRAME_MULTIPLE) * FRAME_MULTIPLE * np.diff(starts)  # frames, padded, of a group

    def __len__(self) -> int:
        return len(self.turns)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return self._group(int(self.turns[index]))

    def _group(self, number: int) -> BatchPlan:
        own = self.sampler
        group = self.order[self.starts[number] : self.starts[number + 1]]
        group = np.random.default_rng([own.seed % 2**32, self.number, number]).permutation(group)
        frames = padded(int(own.frames[group].max()), FRAME_MULTIPLE)
        tokens = padded(int(own.tokens[group].max()), TEXT_MULTIPLE)
        return BatchPlan(group[own.rank :: own.world_size], frames, tokens)

    @property
    def padding_waste(self) -> float:
        """Share of the frames that is padding."""
        return 1.0 - int(self.sampler.frames[self.order].sum()) / int(self._loads.sum())

    def heaviest(self) -> BatchPlan:
        """The one with most frames."""
        return self._group(int(self._loads.argmax()))


class LengthSampler:
    """Endless passes over a corpus; each pass holds every utterance, sorted by jittered length, batches shuffled.

    With `often` (N,) from `balance`, some come several times in a pass and others not in all of them: each as evenly
    over the passes as can be.

    A batch that would stay incomplete is filled up with utterances of similar length, so that every process gets
    equally many batches of one size. With `world_size` processes, neighbours in length are dealt out, one batch
    each, padded to one common shape. The state is two counters: pass and position.

    `ids` gives the names of utterances. Raises UserError when one utterance alone exceeds `max_batch_frames`.
    """

    def __init__(
        self,
        frames: np.ndarray,
        tokens: np.ndarray,
        ids: Callable[[np.ndarray], list[str]],
        batch_size: int,
        max_batch_frames: int | None = None,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        often: np.ndarray | None = None,
    ) -> None:
        if len(frames) == 0:
            raise UserError("there is no utterance to train on")
        self.frames, self.tokens = np.asarray(frames, np.int64), np.asarray(tokens, np.int64)
        self.often = often
        self.batch_size, self.max_batch_frames, self.seed = batch_size, max_batch_frames, seed
        self.rank, self.world_size = rank, world_size
        # A budget of frames makes long utterances' batches smaller, but in few sizes: each one costs a CUDA graph.
        self._sizes = sorted({batch_size * eighths // 8 for eighths in range(1, 9)} - {0})
        longest = int(self.frames.argmax())
        if max_batch_frames is not None and padded(int(self.frames[longest]), FRAME_MULTIPLE) > max_batch_frames:
            who = f"the longest utterance ({ids(np.array([longest]))[0]}, {self.frames[longest]} frames)"
            advice = "raise it, or lower preprocess.max_seconds and run stage 1 again"
            raise UserError(f"train.max_batch_frames ({max_batch_frames}) is below {who}: {advice}")
        self.pass_index = self.position = 0
        self._plans: Pass | None = None
        # Share of the frames in the batches of the pass under way that is padding.
        self.padding_waste = 0.0

    def plan_pass(self, pass_index: int) -> Pass:
        """All batches of one pass, in order."""
        rng = np.random.default_rng([self.seed % 2**32, pass_index])
        order = self._present(pass_index)
        shorter = rng.random(len(order))
        shorter *= -LENGTH_JITTER
        shorter -= 1.0
        shorter *= self.frames[order]
        # Longest first. Length and place in one number sort much faster than an argsort, and everywhere alike.
        bits = len(order).bit_length()
        shorter -= shorter.min()
        shorter *= 2.0 ** (62 - bits) / max(float(shorter.max()), 1.0)
        keys = shorter.astype(np.int64)
        keys <<= bits
        keys |= np.arange(len(order))
        keys.sort()
        keys &= (1 << bits) - 1
        order = order[keys]
        starts = self._starts(order)
        if missing := int(starts[-1]) - len(order):
            begin = int(starts[-2])
            nearby = order[-3 * (len(order) + missing - begin) :]
            if self.max_batch_frames is not None:
                fits = self.max_batch_frames * self.world_size // int(starts[-1] - begin)
                nearby = nearby[self.frames[nearby] <= fits // FRAME_MULTIPLE * FRAME_MULTIPLE]
            others = np.setdiff1d(nearby, order[begin:])
            # Nobody twice in a batch, unless the whole corpus is smaller than that.
            twice = missing > len(others)
            order = np.append(order, rng.choice(nearby if twice else others, missing, replace=twice))
        return Pass(self, pass_index, order, starts, rng.permutation(len(starts) - 1))

    def _starts(self, order: np.ndarray) -> np.ndarray:
        """Where the groups of all processes begin in `order`, and where the last one shall end.

        With a budget of frames, groups are as large as whatever is the longest from their beginning on lets them be.
        """
        size, begin = self.batch_size * self.world_size, 0
        if self.max_batch_frames is None:
            return np.arange(0, len(order) + size, size)
        longest = np.maximum.accumulate(self.frames[order][::-1])[::-1]
        fits = np.maximum(self.max_batch_frames // (-(-longest // FRAME_MULTIPLE) * FRAME_MULTIPLE), 1)
        steps = np.array(self._sizes)
        below = np.searchsorted(steps, fits, side="right")
        sizes = np.where(below > 0, steps[below - 1], fits) * self.world_size
        parts = []
        while begin < len(order):
            size = int(sizes[begin])
            until = int(np.searchsorted(sizes, size, side="right"))  # fits, and so sizes, never fall
            parts.append(np.arange(begin, until, size))
            begin = int(parts[-1][-1]) + size
        return np.append(np.concatenate(parts), begin)

    def _present(self, pass_index: int) -> np.ndarray:
        """Utterances of a pass, each as many times as it comes in it."""
        everyone = np.arange(len(self.frames))
        if self.often is None:
            return everyone
        phase = np.random.default_rng([self.seed % 2**32, len(everyone), 1]).random(len(everyone))
        before, after = (np.floor(number * self.often + phase) for number in (pass_index, pass_index + 1))
        present = np.repeat(everyone, (after - before).astype(np.int64))
        return present if len(present) else everyone

    @property
    def current_pass(self) -> Pass:
        """The batches of the pass that is under way."""
        if self._plans is None:
            self._plans = self.plan_pass(self.pass_index)
            self.padding_waste = self._plans.padding_waste
        return self._plans

    def next(self) -> BatchPlan:
        """The next batch; moves the position."""
        if self.position >= len(self.current_pass):
            self.pass_index, self.position, self._plans = self.pass_index + 1, 0, None
        plan = self.current_pass[self.position]
        self.position += 1
        return plan

    def largest(self) -> BatchPlan:
        """The heaviest batch of the pass that is under way, with the longest text anywhere: for a trial run."""
        heaviest = self.current_pass.heaviest()
        longest, limit = padded(int(self.frames.max()), FRAME_MULTIPLE), self.max_batch_frames
        fits = limit is None or len(heaviest.indices) * longest <= limit
        tokens = padded(int(self.tokens.max()), TEXT_MULTIPLE)
        return BatchPlan(heaviest.indices, longest if fits else heaviest.frames, tokens)

    @cached_property
    def _signature(self) -> list[int]:
        # Without a budget, as many processes with batches that are as much smaller cut the same groups.
        groups = [self.batch_size * self.world_size]
        if self.max_batch_frames is not None:
            groups = [self.batch_size, self.max_batch_frames, self.world_size]
        balance = [] if self.often is None else [zlib.crc32(self.often.round(6).tobytes())]
        multiples = [FRAME_MULTIPLE, TEXT_MULTIPLE]
        return [_VERSION, len(self.frames), int(self.frames.sum()), *groups, self.seed, *multiples, *balance]

    def state_dict(self) -> dict[str, Any]:
        """Pass, position and what the batches depend on."""
        return {"pass": self.pass_index, "position": self.position, "signature": self._signature}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Continue from `state_dict`, also of other processes; when groups are cut differently, with the next pass."""
        self.pass_index, self.position, self._plans = saved["pass"], saved["position"], None
        if saved["signature"] != self._signature:
            if self.position and self.rank == 0:
                log.warning(
                    "batches are cut otherwise than before: the rest of pass %d is left out", self.pass_index + 1
                )
            self.pass_index, self.position = self.pass_index + 1, 0
