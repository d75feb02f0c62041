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
