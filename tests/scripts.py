"""Scripts of bins/ in this process, without the slow start of another one."""

from __future__ import annotations

import importlib.util
from types import ModuleType

from tests.tiny_voice import ROOT


def load_script(name: str) -> ModuleType:
    """bins/NAME.py as a module of its own, whose `main` reads sys.argv."""
    spec = importlib.util.spec_from_file_location(f"{name}_script", ROOT / f"bins/{name}.py")
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script
