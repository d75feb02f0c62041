"""The table at the end of stage 1, and pictures of the corpus: lengths, F0 and levels."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from config.schema import PreprocessConfig
from preprocessors.speaker_report import Utterances, speaker_lines
from processors.corpus import NOTED, SKIPPED, SPLITS
from processors.store import shard_arrays
from processors.text.tokens import PUNCTUATION, RARE, WORD_BOUNDARY

FEW_UTTERANCES = 10
# Slower texts hardly belong to their recordings; characters of the normalised text per second.
SLOW = 2.0
# One text may be read by many speakers, but hardly as often by one, and hardly by most of a corpus.
MANY_READINGS = 10
# F0 is looked at in about as many shards at most.
_SHARDS_LOOKED_AT = 2000


@dataclass(frozen=True)
class CorpusFigures:
    """Everything the report and the plots show."""

    name: str
    preprocess: PreprocessConfig
    manifest: pa.RecordBatch
    tokens: list[str]
    shards: list[Path]
    skipped: list[tuple[str, str, str]]  # id, kind and reason
    noted: list[tuple[str, str, str]]  # the same of what is used all the same
    statistics: dict[str, float]

    def column(self, name: str) -> np.ndarray:
        """A column of the manifest."""
        return np.asarray(self.manifest.column(name).to_numpy(zero_copy_only=False))

    @property
    def seconds(self) -> np.ndarray:
        """Length of each utterance (utterances,)."""
        return self.column("frames") * self.preprocess.hop_size / self.preprocess.sample_rate

    def f0(self) -> tuple[np.ndarray, np.ndarray, float]:
        """F0 of voiced frames in Hz, its geometric mean in each utterance, and the share of frames that are voiced."""
        voiced_f0, means, frames = [], [], 0
        shard_of, first = self.manifest.column("shard").indices.to_numpy(), self.column("first_frame")
        for number in range(0, len(self.shards), -(-len(self.shards) // _SHARDS_LOOKED_AT)):
            _, log_f0, voiced = shard_arrays(self.shards[number])
            starts = first[shard_of == number]
            if len(starts):
                counts = np.add.reduceat(voiced.astype(np.int64), starts)
                sums = np.add.reduceat(np.where(voiced, log_f0, 0).astype(np.float64), starts)
                means.append(np.exp(sums / np.maximum(counts, 1)))
            voiced_f0.append(np.exp(log_f0[voiced.astype(bool)]))
            frames += len(voiced)
        values = np.concatenate(voiced_f0)
        return values, np.concatenate(means), len(values) / frames


def report_text(figures: CorpusFigures) -> str:
    """The report: utterances and hours, what was skipped and why, phones, F0, energy and level."""
    skipped, noted = figures.skipped, figures.noted
    sections = [
        [f"corpus {figures.name}"],
        _split_table(figures),
        speaker_lines(_utterances(figures)),
        _listed(f"skipped: {len(skipped)} (each with its reason in {SKIPPED})", skipped) or ["skipped: none"],
        _listed(f"noted, and used all the same: {len(noted)} (each in {NOTED})", noted),
        _phone_lines(figures),
        _signal_lines(figures),
        _warnings(figures),
    ]
    return "\n\n".join("\n".join(section) for section in sections if section)


def _utterances(figures: CorpusFigures) -> Utterances:
    speakers, languages, splits = (figures.column(name) for name in ("speaker", "language", "split"))
    tokens = np.diff(figures.manifest.column("phones").offsets.to_numpy())
    log_f0 = figures.column("log_f0_sum") / figures.column("frames")
    return Utterances(speakers, languages, splits, figures.seconds, tokens, log_f0)


def _warnings(figures: CorpusFigures) -> list[str]:
    """What the user should know before training on this."""
    lines = []
    normalised = figures.manifest.column("normalised").to_pylist()
    ids = figures.manifest.column("id").to_pylist()
    if len(ids) < FEW_UTTERANCES:
        lines.append(f"warning: only {len(ids)} utterances: enough to try the recipe, far too few for a voice")
    rates = np.array([len(text) for text in normalised]) / figures.seconds
    slow = np.flatnonzero(rates < SLOW)
    if len(slow):
        worst = int(rates.argmin())
        lines.append(
            f"warning: {len(slow)} texts are far too short for their recordings (under {SLOW:g} characters a second), "
            f"for instance {ids[worst]}: {normalised[worst][:60]!r} in {figures.seconds[worst]:.1f} s"
        )
    text, count = Counter(text.casefold() for text in normalised).most_common(1)[0]
    if count >= MANY_READINGS or len(ids) > 2 and 2 * count > len(ids):
        lines.append(f"warning: {count} recordings have one and the same text: {text[:60]!r}")
    return lines


def _split_table(figures: CorpusFigures) -> list[str]:
    widths = {"utterances": 12, "texts": 8, "hours": 9, "minutes": 9, "shortest": 10, "mean": 8, "longest": 9}
    lines = [f"{'split':<8}" + "".join(f"{title:>{width}}" for title, width in widths.items())]
    column, normalised = figures.column("split"), figures.column("normalised")
    for split in (*SPLITS, "all"):
        members = (column == split) | (split == "all")
        seconds = figures.seconds[members]
        texts = {text.casefold() for text in normalised[members]}
        if len(seconds):
            spread = f"{seconds.min():>8.2f} s{seconds.mean():>6.2f} s{seconds.max():>7.2f} s"
        else:
            spread = f"{'-':>10}{'-':>8}{'-':>9}"
        total = seconds.sum()
        lines.append(f"{split:<8}{len(seconds):>12}{len(texts):>8}{total / 3600:>9.3f}{total / 60:>9.2f}{spread}")
    return lines


def _listed(title: str, rows: list[tuple[str, str, str]]) -> list[str]:
    """A title and a line for each kind of `rows` (id, kind, reason), the most frequent first; nothing without rows."""
    first = {kind: f"{key}: {reason}" for key, kind, reason in reversed(rows)}
    counts = sorted(Counter(kind for _, kind, _ in rows).items(), key=lambda item: (-item[1], item[0]))
    lines = [f"  {kind:<18}{count:>6}   for instance {first[kind]}" for kind, count in counts]
    return [title, *lines] if rows else []


def _phone_lines(figures: CorpusFigures) -> list[str]:
    numbers = figures.manifest.column("phones").values.to_numpy()
    totals = np.bincount(numbers, minlength=len(figures.tokens))
    counts = {token: int(count) for token, count in zip(figures.tokens, totals) if count}
    per_second = len(numbers) / max(figures.seconds.sum(), 1e-9)
    lines = [f"tokens: {len(numbers)} of {len(counts)} kinds, {per_second:.1f} per second"]
    # The token between words would be invisible.
    shown = {phone: "(space)" if phone == WORD_BOUNDARY else phone for phone in counts}
    cells = [f"{shown[phone]} {count}" for phone, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
    width = max(len(cell) for cell in cells) + 2
    columns = max(1, 100 // width)
    for start in range(0, len(cells), columns):
        lines.append("  " + "".join(cell.ljust(width) for cell in cells[start : start + columns]).rstrip())
    rare = sorted(shown[phone] for phone, count in counts.items() if count < RARE)
    if rare:
        lines.append(f"  fewer than {RARE} times: {' '.join(rare)}")
    # No corpus has all the sounds of all languages, but any could have all marks.
    expected = PUNCTUATION if WORD_BOUNDARY in figures.tokens else figures.tokens[1:]
    never = [token for token in expected if token not in counts]
    if never:
        lines.append(f"  never: {' '.join(never)}")
    return lines


def _signal_lines(figures: CorpusFigures) -> list[str]:
    values, _, voiced = figures.f0()
    f0 = np.percentile(values, (5, 50, 95))
    level = np.percentile(figures.column("level_db"), (5, 50, 95))
    means = figures.statistics
    return [
        f"F0: median {f0[1]:.1f} Hz, 5-95 % {f0[0]:.1f} to {f0[2]:.1f} Hz; {voiced:.1%} of frames voiced",
        f"level of speech: median {level[1]:.1f} dBFS, 5-95 % {level[0]:.1f} to {level[2]:.1f} dBFS",
        f"log F0 (training split, all frames): mean {means['log_f0_mean']:.4f}, deviation {means['log_f0_std']:.4f}",
        f"energy (training split, all frames): mean {means['energy_mean']:.4f}, deviation {means['energy_std']:.4f}",
    ]


def write_plots(folder: Path, figures: CorpusFigures) -> None:
    """Write lengths.png, f0.png and levels.png into `folder`."""
    folder.mkdir(exist_ok=True)
    seconds, (f0, means, _) = figures.seconds, figures.f0()
    tokens = np.diff(figures.manifest.column("phones").offsets.to_numpy())
    lengths = {"seconds": seconds, "tokens": tokens, "tokens per second": tokens / seconds}
    pitches = {"Hz, voiced frames": f0, "Hz, geometric mean of each utterance": means}
    levels = {"dBFS, each utterance": figures.column("level_db")}
    _histograms(folder / "lengths.png", f"{figures.name}: length of utterances", lengths)
    _histograms(folder / "f0.png", f"{figures.name}: fundamental frequency", pitches)
    _histograms(folder / "levels.png", f"{figures.name}: level of active speech", levels)


def _histograms(path: Path, title: str, panels: dict[str, np.ndarray]) -> None:
    """A histogram of each of the values, whose names say what they are."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # slow to import
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5 * len(panels), 3.6), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    for axis, (label, values) in zip(np.atleast_1d(figure.subplots(1, len(panels))), panels.items()):
        # Whole numbers get bins of whole numbers, or some bins would hold two of them and others one.
        whole = np.issubdtype(values.dtype, np.integer)
        step = max(1, -(-int(np.ptp(values)) // 60)) if whole else 0
        bins = np.arange(values.min(), values.max() + step + 1, step) - 0.5 if whole else 60
        axis.hist(values, bins=bins, color="#35618f")
        median = float(np.median(values))
        axis.axvline(median, color="#c44e1c", linewidth=1.2, label=f"median {median:.4g}")
        axis.set(xlabel=label, ylabel="count")
        axis.legend(frameon=False)
        axis.spines[["top", "right"]].set_visible(False)
    # Without the date and the program's version the same corpus gives the same bytes.
    figure.savefig(path, metadata={"Software": None})
