"""Which package trains and speaks which `model_type`; a new model is one line here and one folder."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

MODEL_PACKAGES: dict[str, str] = {
    "Jets": "models.tts.jets",
}


def model_module(model_type: str, name: str) -> ModuleType:
    """Import one module (`config`, `trainer`, `inference`) of the package behind `model_type`.

    Raises KeyError with the known names when `model_type` is not registered.
    """
    if model_type not in MODEL_PACKAGES:
        raise KeyError(f"model_type {model_type!r} is not known; known: {', '.join(MODEL_PACKAGES)}")
    return import_module(f"{MODEL_PACKAGES[model_type]}.{name}")
