"""Seeded, disjoint splits that hardly move when a corpus grows."""

from __future__ import annotations

import hashlib


def split_sizes(count: int, valid_size: int, test_size: int, max_fraction: float) -> tuple[int, int]:
    """How many of `count` utterances go to validation and test: what is asked for, but at most `max_fraction` each.

    From three utterances on, a split that is asked for gets at least one.
    """
    limit = max(int(max_fraction * count), 1 if count >= 3 else 0)
    return min(valid_size, limit), min(test_size, limit)


def assign_splits(texts: list[str], valid_size: int, test_size: int, max_fraction: float, seed: int) -> list[str]:
    """Split ("train", "valid" or "test") of each utterance, from its normalised text.

    Utterances of the same text, whatever the case, share a split. A text's place follows from a hash of it and the
    seed: test takes from the low end, validation from the high end, so that another utterance more or less moves
    texts only across those two borders.
    """
    groups: dict[str, list[int]] = {}
    for index, text in enumerate(texts):
        groups.setdefault(" ".join(text.casefold().split()), []).append(index)
    order = sorted(groups, key=lambda text: (_place(text, seed), text))
    valid, test = split_sizes(len(texts), valid_size, test_size, max_fraction)
    result = ["train"] * len(texts)
    for name, size, texts_in_order in (("test", test, order), ("valid", valid, order[::-1])):
        for text in texts_in_order:
            members = groups[text]
            # A text with more takes than there is room for stays in training.
            if len(members) > size or result[members[0]] != "train":
                continue
            size -= len(members)
            for index in members:
                result[index] = name
            if size == 0:
                break
    return result


def _place(text: str, seed: int) -> bytes:
    return hashlib.blake2b(f"{seed}\n{text}".encode(), digest_size=16).digest()
