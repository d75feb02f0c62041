"""What the children of the fork server do: the three stages, in this process, on tiny data."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from utils.files import PROJECT_ROOT

CONFIG = PROJECT_ROOT / "config/jets.json"


def warm_up() -> None:
    """Import and compile, without a thread left behind, whatever the stages need."""
    import matplotlib.backends.backend_agg  # noqa: F401
    import matplotlib.figure  # noqa: F401
    import tensorboard.compat.tensorflow_stub  # noqa: F401
    import torch
    import torch.utils.tensorboard  # noqa: F401

    torch.set_num_threads(1)

    import models.tts.jets.synthesizer  # noqa: F401
    import models.tts.jets.trainer  # noqa: F401
    import models.tts.speaking  # noqa: F401
    import preprocessors.pipeline  # noqa: F401
    from models.kernels.monotonic import search_paths
    from processors.text.frontend import TextFrontEnd

    # The first optimiser of a process imports torch's compiler.
    torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], fused=True)
    torch.use_deterministic_algorithms(False)
    one = torch.ones(1, dtype=torch.int64)
    search_paths(torch.zeros(1, 1, 1), one, one)
    TextFrontEnd().phonemise("Warm up the dictionaries and the model for unknown wordlets.")


def train(overrides: list[str], name: str) -> None:
    """Stage 2, as `bins/train.py --resume` does it."""
    from models.base.experiment import Experiment
    from models.registry import load_config
    from models.tts.jets.trainer import Trainer

    config = load_config(CONFIG, overrides)
    Trainer(config, Experiment.named(name, config), resume=True).run()


def stage1(config: str, dataset: str) -> None:
    """Stage 1, as `bins/preprocess.py` does it, with its workers' part in this process."""
    from models.registry import load_config
    from preprocessors import features, pipeline

    def run_here(make: Callable[..., Any], arguments: tuple, jobs: list, workers: int) -> Iterator[Any]:
        work = make(*arguments) if jobs else None
        for job in jobs:
            yield work(job, {})

    pipeline.run_jobs, features.LARGEST_GROUP = run_here, 3
    pipeline.preprocess_dataset(load_config(config), dataset)


def speak(**flags: Any) -> None:
    """Stage 3, as `bins/inference.py` does it."""
    from bins import recipe
    from models.tts.speaking import run

    paths = ("expt_dir", "output_dir", "text_file", "config")
    names = (
        "expt_dir", "output_dir", "mode", "dataset", "testing_set", "text", "text_file", "stream", "speed", "pitch",
        "energy", "checkpoint", "device", "config",
    )  # fmt: skip
    values = {
        **dict.fromkeys(names),
        "testing_set": "test",
        "stream": False,
        "explain": False,
        "device": "cpu",
        "overrides": [],
        **flags,
    }
    values = {key: Path(value) if key in paths and value is not None else value for key, value in values.items()}
    arguments = argparse.Namespace(**values)
    arguments.mode = recipe.chosen_mode(arguments)
    run(arguments)
