"""The table at the end of stage 1."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from processors.text.tokens import WORD_BOUNDARY
from utils.corpus import SKIPPED, SPLITS, Utterance

# A phone that occurs less often than this is hardly learnt.
RARE = 10
FEW_UTTERANCES = 10


@dataclass(frozen=True)
class CorpusFigures:
    """Everything the report and the plots show."""

    name: str
    sample_rate: int
    utterances: list[Utterance]
    levels_db: np.ndarray  # (utterances,) active speech level, dBFS
    log_f0: np.ndarray  # (frames,) natural log of Hz
    voiced: np.ndarray  # (frames,) bool
    skipped: list[dict[str, str]]  # id, kind and reason
    statistics: dict[str, float]

    @property
    def seconds(self) -> np.ndarray:
        """Length of each utterance (utterances,)."""
        return np.array([utterance.length for utterance in self.utterances]) / self.sample_rate

    @property
    def f0(self) -> np.ndarray:
        """F0 of all voiced frames in Hz."""
        return np.exp(self.log_f0[self.voiced])


def report_text(figures: CorpusFigures) -> str:
    """The report: utterances and hours, what was skipped and why, phones, F0, energy and level."""
    return "\n".join(
        [
            f"corpus {figures.name}",
            "",
            *_split_table(figures),
            "",
            *_skipped_table(figures),
            "",
            *_phone_lines(figures),
            "",
            *_signal_lines(figures),
            *_warnings(figures),
        ]
    )


def _warnings(figures: CorpusFigures) -> list[str]:
    """What the user should know before training on this."""
    count = len(figures.utterances)
    if count >= FEW_UTTERANCES:
        return []
    return ["", f"warning: only {count} utterances: enough to try the recipe, far too few for a voice"]


def _split_table(figures: CorpusFigures) -> list[str]:
    widths = {"utterances": 12, "texts": 8, "hours": 9, "minutes": 9, "shortest": 10, "mean": 8, "longest": 9}
    lines = [f"{'split':<8}" + "".join(f"{title:>{width}}" for title, width in widths.items())]
    for split in (*SPLITS, "all"):
        members = [split in (utterance.split, "all") for utterance in figures.utterances]
        seconds = figures.seconds[members]
        texts = {u.normalised.casefold() for u, member in zip(figures.utterances, members) if member}
        if len(seconds):
            spread = f"{seconds.min():>8.2f} s{seconds.mean():>6.2f} s{seconds.max():>7.2f} s"
        else:
            spread = f"{'-':>10}{'-':>8}{'-':>9}"
        total = seconds.sum()
        lines.append(f"{split:<8}{len(seconds):>12}{len(texts):>8}{total / 3600:>9.3f}{total / 60:>9.2f}{spread}")
    return lines


def _skipped_table(figures: CorpusFigures) -> list[str]:
    if not figures.skipped:
        return ["skipped: none"]
    lines = [f"skipped: {len(figures.skipped)} (each with its reason in {SKIPPED})"]
    first = {row["kind"]: row for row in reversed(figures.skipped)}
    for kind, count in sorted(Counter(row["kind"] for row in figures.skipped).items(), key=lambda x: (-x[1], x[0])):
        lines.append(f"  {kind:<15}{count:>6}   for instance {first[kind]['id']}: {first[kind]['reason']}")
    return lines


def _phone_lines(figures: CorpusFigures) -> list[str]:
    counts = Counter(phone for utterance in figures.utterances for phone in utterance.phones)
    total = sum(counts.values())
    per_second = total / max(figures.seconds.sum(), 1e-9)
    lines = [f"tokens: {total} of {len(counts)} kinds, {per_second:.1f} per second"]
    # The token between words would be invisible.
    shown = {phone: "(space)" if phone == WORD_BOUNDARY else phone for phone in counts}
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    cells = [f"{shown[phone]} {count}" for phone, count in ordered]
    width = max(len(cell) for cell in cells) + 2
    columns = max(1, 100 // width)
    for start in range(0, len(cells), columns):
        lines.append("  " + "".join(cell.ljust(width) for cell in cells[start : start + columns]).rstrip())
    rare = sorted(shown[phone] for phone, count in counts.items() if count < RARE)
    if rare:
        lines.append(f"  fewer than {RARE} times: {' '.join(rare)}")
    return lines


def _signal_lines(figures: CorpusFigures) -> list[str]:
    f0 = np.percentile(figures.f0, (5, 50, 95))
    level = np.percentile(figures.levels_db, (5, 50, 95))
    values = figures.statistics
    voiced = figures.voiced.mean()
    return [
        f"F0: median {f0[1]:.1f} Hz, 5-95 % {f0[0]:.1f} to {f0[2]:.1f} Hz; {voiced:.1%} of frames voiced",
        f"level of speech: median {level[1]:.1f} dBFS, 5-95 % {level[0]:.1f} to {level[2]:.1f} dBFS",
        f"log F0 (training split, all frames): mean {values['log_f0_mean']:.4f}, deviation {values['log_f0_std']:.4f}",
        f"energy (training split, all frames): mean {values['energy_mean']:.4f}, deviation {values['energy_std']:.4f}",
    ]
