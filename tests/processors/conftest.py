"""Shared by the tests of recordings."""

from __future__ import annotations

import pytest

from config.schema import PreprocessConfig
from models.registry import load_config
from utils.files import PROJECT_ROOT


@pytest.fixture(scope="session")
def preprocess() -> PreprocessConfig:
    """The recipe's own settings."""
    return load_config(PROJECT_ROOT / "egs/tts/Jets/exp_config.json").preprocess
