"""Folders and configs that do not make a voice: each is refused in a sentence that says what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models.tts.jets.synthesizer import Synthesizer
from processors.text.tokens import ipa_tokens, save_tokens
from tests.tiny_voice import make_experiment
from utils.config import load_experiment_config
from utils.errors import UserError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_experiment(tmp_path_factory.mktemp("voice"))


def test_a_config_that_does_not_fit_is_named_by_its_keys(folder: Path) -> None:
    overrides = ["model.hidden_channels=32", "model.discriminator.periods=[3]", "model.encoder.dropout=0"]
    with pytest.raises(UserError) as refused:
        Synthesizer.from_experiment(folder, "cpu", overrides=overrides)
    assert str(refused.value) == (
        f"{folder} does not fit this config: model.hidden_channels is 16 there, 32 here; speak with its own settings: "
        "leave out --config, and --set of these keys"
    )


@pytest.mark.parametrize("key", ["preprocess.sample_rate=16000", "model.encoder.heads=1"])
def test_settings_that_would_load_and_speak_wrongly_are_refused(folder: Path, key: str) -> None:
    with pytest.raises(UserError, match=rf"does not fit this config: {key.split('=')[0]} is \d+ there, \d+ here; "):
        Synthesizer.from_experiment(folder, "cpu", overrides=[key])


@pytest.mark.parametrize("readable", [True, False])
def test_weights_that_do_not_fit_for_no_known_setting_are_told_in_short(tmp_path: Path, readable: bool) -> None:
    expt = make_experiment(tmp_path / "voice", steps=(1,))
    config = load_experiment_config(expt)
    tree = json.loads((expt / "config.json").read_text())
    if readable:  # the settings are as they were, but other tokens give another shape
        save_tokens(expt / "tokens.json", [*ipa_tokens(), "XX"], "ipa", "en-us")
    else:
        (expt / "config.json").write_text("{")
        tree["model"]["hidden_channels"] = 32
        config = type(config).model_validate(tree)
    message = r"step_00000001 does not fit this model: \d+ entries differ, the first is \S+$"
    with pytest.raises(UserError, match=message):
        Synthesizer.from_experiment(expt, "cpu", config=config)
