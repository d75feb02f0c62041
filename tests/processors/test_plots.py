"""Pictures show what they are given."""

from __future__ import annotations

import numpy as np

from processors import plots


def test_alignment_draws_the_path_over_the_probabilities() -> None:
    log_p = np.full((40, 5), -20.0)
    path = np.repeat(np.arange(5), 8)
    log_p[np.arange(40), path] = 0.0
    picture = plots.alignment(log_p - 7.0, path, list("abcde"))
    assert picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3
    red, yellow = [255, 0, 0], [253, 231, 36]
    assert (picture == red).all(axis=2).sum() > 200
    # A frame's best token is shown as certain, whatever a prior took from all of them.
    assert (np.abs(picture.astype(int) - yellow).max(axis=2) <= 3).sum() > 2000
    other = plots.alignment(log_p, path[::-1].copy(), list("abcde"))
    assert not np.array_equal(picture, other)


def test_spectrograms_share_one_time_axis() -> None:
    long, short = np.zeros((200, 10)), np.zeros((100, 10))
    long[:, 5] = short[:, 5] = 3.0
    picture = plots.spectrogram_pair(("one", "two"), [long, short], 0.01)
    upper, lower = np.array_split(picture, 2)
    bright = [(np.abs(half.astype(int) - [252, 253, 191]).max(axis=2) < 12).any(axis=0).nonzero()[0].max()
              for half in (upper[:, :880], lower[:, :880])]  # fmt: skip
    assert bright[0] > 1.5 * bright[1]
