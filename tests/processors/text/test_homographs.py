"""Homographs: the class that the context asks for, and what the table itself must hold."""

from __future__ import annotations

import re

import pytest

from processors.text.frontend import TextFrontEnd
from processors.text.homographs import homographs, word_class
from processors.text.tables import kinds, rows

# One starred word in each sentence, and its class.
SENTENCES = [
    ("I *read* the letter yesterday.", "P"), ("She has *read* every book in the house.", "P"),
    ("The message was *read* by the clerk.", "P"), ("I want to *read* this book.", "V"),
    ("*Read* the instructions first.", "V"), ("The sign *read* no smoking.", "P"),
    ("I did not *read* the report.", "V"), ("They *live* in Dallas.", "V"), ("It was a *live* broadcast.", "J"),
    ("The match is broadcast *live* from London.", "J"), ("He *lives* in New York.", "V"),
    ("They risked their *lives*.", "N"), ("She will *lead* the team.", "V"),
    ("The pipe was made of *lead* and copper.", "M"), ("The agent in the *lead* car turned.", "V"),
    ("The *wind* blew from the north.", "N"), ("The *wound* was not deep.", "N"),
    ("He *wound* up the old watch.", "P"), ("A single *tear* rolled down her cheek.", "N"),
    ("He *tears* the page out.", "V"), ("Please *record* the meeting.", "V"), ("She set a new *record*.", "N"),
    ("I would like to *present* the results.", "V"), ("She gave him a *present*.", "N"),
    ("All the members were *present*.", "N"), ("They *use* the same tools.", "V"), ("It has many *uses*.", "N"),
    ("I *used* to live there.", "H"), ("He got *used* to it.", "H"), ("The knife was *used* to cut bread.", "P"),
    ("Please *close* the door.", "V"), ("He is a *close* friend of mine.", "J"),
    ("At the *close* of the day we rested.", "N"), ("We had to *separate* the boys.", "V"),
    ("They sleep in *separate* rooms.", "N"), ("The *object* lay on the table.", "N"), ("I *object* to that.", "V"),
    ("Metals *contract* when they cool.", "V"), ("I *refuse* to answer.", "V"),
    ("The *refuse* was collected on Monday.", "N"), ("The prisoners *graduate* in June.", "V"),
    ("She is a *graduate* of Yale.", "N"), ("The building can *house* fifty people.", "V"), ("Wait a *minute*.", "N"),
    ("He examined it in *minute* detail.", "J"), ("He took a *bow* and arrows.", "N"),
    ("We caught a striped *bass* in the lake.", "F"), ("A white *dove* sat on the roof.", "N"),
    ("He *dove* into the water.", "P"), ("The *perfect* day had come.", "N"), ("An *aged* man sat there.", "J"),
    ("A man *aged* forty sat there.", "P"), ("The *suspect* was arrested.", "N"),
    ("The *proceeds* went to charity.", "N"), ("An *invalid* lay in the bed.", "N"),
    ("The road *winds* through the hills.", "V"), ("Farmers *sow* seeds in spring.", "V"),
    ("The committee will *appropriate* the funds.", "V"), ("The saint was *blessed* with talent.", "P"),
    ("The *axes* were sharpened for chopping wood.", "F"), ("*Lead* is a heavy metal.", "M"),
    ("The paint contained *lead*.", "M"), ("They had a *row* about money.", "F"), ("She ate from the *buffet*.", "N"),
    ("The hunter saw two *does* in the forest.", "N"), ("The two teams *alternate* every week.", "V"),
    ("I *associate* summer with the sea.", "V"),
]  # fmt: skip


def tag(sentence: str) -> tuple[str, str]:
    starred = re.search(r"\*(\w+)\*", sentence)[1].lower()
    words = re.findall(r"\*?[\w']+\*?|[,.!?;:]", sentence.lower())
    index = next(i for i, word in enumerate(words) if word.startswith("*"))
    return starred, word_class([word.strip("*") for word in words], index)


@pytest.mark.parametrize(("sentence", "expected"), SENTENCES)
def test_class_in_context(sentence: str, expected: str) -> None:
    word, found = tag(sentence)
    assert expected in homographs()[word]
    assert found == expected


def test_capitals_tell_the_people_and_the_month() -> None:
    front_end = TextFrontEnd()
    assert "OW1" in front_end.phonemise("She speaks Polish at home.")
    assert "AA1" in front_end.phonemise("You should polish the table.")
    assert front_end.phonemise("an august body")[3:5] == ["AO0", "G"]
    assert "AO1" in front_end.phonemise("IN AUGUST") and "AO1" in front_end.phonemise("in August")
    assert "IY1" in front_end.phonemise("We stayed in Nice.") and "AY1" in front_end.phonemise("Nice to meet you.")
    assert "EH1" in front_end.phonemise("He lives in Reading.") and "IY1" in front_end.phonemise("He likes reading.")


def test_the_rules_name_only_what_there_is() -> None:
    classes = kinds("word_classes.txt")
    named = {choice[1:] for words in classes.values() for choice in words if choice[0] == "@"}
    for words, result, conditions in rows("homograph_rules.txt"):
        for condition in conditions.split():
            place, choices = condition.removeprefix("!").split(":")
            assert place in ("-1", "-2", "+1", "+2", "^1", "^2", "<", ">", "~", "="), condition
            named |= {choice[1:] for choice in choices.split(",") if choice[0] == "@"}
        for word in words.split():
            if word in homographs():
                assert result in homographs()[word], word
            else:
                assert word in ("before", "adverb", "after") and all(vote[0] in "VPNJ" for vote in result.split())
    assert named <= set(classes)
