"""Every mistake in a config gets one sentence that names the file, the key and what to do."""

from __future__ import annotations

import re

import pytest

from models.registry import load_config
from utils.errors import UserError


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # keys
        ("train: {batchsize: 4}", "exp.json: unknown key train.batchsize; did you mean train.batch_size?"),
        ("batch_size: 4", "exp.json: unknown key batch_size; did you mean train.batch_size?"),
        ("train: {adamW: {}}", "unknown key train.adamW; did you mean train.AdamW?"),
        ("xyzzy: 1", "unknown key xyzzy; keys of the top level: model_type, dataset"),
        # types
        ("train: {batch_size: '4'}", 'train.batch_size must be a whole number, but "4" is given'),
        ("train: {batch_size: 4.5}", "train.batch_size must be a whole number, but 4.5 is given"),
        ("train: {deterministic: 'yes'}", 'train.deterministic must be true or false, but "yes" is given'),
        ("log_dir: 5", "log_dir must be text in quotes, but 5 is given"),
        ("dataset: 'LJSpeech'", 'dataset must be a list in [ ], but "LJSpeech" is given'),
        ("train: {AdamW: {betas: [0.9]}}", "train.AdamW.betas has too few entries"),
        ("train: 4", "exp.json: train is a section of keys in { }, but 4 is given"),
        ("preprocess: {fmax: 'x'}", 'preprocess.fmax must be a number or null, but "x" is given'),
        ("train: {learning_rate: Infinity}", "train.learning_rate must be a finite number below 1e300"),
        (f"train: {{batch_size: 0x{'f' * 50_000}}}", "train.batch_size must be a finite number"),
        (f"train: 0x{'f' * 50_000}", "train must be a finite number"),
        ("preprocess: {processed_dir: 'a\\0b'}", "preprocess.processed_dir holds NUL"),
        ("dataset_path: {'\\ud800': 'x'}", "dataset_path holds NUL, or half of a pair"),
        (f"dataset: {'[' * 30}{']' * 30}", "dataset is nested too deeply"),
        ("model: {encoder: {layers: 1e8}}", "model.encoder.layers must be at most 256, but 100000000.0 is given"),
        # limits
        ("train: {batch_size: 0}", "train.batch_size must be above 0, but 0 is given"),
        ("train: {AdamW: {betas: [0.9, 1]}}", "train.AdamW.betas[1] must be below 1, but 1 is given"),
        ("train: {precision: 'bf1'}", 'but "bf1" is given; did you mean "bf16"?'),
        # rules over several keys
        ("preprocess: {n_fft: 512}", "exp.json: preprocess: n_fft (512) must be at least win_size (1024)"),
        ("preprocess: {hop_size: 300}", "must equal preprocess.hop_size (300)"),
        ("preprocess: {fmax: 20000}", "fmax (20000.0 Hz) must lie above fmin and at most at half the sample rate"),
        ("train: {segment_size: 2}", "train.segment_size (2 frames of 256 samples) is shorter than one spectrum"),
        ("model: {hidden_channels: 255}", "exp.json: model: hidden_channels (255) must divide by encoder.heads (2)"),
        ("dataset: ['mine']", "dataset names 'mine', which has no folder in dataset_path"),
        ("dataset: ['../x']", "dataset names '../x'; a name is made of letters"),
        # model_type
        ("model_type: 'jets'", """model_type must be one of "Jets", but 'jets' is given; did you mean "Jets"?"""),
        ("download: {Mine: {url: 'x'}}", "the keys download.Mine.size, download.Mine.sha256 are missing"),
    ],
)
def test_message(write, text, message):
    with pytest.raises(UserError) as caught:
        load_config(write(text))
    assert message in str(caught.value)
    assert "exp.json" in str(caught.value)


def test_the_file_with_the_mistake_is_named_and_not_the_one_that_was_given(write):
    write("train: {batch_size: -1}", "middle.json")
    with pytest.raises(UserError, match=r"middle\.json: train\.batch_size"):
        load_config(write("train: {max_epoch: 3}", "top.json", base="middle.json"))


def test_a_broken_rule_names_the_last_file_that_touched_it(write):
    write("preprocess: {sample_rate: 16000}", "middle.json")
    with pytest.raises(UserError, match=r"top\.json: preprocess: fmax"):
        load_config(write("preprocess: {fmax: 9000}", "top.json", base="middle.json"))


def test_all_mistakes_are_named_at_once(write):
    with pytest.raises(UserError) as caught:
        load_config(write("train: {batch_size: 0, max_epochs: 3}, log_dir: 1"))
    assert len(str(caught.value).splitlines()) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"), ("{a: 1\n b: 2}", 'line 2, column 2: unexpected "b"; a comma'),
        ("{\n\na: {b: 1}\n", "the { of line 1 is never closed"),
        ("{a: 'x\n'}", "a string must end on the line it starts on"),
        ("{# x\n}", 'unexpected "#"; comments start with //'), ("{a: True}", "true, false and null are lower case"),
        ("{a: 1, a: 2}", "the key 'a' stands twice"), ("[1]", "a config file holds one section"),
        ("{base_config: 'nowhere.json'}", "base_config 'nowhere.json' does not exist (looked for"),
        ("{}", 'the key model_type is missing (known: "Jets")'),
        ("{model_type: 'Jets'}", 'are missing; start from a base, for instance "base_config"'),
    ],
)  # fmt: skip
def test_files_that_cannot_be_read(write, tmp_path, text, message):
    path = tmp_path / "exp.json"
    path.write_text(text)
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        load_config(path)
    assert "exp.json: " in str(caught.value)


def test_no_file_folder_and_wrong_encoding(tmp_path):
    with pytest.raises(UserError, match="no such config file"):
        load_config(tmp_path / "exp.json")
    with pytest.raises(UserError, match="is a folder"):
        load_config(tmp_path)
    (tmp_path / "exp.json").write_bytes(b"{log_dir: '\xff'}")
    with pytest.raises(UserError, match="not UTF-8"):
        load_config(tmp_path / "exp.json")


def test_circle_of_bases(write):
    write("", "a.json", base="b.json")
    write("", "b.json", base="a.json")
    with pytest.raises(UserError, match=r"leads in a circle: .*a\.json -> .*b\.json -> .*a\.json"):
        load_config(write("", "c.json", base="a.json"))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.batch_size", "expected section.key=value"),
        ("train.batchsize=3", "--set: unknown key train.batchsize; did you mean train.batch_size?"),
        ("train.batch_size=three", '--set: train.batch_size must be a whole number, but "three" is given'),
        ("train=3", "--set: train is a section"), ("model_type=VITS", "--set model_type: model_type must be one of"),
        ("log_dir=a\0b", "--set log_dir: log_dir holds NUL"), (f"dataset={'[' * 100_000}", "must be a list"),
    ],
)  # fmt: skip
def test_overrides(write, override, message):
    with pytest.raises(UserError, match=re.escape(message)):
        load_config(write(""), [override])
