"""Which utterances train, and which are held out to validate and to test."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

# Of each of several speakers, where max_held_out_fraction allows them.
FEW = 2


def assign_splits(
    texts: list[str],
    valid_size: int,
    test_size: int,
    max_fraction: float,
    seed: int,
    speakers: Sequence[str] | None = None,
) -> list[str]:
    """Split ("train", "valid" or "test") of each utterance, from its normalised text and its speaker.

    Validation and test get what is asked for, but at most `max_fraction` of all, and from three utterances on at least
    one. Each speaker gives in proportion, and at least FEW where that is no larger a share of theirs. Utterances of the
    same text, whatever the case and the speaker, share a split. A text's place follows from a hash of it and the seed:
    test takes from the low end, validation from the high end, so that another utterance more or less moves texts only
    across those two borders.
    """
    speakers = speakers or [""] * len(texts)
    groups: dict[str, list[int]] = {}
    for index, text in enumerate(texts):
        groups.setdefault(" ".join(text.casefold().split()), []).append(index)
    places = {text: hashlib.blake2b(f"{seed}\n{text}".encode(), digest_size=16).digest() for text in groups}
    order = sorted(groups, key=lambda text: (places[text], text))
    result = ["train"] * len(texts)
    for name, size, texts_in_order in (("test", test_size, order), ("valid", valid_size, order[::-1])):
        room, total = _room(Counter(speakers), size, max_fraction)
        for members in (groups[text] for text in texts_in_order):
            if total == 0:
                break
            needed = Counter(speakers[index] for index in members)
            # A text with more takes than there is room for stays in training.
            fits = len(members) <= total and all(count <= room[speaker] for speaker, count in needed.items())
            if fits and result[members[0]] == "train":
                total -= len(members)
                room.subtract(needed)
                for index in members:
                    result[index] = name
    return result


def _room(counts: Counter[str], size: int, max_fraction: float) -> tuple[Counter[str], int]:
    """How many utterances a split of `size` takes of each speaker, who have `counts`, and of all together."""
    everyone = counts.total()
    least = min(FEW, size)
    room: Counter[str] = Counter()
    for speaker, count in counts.items():
        share = max(round(size * count / everyone), least)
        room[speaker] = min(share, int(max_fraction * count))
    if total := room.total():
        return room, total
    # Nobody alone has enough for that.
    limit = max(int(max_fraction * everyone), 1 if everyone >= 3 else 0)
    return Counter(dict.fromkeys(counts, size)), min(size, limit)
