"""Write a resolved config beside what was made with it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from utils.atomic import write_json
from utils.config.schema import ExperimentConfig


def config_to_dict(config: ExperimentConfig) -> dict[str, Any]:
    """Plain dicts, lists and values of a config; loading them gives an equal config."""
    return config.model_dump(mode="json")


def save_config(config: ExperimentConfig, path: str | os.PathLike[str]) -> None:
    """Write a config as JSON; the file appears complete or not at all."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_json(target, config_to_dict(config))
