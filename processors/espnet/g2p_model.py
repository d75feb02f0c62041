"""Pronunciation of unknown words by g2p_en's network, without g2p_en's code, for voices from ESPnet.

`import g2p_en` downloads NLTK data and dies where there is no network, so that only the package's folder is looked up,
and its weights (a letter-to-phone GRU encoder and decoder, 128 units, Apache-2.0) are read as data.
"""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path

import numpy as np

from processors.text.arpabet import PHONES
from utils.errors import UserError

_LETTERS = {letter: 3 + index for index, letter in enumerate("abcdefghijklmnopqrstuvwxyz")}
_UNKNOWN_LETTER, _END_OF_WORD = 1, 2
_START, _STOP = 2, 3
# The model's own order of phones, after four special symbols; its "UW" without stress never wins in practice.
_PHONES = sorted([*PHONES, "UW"])
_MAX_PHONES = 20
REINSTALL = ".venv/bin/pip install --force-reinstall --no-deps g2p_en"


@lru_cache(maxsize=1)
def g2p_en_folder() -> Path:
    """Folder of the installed g2p_en, found without running any of its code.

    :raises UserError: g2p_en, or what else reads texts for ESPnet's voices, is not installed.
    """
    for name in ("g2p_en", "inflect", "nltk"):
        if importlib.util.find_spec(name) is None:
            install = ".venv/bin/pip install -r egs/tts/Jets/requirements-espnet.txt"
            raise UserError(f"a voice from ESPnet needs the package {name}: run `{install}`")
    spec = importlib.util.find_spec("g2p_en")
    return Path(str(spec and spec.origin)).parent


class _Cell:
    """One GRU: the input part of every symbol is computed once, a step is one small product."""

    def __init__(self, weights: dict[str, np.ndarray], name: str) -> None:
        embedding, w_ih, w_hh, b_ih, self.bias = (
            weights[f"{name}_{n}"] for n in ("emb", "w_ih", "w_hh", "b_ih", "b_hh")
        )
        self.inputs = embedding @ w_ih.T + b_ih  # (symbols, 3 * units)
        self.recurrent = np.ascontiguousarray(w_hh.T)  # (units, 3 * units)

    def __call__(self, symbol: int, hidden: np.ndarray) -> np.ndarray:
        """Next hidden state (units,)."""
        units = len(hidden)
        given, past = self.inputs[symbol], hidden @ self.recurrent + self.bias
        gates = 1.0 / (1.0 + np.exp(-(given[: 2 * units] + past[: 2 * units])))
        candidate = np.tanh(given[2 * units :] + gates[:units] * past[2 * units :])
        return (1.0 - gates[units:]) * candidate + gates[units:] * hidden


class LetterToPhone:
    """Greedy decoding of a word's letters into phones."""

    def __init__(self, checkpoint: Path | None = None) -> None:
        path = checkpoint or g2p_en_folder() / "checkpoint20.npz"
        try:
            with np.load(path, allow_pickle=False) as archive:
                weights = {name: archive[name].astype(np.float32) for name in archive.files}
            self._encoder, self._decoder = _Cell(weights, "enc"), _Cell(weights, "dec")
            self._out_weight, self._out_bias = np.ascontiguousarray(weights["fc_w"].T), weights["fc_b"]
        except (OSError, ValueError, KeyError) as error:
            raise UserError(f"model {path} of g2p_en cannot be read ({error}): run `{REINSTALL}`") from None

    def __call__(self, word: str) -> list[str]:
        """Phones of a lower-case word, at most 20 of them (the model's limit)."""
        hidden = np.zeros(len(self._encoder.recurrent), np.float32)
        for letter in word:
            hidden = self._encoder(_LETTERS.get(letter, _UNKNOWN_LETTER), hidden)
        hidden = self._encoder(_END_OF_WORD, hidden)
        symbol, phones = _START, []
        for _ in range(_MAX_PHONES):
            hidden = self._decoder(symbol, hidden)
            symbol = int(np.argmax(hidden @ self._out_weight + self._out_bias))
            if symbol == _STOP:
                break
            if symbol >= 4:
                phone = _PHONES[symbol - 4]
                phones.append("UW1" if phone == "UW" else phone)
        return phones


@lru_cache(maxsize=1)
def letter_to_phone() -> LetterToPhone:
    """The network of the installed package, read once."""
    return LetterToPhone()
