"""Typed, layered configuration: files in JSON5, overrides, and errors that say what to mend."""

from utils.config.load import load_config, load_experiment_config
from utils.config.paths import PROJECT_ROOT, project_path
from utils.config.save import config_to_dict, save_config

__all__ = [
    "PROJECT_ROOT",
    "config_to_dict",
    "load_config",
    "load_experiment_config",
    "project_path",
    "save_config",
]
