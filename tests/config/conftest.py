"""Config files in a temporary folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a config file that builds on the recipe's defaults."""

    def written(text: str, name: str = "exp.json", base: str | None = "config/jets.json") -> Path:
        path = tmp_path / name
        head = f'base_config: "{base}", ' if base else ""
        path.write_text(f"{{{head}{text}}}", encoding="utf-8")
        return path

    return written
