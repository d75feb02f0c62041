"""The front-end of ESPnet's voices, by known answers; tests/parity compares it with ESPnet itself."""

from __future__ import annotations

import pickle
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from models.registry import load_config
from processors.espnet.espnet_phones import EspnetPhones, clean
from processors.espnet.g2p_model import g2p_en_folder
from processors.text.frontend import TextFrontEnd
from processors.text.tokens import save_tokens
from utils.errors import UserError
from utils.files import PROJECT_ROOT

TOKENS = ["<blank>", "<unk>", "HH", "AH0", "L", "OW1", "W", "ER1", "D", ",", ".", "?", "<sos/eos>"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(Hello-World);   &  jr. & dr.", "HELLO WORLD, AND JUNIOR AND DOCTOR"),
        ("It cost $3.50 in 1999.", "IT COST THREE DOLLARS, FIFTY CENTS IN NINETEEN NINETY NINE."),
        ("The 21st of 1,000,000", "THE TWENTY FIRST OF ONE MILLION"),
        (
            "2000, 2005, 1900, 1066, 3.14",
            "TWO THOUSAND, TWO THOUSAND FIVE, NINETEEN HUNDRED, TEN SIXTY SIX, THREE POINT FOURTEEN",
        ),
        ("“Naïve” café…", "NAIVE CAFE..."), ("$0.01 and $1 and $0", "ONE CENT AND ONE DOLLAR AND ZERO DOLLARS"),
    ],
)  # fmt: skip
def test_cleaning(text: str, expected: str) -> None:
    assert clean(text) == expected


def test_tokens_without_start_end_or_words() -> None:
    front_end = TextFrontEnd(EspnetPhones(TOKENS))
    assert front_end.phonemise("Hello, world?") == ["HH", "AH0", "L", "OW1", ",", "W", "ER1", "L", "D", "?"]
    assert front_end.encode("Hello!") == [2, 3, 4, 5, TOKENS.index("<unk>")]
    assert front_end.left_out("Naïve Straße, Привет 😀") == ["Привет"]
    assert pickle.loads(pickle.dumps(front_end)).encode("Hello.") == front_end.encode("Hello.")


def test_the_table_comes_from_the_voice(tmp_path: Path) -> None:
    save_tokens(tmp_path / "tokens.json", TOKENS, "espnet", "en-us")
    keys = ["preprocess.phone_extractor=espnet", f"preprocess.tokens_path={tmp_path}/tokens.json"]
    preprocess = load_config(PROJECT_ROOT / "config/jets.json", keys).preprocess
    assert TextFrontEnd.from_config(preprocess).tokens == TOKENS
    with pytest.raises(UserError, match="needs preprocess.tokens_path"):
        TextFrontEnd.from_config(load_config(PROJECT_ROOT / "config/jets.json", keys[:1]).preprocess)
    save_tokens(tmp_path / "tokens.json", ["<pad>", "^", "$", "AA1"], "lexicon", "en-us")
    with pytest.raises(UserError, match="no token table of a voice converted from ESPnet"):
        TextFrontEnd.from_config(preprocess)


@pytest.mark.parametrize("package", ["g2p_en", "inflect", "nltk"])
def test_a_missing_package_is_named_with_its_file(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == package else ModuleSpec(name, None))
    g2p_en_folder.cache_clear()
    with pytest.raises(UserError, match=f"needs the package {package}: .*requirements-espnet.txt"):
        EspnetPhones(TOKENS)
