"""Tiny random voices, exported."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.models.tts.exchange.onnx.voices import make_voice


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without onnx and onnxruntime there is nothing to test here."""
    missing = [name for name in ("onnx", "onnxruntime") if find_spec(name) is None]
    if missing:
        reason = f"{' and '.join(missing)} not installed: pip install -r egs/tts/Jets/requirements-export.txt"
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[Path, Path]]:
    """Experiment and exported folder of a tiny voice, made once for each kind."""
    from models.tts.exchange.onnx_export import export_voice

    made: dict[tuple[str, str, str], tuple[Path, Path]] = {}

    def get(generator: str = "hifigan", extractor: str = "lexicon", precision: str = "fp32") -> tuple[Path, Path]:
        key = (generator, extractor, precision)
        if key not in made:
            root = tmp_path_factory.mktemp("export")
            experiment = make_voice(root / "experiment", generator, extractor)
            piper = extractor in ("espeak", "ipa")
            export_voice(experiment, root / "voice", None, precision, piper, check=1)
            made[key] = experiment, root / "voice"
        return made[key]

    return get
