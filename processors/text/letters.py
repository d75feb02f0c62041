"""The sound of a word that nobody listed: a small transformer over its letters, in numpy.

tests/benchmarks/train_letters.py trains it.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from pathlib import Path

import numpy as np

# The network's alphabet: padding, the start of a word and of a name, the end, letters.
WORD, NAME = "<", "^"
LETTERS = "_<^>abcdefghijklmnopqrstuvwxyz'áàâãäåæçčćéèêëíîïłñóôōõöøœßšşśțúûùüýžż"
_IDS = {letter: index for index, letter in enumerate(LETTERS)}
_FILE = Path(__file__).with_name("data") / "letters.npz"
_FAR = 16


def distance_index(length: int) -> np.ndarray:
    """Which bias belongs to each pair of places (T, T): their distance, 16 and more alike."""
    places = np.arange(length)
    return np.clip(places[None] - places[:, None], -_FAR, _FAR) + _FAR


def _normed(x: np.ndarray, scale: np.ndarray, shift: np.ndarray) -> np.ndarray:
    width = x.shape[-1]
    x = x - x.sum(axis=-1, keepdims=True) / width
    return x / np.sqrt((x * x).sum(axis=-1, keepdims=True) / width + 1e-5) * scale + shift


class _Block:
    """One layer: attention over what it has seen so far, and a feed-forward part."""

    def __init__(self, weights: dict[str, np.ndarray], name: str) -> None:
        def layer(part: str) -> tuple[np.ndarray, np.ndarray]:
            weight = weights[f"{name}.{part}.weight"]
            # A product with a contiguous matrix is twice as fast.
            return np.ascontiguousarray(weight.T), weights[f"{name}.{part}.bias"]

        self.norm1, self.norm2 = layer("norm1"), layer("norm2")
        self.qkv, self.out, self.up, self.down = layer("qkv"), layer("out"), layer("up"), layer("down")
        self.distance = weights[f"{name}.distance"]

    def __call__(self, x: np.ndarray, past: np.ndarray | None, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """x (T, C) and the keys and values so far (2, H, S, C / H) -> the same after this layer.

        :param bias: (H, T, S + T), added to the scores.
        """
        time, width = x.shape
        heads = len(self.distance)
        projected = _normed(x, *self.norm1) @ self.qkv[0] + self.qkv[1]
        q, *seen = projected.reshape(time, 3, heads, -1).transpose(1, 2, 0, 3)
        keys, values = seen if past is None else np.concatenate((past, seen), axis=2)
        scores = np.exp(q @ keys.swapaxes(-1, -2) / np.float32(np.sqrt(width // heads)) + bias)
        attended = (scores / scores.sum(axis=-1, keepdims=True) @ values).swapaxes(0, 1).reshape(time, width)
        x = x + attended @ self.out[0] + self.out[1]
        hidden = np.maximum(_normed(x, *self.norm2) @ self.up[0] + self.up[1], 0)
        return x + hidden @ self.down[0] + self.down[1], np.stack((keys, values))


class LetterToSound:
    """Phones of a word by its letters; a word that begins with a capital is read as a name."""

    def __init__(self, path: Path = _FILE) -> None:
        weights: dict[str, np.ndarray] = {}
        with np.load(path, allow_pickle=False) as archive:
            self._groups = [tuple(group.split()) for group in archive["groups"].tolist()]
            for name in archive.files:
                if name.endswith(".scale") or name == "groups":
                    continue
                array = archive[name].astype(np.float32)
                weights[name] = array * archive[name + ".scale"] if name + ".scale" in archive.files else array
        self._letter_rows, self._group_rows = weights["letters.weight"], weights["groups.weight"]
        self._middle, self._last = ((weights[f"{n}.weight"], weights[f"{n}.bias"]) for n in ("middle", "last"))
        self._classes = np.ascontiguousarray(weights["classes.weight"].T), weights["classes.bias"]
        layers = sorted({name.rsplit(".", 1)[0] for name in weights if name.endswith(".distance")})
        self._encoder = [_Block(weights, name) for name in layers if name.startswith("encoder")]
        self._decoder = [_Block(weights, name) for name in layers if name.startswith("decoder")]

    def __call__(self, word: str) -> list[str]:
        """Phones of a word of letters (and apostrophes); letters that the network never met lose their accents."""
        start = NAME if word[:1].isupper() else WORD
        letters = [piece for letter in word.lower() for piece in _known(letter)]
        ids = [_IDS[start], *(_IDS[letter] for letter in letters), _IDS[">"]]
        index = distance_index(len(ids))
        x = self._letter_rows[ids]
        for block in self._encoder:
            x, _ = block(x, None, block.distance[:, index])
        # The likeliest group of phones for each letter, knowing those before.
        pasts: list[np.ndarray | None] = [None] * len(self._decoder)
        biases = [block.distance[:, index] for block in self._decoder]
        chosen = [0]
        for place, vector in enumerate(_normed(x, *self._middle)):
            x = (vector + self._group_rows[chosen[-1]])[None]
            for layer, block in enumerate(self._decoder):
                x, pasts[layer] = block(x, pasts[layer], biases[layer][:, place : place + 1, : place + 1])
            chosen.append(int(np.argmax(_normed(x[0], *self._last) @ self._classes[0] + self._classes[1])))
        return [phone for group in chosen for phone in self._groups[group]]


@lru_cache(maxsize=1024)
def _known(letter: str) -> str:
    """A letter as the network knows it."""
    if letter in _IDS and letter not in "_<^>":
        return letter
    return "".join(base for base in unicodedata.normalize("NFKD", letter) if base.isalpha() and base in _IDS)
