"""Pictures for TensorBoard and reports, as arrays of pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# Inches; at DPI dots each.
WIDTH, HEIGHT, DPI = 10.0, 3.0, 100


def _figure(height: float) -> Figure:
    """A figure with fixed margins in inches: measuring every label would take longer than all the drawing."""
    figure = Figure(figsize=(WIDTH, height), dpi=DPI)
    figure.subplots_adjust(left=0.65 / WIDTH, right=1.0 - 0.15 / WIDTH, bottom=0.55 / height, top=1.0 - 0.3 / height)
    return figure


def _pixels(figure: Figure) -> np.ndarray:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _small(tokens: Sequence[str]) -> int:
    """Size of the letters for a row of labels."""
    return 7 if len(tokens) <= 80 else 5


def spectrogram_pair(titles: tuple[str, ...], mels: Sequence[np.ndarray], hop_seconds: float) -> np.ndarray:
    """Log-mel spectrograms (T, n_mel), one below the other on one time axis and one colour scale: pixels (H, W, 3)."""
    figure = _figure(HEIGHT * len(mels))
    figure.subplots_adjust(hspace=0.25)
    low, high = min(mel.min() for mel in mels), max(mel.max() for mel in mels)
    longest = max(len(mel) for mel in mels) * hop_seconds
    for row, (title, mel) in enumerate(zip(titles, mels)):
        axis = figure.add_subplot(len(mels), 1, row + 1)
        extent = (0.0, len(mel) * hop_seconds, 0.0, float(mel.shape[1]))
        image = axis.imshow(
            mel.T, origin="lower", aspect="auto", extent=extent, vmin=max(low, high - 12.0), vmax=high, cmap="magma"
        )
        axis.set(ylabel="mel band", xlim=(0.0, longest))
        axis.set_title(title, fontsize=9, parse_math=False)  # a text with two dollar signs is no formula
        figure.colorbar(image, ax=axis, pad=0.01, fraction=0.05)
    axis.set_xlabel("seconds")
    return _pixels(figure)


def alignment(log_probability: np.ndarray, path: np.ndarray, tokens: Sequence[str]) -> np.ndarray:
    """Log-probability (T, N) of each token in each frame, scaled to a sum of 1, and the path (T,): pixels (H, W, 3)."""
    log_probability = log_probability - log_probability.max(axis=1, keepdims=True)
    probability = np.exp(log_probability) / np.exp(log_probability).sum(axis=1, keepdims=True)
    figure = _figure(max(HEIGHT, 0.12 * len(tokens) + 1))
    figure.subplots_adjust(right=1.0 - 0.5 / WIDTH)  # room for the scale's label
    axis = figure.add_subplot()
    image = axis.imshow(probability.T, origin="lower", aspect="auto", cmap="viridis", vmin=0.0, vmax=1.0)
    figure.colorbar(image, ax=axis, pad=0.01, fraction=0.05, label="probability")
    axis.step(np.arange(len(path)), path, where="mid", color="red", linewidth=1.0, label="chosen path")
    axis.legend(loc="upper left", fontsize=8)
    axis.set_xlabel("frame")
    axis.set_yticks(np.arange(len(tokens)), tokens, fontsize=_small(tokens))
    return _pixels(figure)


def token_curves(
    target: np.ndarray, predicted: np.ndarray, tokens: Sequence[str], label: str, bars: bool = False
) -> np.ndarray:
    """A value of each token (N,) from the recording and from the predictor: pixels (H, W, 3)."""
    figure = _figure(HEIGHT)
    axis = figure.add_subplot()
    positions = np.arange(len(tokens))
    for label_of, values, shift in (("recording", target, -0.2), ("predicted", predicted, 0.2)):
        if bars:
            axis.bar(positions + shift, values, 0.4, label=label_of)
        else:
            axis.plot(positions, values, "o-", markersize=3, label=label_of)
    axis.set(ylabel=label, xlim=(-1, len(tokens)))
    axis.legend(fontsize=8)
    axis.set_xticks(positions, tokens, fontsize=_small(tokens), rotation=90)
    return _pixels(figure)
