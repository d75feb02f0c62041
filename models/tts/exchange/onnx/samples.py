"""Sentences that an exported voice is checked, calibrated and timed with; any other text would do."""

from __future__ import annotations

SENTENCES: tuple[str, ...] = (
    "Good morning.",
    "The quick brown fox jumps over the lazy dog near the old river bank.",
    "Would you mind closing the window before it starts to rain?",
    "Yes, of course!",
    "Seven small ships sailed slowly south, and none of them was ever seen again.",
    "Please leave your message after the tone.",
    "She thought about measuring the garage, but the boy was already enjoying his lunch.",
    "Nothing is as beautiful as the first warm evening of the year, when everyone sits outside until midnight.",
    "Wait: is this the right platform?",
    "The judge, visibly tired, adjourned the hearing until Thursday afternoon.",
    "We have to choose between hope and fear; most of us choose both.",
    "Turn left at the church, go past the school, and you will find it on the other side of the square.",
    "His voice was low, calm and very clear.",
    "Why not?",
    "Fresh vegetables, cheese and bread were sold under the arches of the town hall.",
    "Although the engineers had checked every joint of the bridge twice, the mayor asked them to do it once more, "
    "because a single loose bolt could cost a hundred lives.",
)


def sample_texts(count: int) -> list[str]:
    """That many different texts, from a word to a paragraph: the sentences, then runs of them."""
    texts = []
    for number in range(count):
        length, start = 1 + number // len(SENTENCES), number % len(SENTENCES)
        texts.append(" ".join(SENTENCES[(start + i) % len(SENTENCES)] for i in range(length)))
    return texts
