"""Loading: inheritance, overrides, saving, and configs of older experiments."""

from __future__ import annotations

import json
import logging

import pytest

from config.schema import config_to_dict, save_config
from models.registry import load_config, load_experiment_config
from utils.files import PROJECT_ROOT

RECIPE = PROJECT_ROOT / "egs/tts/Jets/exp_config.json"


def test_recipe_has_the_promised_defaults(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # The current folder must not matter.
    config = load_config(RECIPE)
    assert config.model_type == "Jets"
    assert (config.train.batch_size, config.train.segment_size, config.train.learning_rate) == (16, 64, 2e-4)
    assert config.train.AdamW.betas == (0.8, 0.99)
    assert (config.log_dir, config.preprocess.processed_dir) == ("ckpts/tts", "data")


def test_later_files_win_key_by_key_and_lists_are_replaced(write):
    write(
        'train: {batch_size: 4, AdamW: {eps: 1e-8}}, dataset_path: {A: "a", B: "b"}, dataset: ["A", "B"]', "base.json"
    )
    path = write('train: {batch_size: 5}, dataset: ["A"], dataset_path: {A: "c"}', base="base.json")
    config = load_config(path)
    assert (config.train.batch_size, config.train.AdamW.eps, config.train.max_epoch) == (5, 1e-8, 100)
    assert config.dataset == ["A"]
    assert {"A": "c", "B": "b"}.items() <= config.dataset_path.items()


def test_base_is_found_from_the_root_beside_the_file_and_absolute(write, tmp_path):
    absolute = write("train: {batch_size: 3}", "absolute.json")
    beside = write("train: {max_epoch: 7}", "beside.json", base=str(absolute))
    config = load_config(write("", base=beside.name))
    assert (config.train.batch_size, config.train.max_epoch) == (3, 7)


def test_overrides_win_in_their_order(write):
    path = write("train: {batch_size: 4}")
    overrides = ["train.batch_size=8", "train.batch_size=9", "train.AdamW.betas=[0.5, 0.9]", "preprocess.fmax=null"]
    config = load_config(path, overrides)
    assert (config.train.batch_size, config.train.AdamW.betas, config.preprocess.fmax) == (9, (0.5, 0.9), None)


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("log_dir=runs/a b", "runs/a b"),
        ("log_dir=2024", "2024"),
        ("log_dir=a=b", "a=b"),
        ("log_dir=$HOME `x`", "$HOME `x`"),
    ],
)
def test_text_values_need_no_quotes(write, override, value):
    assert load_config(write(""), [override]).log_dir == value


def test_whole_numbers_may_be_written_with_an_exponent(write):
    config = load_config(write("train: {steps_per_epoch: 1e4, learning_rate: 1}"))
    assert (config.train.steps_per_epoch, config.train.learning_rate) == (10_000, 1.0)
    assert isinstance(config.train.steps_per_epoch, int) and isinstance(config.train.learning_rate, float)


def test_names_of_corpora_may_have_dots(write):
    overrides = ["dataset_path.my.voice=somewhere", 'dataset=["my.voice"]', "download.my.voice.size=5"]
    overrides += [f"download.my.voice.sha256={'0' * 64}", "download.my.voice.url=http://localhost/x.tar"]
    config = load_config(write(""), overrides)
    assert (config.dataset_path["my.voice"], config.download["my.voice"].size) == ("somewhere", 5)


def test_saved_config_loads_as_the_same_config(write, tmp_path):
    config = load_config(write('log_dir: "Käse/\\"x\\"", train: {lr_decay: 0.1234567890123}'))
    save_config(config, tmp_path / "expt" / "config.json")
    assert load_experiment_config(tmp_path / "expt") == config
    assert json.loads((tmp_path / "expt" / "config.json").read_text()) == config_to_dict(config)
    assert [path.name for path in (tmp_path / "expt").iterdir()] == ["config.json"]


def test_older_experiments_take_todays_defaults_and_lose_dead_keys_with_one_warning(write, tmp_path, caplog):
    tree = config_to_dict(load_config(write("train: {batch_size: 3}")))
    del tree["train"]["ema_decay"], tree["inference"]
    tree["train"]["gone"] = 1
    tree["ancient"] = {"a": 1}
    (tmp_path / "config.json").write_text(json.dumps(tree))
    with caplog.at_level(logging.WARNING):
        config = load_experiment_config(tmp_path, ["inference.speed=2"])
    assert (config.train.batch_size, config.train.ema_decay, config.inference.speed) == (3, 0.0, 2.0)
    assert len(caplog.records) == 1
    assert "train.gone, ancient" in caplog.text


@pytest.mark.parametrize("key", ["compile", "channels_last"])
def test_keys_that_are_gone_load(write, tmp_path, caplog, key):
    config = load_config(write(""))
    tree = config_to_dict(config)
    tree["train"][key] = True
    (tmp_path / "config.json").write_text(json.dumps(tree))
    assert load_experiment_config(tmp_path) == config and not caplog.text
    assert load_config(write(""), [f"train.{key}=true"]) == config
    assert f"no effect here and are left out: --set: train.{key}" in caplog.text
