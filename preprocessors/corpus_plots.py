"""Pictures of a corpus: lengths, F0 and levels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from preprocessors.corpus_report import CorpusFigures

Panel = tuple[np.ndarray, str]  # values and what they are


def write_plots(folder: Path, figures: CorpusFigures) -> None:
    """Write lengths.png, f0.png and levels.png into `folder`."""
    seconds = figures.seconds
    tokens = np.array([len(utterance.phones) for utterance in figures.utterances])
    starts = np.array([utterance.frame_offset for utterance in figures.utterances])
    counts = np.add.reduceat(figures.voiced.astype(np.int64), starts)
    sums = np.add.reduceat(np.where(figures.voiced, figures.log_f0, 0).astype(np.float64), starts)
    medians = np.exp(sums / np.maximum(counts, 1))
    _histograms(
        folder / "lengths.png",
        f"{figures.name}: length of utterances",
        [(seconds, "seconds"), (tokens, "tokens"), (tokens / seconds, "tokens per second")],
    )
    _histograms(
        folder / "f0.png",
        f"{figures.name}: fundamental frequency",
        [(figures.f0, "Hz, voiced frames"), (medians, "Hz, geometric mean of each utterance")],
    )
    _histograms(
        folder / "levels.png",
        f"{figures.name}: level of active speech",
        [(figures.levels_db, "dBFS, each utterance")],
    )


def _histograms(path: Path, title: str, panels: list[Panel]) -> None:
    figure = Figure(figsize=(5 * len(panels), 3.6), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    for axis, (values, label) in zip(np.atleast_1d(figure.subplots(1, len(panels))), panels):
        # Whole numbers get bins of whole numbers, or some bins would hold two of them and others one.
        whole = np.issubdtype(values.dtype, np.integer)
        step = max(1, -(-int(np.ptp(values)) // 60)) if whole else 0
        bins = np.arange(values.min(), values.max() + step + 1, step) - 0.5 if whole else 60
        axis.hist(values, bins=bins, color="#35618f")
        median = float(np.median(values))
        axis.axvline(median, color="#c44e1c", linewidth=1.2, label=f"median {median:.4g}")
        axis.set_xlabel(label)
        axis.set_ylabel("count")
        axis.legend(frameon=False)
        axis.spines[["top", "right"]].set_visible(False)
    # Without the date and the program's version the same corpus gives the same bytes.
    figure.savefig(path, metadata={"Software": None})
