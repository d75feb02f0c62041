"""Every config key is explained once, typed once, and read somewhere."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from models.registry import MODEL_PACKAGES, load_config, model_module
from utils.files import PROJECT_ROOT
from utils.layers import BASE_KEY, read_chain
from utils.strict import is_section, key_type, known_keys, plain_type

DEFAULTS = ("base", "tts", "jets")
# Sections whose keys the user names.
OPEN_SECTIONS = (("dataset_path",), ("corpora",), ("download",), ("train", "loss", "others"))


def leaves(tree: dict, at: tuple = ()) -> set[tuple]:
    """Key paths of all values; sections that the user fills count as one value."""
    found = set()
    for key, value in tree.items():
        path = (*at, key)
        found |= leaves(value, path) if isinstance(value, dict) and path not in OPEN_SECTIONS else {path}
    return found


def schema_leaves(model_type: str) -> set[tuple]:
    """Key paths of all values that the schema knows."""
    schema = getattr(model_module(model_type, "config"), f"{model_type}Config")
    return {path for path in known_keys(schema) if not is_section(plain_type(key_type(schema, path)))}


def read_names() -> set[str]:
    """Attributes that the code reads, texts (keys looked up by name), and parameters (sections passed as a whole)."""
    names: set[str] = set()
    for folder in ("bins", "models", "preprocessors", "processors", "utils"):
        for path in (PROJECT_ROOT / folder).rglob("*.py"):
            if path.name == "config.py":
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                    names.add(node.attr)
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    names.add(node.value)
                elif isinstance(node, ast.arg):
                    names.add(node.arg)
    return names


@pytest.mark.parametrize("model_type", MODEL_PACKAGES)
def test_files_and_schema_have_the_same_keys(model_type):
    chain = read_chain(PROJECT_ROOT / "config" / f"{model_type.lower()}.json")
    written = set().union(*(leaves(layer.tree) for layer in chain))
    assert written == schema_leaves(model_type)


def test_each_default_stands_in_one_file_only():
    layers = read_chain(PROJECT_ROOT / "config/jets.json")
    for i, first in enumerate(layers):
        for second in layers[i + 1 :]:
            assert not leaves(first.tree) & leaves(second.tree), (first.name, second.name)


@pytest.mark.parametrize("name", DEFAULTS)
def test_every_value_has_a_comment_above_it(name):
    lines = (PROJECT_ROOT / "config" / f"{name}.json").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        key = re.match(r'\s*"([^"]+)":\s*(.*)$', line)
        # Sections, and corpora by their name, are explained by what stands in and above them.
        if key and not key[2].startswith("{") and key[1] not in (BASE_KEY, "LJSpeech"):
            above = lines[number - 1].strip()
            assert above.startswith("//") and len(above) > 8, f"{name}.json, line {number + 1}: {key[1]}"


@pytest.mark.parametrize("model_type", MODEL_PACKAGES)
def test_every_key_is_read_somewhere(model_type):
    names = read_names()
    assert sorted(".".join(path) for path in schema_leaves(model_type) if path[-1] not in names) == []


@pytest.mark.parametrize("path", sorted(Path(PROJECT_ROOT / "egs").rglob("*config*.json")), ids=lambda p: p.name)
def test_configs_of_the_recipes_load(path):
    load_config(path)
