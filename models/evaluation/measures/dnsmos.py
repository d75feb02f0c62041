"""DNSMOS: quality without a reference, as a network predicts it (optional package `speechmos`, MIT).

Source: Reddy, Gopal and Cutler, "DNSMOS P.835" (arXiv 2110.01763) for speech (SIG), background (BAK) and overall (OVRL)
quality, and "DNSMOS" (arXiv 2010.15258) for P.808. It was made to rank noise suppressors: it favours clean synthesis
over real rooms, and the first three depend on the level, so that all clips are brought to one level first.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np

from processors.audio.recording import active_level_db, resample

SAMPLE_RATE = 16000
WINDOW = 144_160  # samples that the network hears at a time: 9.01 s
NAMES = {"sig_mos": "dnsmos_sig", "bak_mos": "dnsmos_bak", "ovrl_mos": "dnsmos_ovrl", "p808_mos": "dnsmos_p808"}


def available() -> bool:
    """Whether `speechmos` can be imported."""
    try:
        import speechmos.dnsmos  # noqa: F401
    except ImportError:
        return False
    return True


def dnsmos(audio: np.ndarray, sample_rate: int, level_db: float) -> dict[str, float]:
    """SIG, BAK, OVRL and P.808 (each 1 to 5) of audio (N,), brought to `level_db` dBFS of active speech.

    Raises ImportError without `speechmos`, ValueError for silence.
    """
    model = _model()
    level = active_level_db(audio, sample_rate)
    if not np.isfinite(level):
        raise ValueError("silence has no quality")
    gain = 10 ** ((level_db - level) / 20)
    scaled = np.clip(resample(audio * np.float32(gain), sample_rate, SAMPLE_RATE), -1, 1)
    # The package repeats a short clip until it is long enough, and then averages over windows of the repetition.
    # One such window gives the same to within 0.01 on average, in a fraction of the time.
    if len(scaled) < WINDOW:
        scaled = np.resize(scaled, WINDOW)
    scores = model(scaled, SAMPLE_RATE, False)
    return {ours: float(scores[theirs]) for theirs, ours in NAMES.items()}


@lru_cache(maxsize=1)
def _model() -> Callable[[np.ndarray, int, bool], dict[str, float]]:
    """The package's model, on one thread: many clips are judged at once, and idle threads would spin."""
    import onnxruntime
    from speechmos import dnsmos as package

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    folder = Path(package.__file__).parent / "dnsmos_models"

    class SingleThreaded(package.DNSMOS):
        def __init__(self) -> None:
            self.onnx_sess = onnxruntime.InferenceSession(folder / "sig_bak_ovr.onnx", options)
            self.p808_onnx_sess = onnxruntime.InferenceSession(folder / "model_v8.onnx", options)

    return SingleThreaded()
