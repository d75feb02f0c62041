"""Imported by the process from which children are forked: it loads and compiles what the stages need.

It must not have started a thread, autograd's least of all: a fork would copy its locks.
"""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from pathlib import Path

import matplotlib.backends.backend_agg  # noqa: F401
import matplotlib.figure  # noqa: F401
import tensorboard.compat.tensorflow_stub  # noqa: F401
import torch
import torch.utils.tensorboard  # noqa: F401
import tqdm

import models.tts.jets.trainer  # noqa: F401
import preprocessors.pipeline  # noqa: F401
from models.kernels.monotonic import search_paths
from processors.audio.mel import MelSpectrogram
from tests.faults.children import run_script
from tests.faults.stages import Speaking

torch.set_num_threads(1)
tqdm.tqdm.monitor_interval = 0
# The first optimiser of a process imports torch's compiler.
torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], fused=True)
MelSpectrogram(8000, 256, 256, 64, 10, 0.0)  # imports scipy
_one = torch.ones(1, dtype=torch.int64)
search_paths(torch.zeros(1, 1, 1), _one, _one)
with tempfile.TemporaryDirectory() as _folder, contextlib.redirect_stdout(io.StringIO()):
    assert run_script("inference", *Speaking(None, Path(_folder)).flags("warm")) == 0
assert len(os.listdir("/proc/self/task")) == 1
