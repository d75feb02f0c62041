"""Frame energy without torch equals the module that training uses."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from processors.audio.frame_energy import MEL_FLOOR, frame_energy
from processors.audio.mel import MEL_FLOOR as TORCH_FLOOR
from processors.audio.mel import MelSpectrogram


@pytest.mark.parametrize(
    "n_fft, win_size, hop", [(1024, 1024, 256), (1024, 800, 200), (512, 400, 160), (2048, 1200, 300)]
)
@pytest.mark.parametrize("samples", [30000, 4096, 700, 256, 100])
def test_equals_the_torch_module(n_fft: int, win_size: int, hop: int, samples: int) -> None:
    generator = np.random.default_rng(samples)
    audio = generator.normal(0, 0.1, samples) * np.linspace(0, 1, samples) + 0.01
    audio = audio.astype(np.float32)
    module = MelSpectrogram(22050, n_fft, win_size, hop, 80)
    expected = module(torch.from_numpy(audio)[None])[1][0].numpy()
    result = frame_energy(audio, n_fft, win_size, hop)
    assert result.dtype == np.float32 and result.shape == (samples // hop,)
    np.testing.assert_allclose(result, expected, rtol=1e-4)


def test_silence_has_the_floor() -> None:
    assert MEL_FLOOR == TORCH_FLOOR
    np.testing.assert_allclose(frame_energy(np.zeros(2048, np.float32), 1024, 1024, 256), np.sqrt(MEL_FLOOR), rtol=1e-6)
