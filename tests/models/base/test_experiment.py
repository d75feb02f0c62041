"""What an experiment folder accepts, with the sentence for everything else."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from models.base.checkpoints import save_checkpoint
from models.base.experiment import Experiment, check_source, token_difference
from models.registry import load_config
from processors.text.tokens import lexicon_tokens
from tests.scripts import load_script
from utils.errors import UserError

CONFIG = Path(__file__).resolve().parents[3] / "config/jets.json"
TOKENS = lexicon_tokens()


def experiment(tmp_path: Path, *overrides: str) -> Experiment:
    return Experiment.named("voice", load_config(CONFIG, [f"log_dir={tmp_path}", *overrides]))


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    one = experiment(tmp_path)
    one.open(resume=False)
    one.write(TOKENS)
    save_checkpoint(one.directory, 10, {"network": {}}, {}, {})
    return one.directory


def test_a_used_name_is_refused_without_resume(tmp_path: Path, trained: Path) -> None:
    with pytest.raises(UserError, match="holds an experiment already.*--resume.*--name"):
        experiment(tmp_path).open(resume=False)
    assert experiment(tmp_path).open(resume=True) == []


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("model.encoder.layers=3", "model.encoder.layers was 4, now 3"),
        ("preprocess.n_mel=100", "preprocess.n_mel was 80, now 100"),
        ("preprocess.trim_silence=true", "preprocess.trim_silence was False, now True"),
        ("model.generators.hifigan.channels=256", "model.generators.hifigan.channels was 512"),
        ("model.generator=istft", "model.generator was 'hifigan', now 'istft'"),
    ],
)
def test_changes_that_weights_cannot_follow_are_refused(
    tmp_path: Path, trained: Path, override: str, words: str
) -> None:
    with pytest.raises(UserError, match=words):
        experiment(tmp_path, override).open(resume=True)


def test_harmless_changes_are_taken_and_noted(tmp_path: Path, trained: Path) -> None:
    one = experiment(
        tmp_path, "train.max_epoch=7", "train.batch_size=3", "train.loss.mel=40", "preprocess.num_workers=1",
        "preprocess.processed_dir=/elsewhere", "model.generators.istft.layers=2",
    )  # fmt: skip
    notes = one.open(resume=True)
    assert sorted(note.split(": ")[1] for note in notes) == [
        "train.batch_size 16 -> 3", "train.loss.mel 45.0 -> 40.0", "train.max_epoch 100 -> 7",
    ]  # fmt: skip


def test_other_tokens_are_refused(tmp_path: Path, trained: Path) -> None:
    one = experiment(tmp_path)
    one.check_tokens(TOKENS)
    with pytest.raises(UserError, match="other tokens.*only here: XX YY"):
        one.check_tokens([*TOKENS, "XX", "YY"])
    assert token_difference(TOKENS, TOKENS[:-1]).startswith("only there: ")
    assert token_difference(["a", "b"], ["b", "a"]) == "the same tokens in another order"


def test_finetuning_needs_the_same_model_and_tokens(tmp_path: Path, trained: Path) -> None:
    fits = load_config(CONFIG, ["model.encoder.dropout=0", "preprocess.trim_silence=true", "train.batch_size=2"])
    check_source(trained, TOKENS, fits)
    with pytest.raises(UserError, match="does not fit.*model.hidden_channels is 256 there, 128 here"):
        check_source(trained, TOKENS, load_config(CONFIG, ["model.hidden_channels=128"]))
    with pytest.raises(UserError, match="other tokens.*only here: XX"):
        check_source(trained, [*TOKENS, "XX"], fits)
    with pytest.raises(UserError, match="no experiment folder"):
        check_source(tmp_path / "nothing", TOKENS, fits)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "-x", "a\\b"])
def test_names_that_leave_the_folder_are_refused_at_once(name: str, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py", "--config", "nowhere.json", f"--name={name}"])
    assert load_script("train").main() == 2
    assert "names a folder below log_dir" in capsys.readouterr().err
