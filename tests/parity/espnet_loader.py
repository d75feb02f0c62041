"""Load an exported voice with ESPnet's own task and speak ids with it: a process of its own, because of the stand-ins.

usage: espnet_loader.py FOLDER IDS.npy WAVE.npy
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
import types
from pathlib import Path
from unittest.mock import MagicMock

# ESPnet's task module imports what only speech recognition and its trainer need; some of it has to be compiled.
STAND_INS = ("torchaudio", "s3prl", "h5py", "kaldiio", "sentencepiece", "pyworld", "opt_einsum")


class StandIns(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Empty modules for packages that are not installed and not used here."""

    def find_spec(self, name: str, path: object, target: object = None) -> importlib.machinery.ModuleSpec | None:
        """A module for every name below STAND_INS."""
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if name.split(".")[0] in STAND_INS else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        """Anything can be imported from it."""
        module = MagicMock(name=spec.name)
        module.__path__, module.__spec__, module.__version__ = [], spec, "9.9"
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        """Nothing to run."""


def main() -> None:
    """See the module."""
    folder, ids, wave = map(Path, sys.argv[1:])
    import nltk
    import numpy as np
    import torch

    # g2p_en wants to download data on import; nothing here reads text.
    nltk.download = lambda *_args, **_kwargs: True
    sys.meta_path.append(StandIns())
    from espnet2.tasks.gan_tts import GANTTSTask

    (model_file,) = folder.glob("*.pth")
    model, arguments = GANTTSTask.build_model_from_file(folder / "config.yaml", model_file)
    # The task loads leniently; nothing may be missing or superfluous.
    model.load_state_dict(torch.load(model_file, weights_only=True), strict=True)
    assert len(arguments.token_list) == model.tts.generator.encoder.embed[0].num_embeddings
    model.eval()
    with torch.no_grad():
        spoken = model.tts.inference(torch.from_numpy(np.load(ids)))["wav"]
    np.save(wave, spoken.numpy())


main()
