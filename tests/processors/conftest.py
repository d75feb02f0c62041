"""Shared by the tests of recordings."""

from __future__ import annotations

import pytest

from utils.config import PROJECT_ROOT, load_config
from utils.config.schema import PreprocessConfig


@pytest.fixture(scope="session")
def preprocess() -> PreprocessConfig:
    """The recipe's own settings."""
    return load_config(PROJECT_ROOT / "egs/tts/Jets/exp_config.json").preprocess
