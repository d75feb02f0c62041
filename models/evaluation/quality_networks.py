"""Quality without a reference, as networks predict it: DNSMOS and Distill-MOS (optional packages, MIT).

DNSMOS, from `speechmos`: Reddy, Gopal and Cutler, "DNSMOS P.835" (arXiv 2110.01763) for speech (SIG), background (BAK)
and overall (OVRL) quality, and "DNSMOS" (arXiv 2010.15258) for P.808. It was made to rank noise suppressors: it favours
clean synthesis over real rooms, and the first three depend on the level, so that all clips are brought to one level
first. Distill-MOS, from `distillmos`: Stahl and Gamper (arXiv 2502.05356); it normalises the level itself.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import torch

from config.schema import EvaluateConfig
from processors.audio.recording import AudioProblem, active_level_db, resample
from utils.errors import one_line

SAMPLE_RATE = 16000
DNSMOS_WINDOW = 144_160  # samples that DNSMOS hears at a time: 9.01 s
DNSMOS_NAMES = {"sig_mos": "sig", "bak_mos": "bak", "ovrl_mos": "ovrl", "p808_mos": "p808"}
Network = Callable[[np.ndarray], dict[str, float]]


class QualityNetworks:
    """The networks that the config asks for and that are installed; `notes` says which are not."""

    def __init__(self, config: EvaluateConfig) -> None:
        self.level_db = config.dnsmos_level_db
        self.notes: list[str] = []
        self.networks: dict[str, Network] = {}
        known = {"dnsmos": ("DNSMOS", "speechmos", dnsmos), "distillmos": ("Distill-MOS", "distillmos", distillmos)}
        for key, (name, package, load) in known.items():
            if not getattr(config, key):
                continue
            try:
                self.networks[key] = load()
            except ModuleNotFoundError as error:
                self.notes.append(f"{name} was left out: the package {error.name or package} is not installed.")
            except (ImportError, OSError) as error:  # OSError: a library of it does not load
                self.notes.append(f"{name} was left out: {package} cannot be loaded ({one_line(error)}).")

    @property
    def settings(self) -> dict[str, float]:
        """What changes their figures."""
        return {"dnsmos_level_db": self.level_db} if "dnsmos" in self.networks else {}

    def __call__(self, audio: np.ndarray, sample_rate: int) -> dict[str, float]:
        """What they say of audio (N,), each from 1 to 5; AudioProblem for silence."""
        if not self.networks:
            return {}
        level = active_level_db(audio, sample_rate)
        if not np.isfinite(level):
            raise AudioProblem("silent", "silence has no quality")
        gain = np.float32(10 ** ((self.level_db - level) / 20))
        scaled = np.clip(resample(audio * gain, sample_rate, SAMPLE_RATE), -1, 1)
        return {name: value for network in self.networks.values() for name, value in network(scaled).items()}


def dnsmos() -> Network:
    """DNSMOS on one thread: many clips are judged at once, and idle threads would spin. ImportError without it."""
    import onnxruntime
    from speechmos import dnsmos as package

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    folder = Path(package.__file__).parent / "dnsmos_models"

    class SingleThreaded(package.DNSMOS):
        def __init__(self) -> None:
            self.onnx_sess = onnxruntime.InferenceSession(folder / "sig_bak_ovr.onnx", options)
            self.p808_onnx_sess = onnxruntime.InferenceSession(folder / "model_v8.onnx", options)

    model = SingleThreaded()

    def judge(audio: np.ndarray) -> dict[str, float]:
        # The package repeats a short clip until it is long enough, and then averages over windows of the repetition.
        # One such window gives the same to within 0.01 on average, in a fraction of the time.
        scores = model(np.resize(audio, max(len(audio), DNSMOS_WINDOW)), SAMPLE_RATE, False)
        return {f"dnsmos_{ours}": float(scores[theirs]) for theirs, ours in DNSMOS_NAMES.items()}

    return judge


def distillmos() -> Network:
    """Distill-MOS, with the weights that its package carries. ImportError without it."""
    # It needs torchaudio for its own command line only, and torchaudio often does not load beside another torch.
    absent = "torchaudio" not in sys.modules
    if absent:
        sys.modules["torchaudio"] = ModuleType("torchaudio")
    try:
        from distillmos import ConvTransformerSQAModel
    finally:
        if absent:
            del sys.modules["torchaudio"]
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):  # it prints where its weights lie
        model = ConvTransformerSQAModel().eval()

    @torch.no_grad()
    def judge(audio: np.ndarray) -> dict[str, float]:
        return {"distillmos": model(torch.from_numpy(audio)[None]).item()}

    return judge
