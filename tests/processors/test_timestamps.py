"""When words are heard: places of written words among tokens, and the files that say so."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from processors.script import Scriptwriter
from processors.text.english import EnglishIpa, EnglishPhones
from processors.text.frontend import TextFrontEnd
from processors.text.tokens import PUNCTUATION
from processors.timestamps import Timeline, heard_edges, sounds, word_places

TEXT = 'It costs $5, Dr. Smith said on "May 5, 2020" - in the mid-1980s; a well-known {F AE1 K T}.'
WORDS = ["It", "costs", "$5", "Dr.", "Smith", "said", "on", "May 5, 2020", "in", "the", "mid-1980s"]
WORDS += ["a", "well-known", "{F AE1 K T}"]


@pytest.mark.parametrize("phones", [EnglishIpa, EnglishPhones])
def test_words_are_those_that_the_user_wrote_and_all_their_tokens(phones: type[EnglishPhones]) -> None:
    frontend = TextFrontEnd(phones())
    tokens = frontend.phonemise(TEXT)
    places = word_places(TEXT, tokens, frontend)
    assert [TEXT[start:end] for start, end, _, _ in places] == WORDS
    alone = {word: frontend.phonemise(word) for word in ("$5", "Smith", "May 5, 2020", "well-known", "{F AE1 K T}")}
    for start, end, first, last in places:
        if (expected := alone.get(TEXT[start:end])) is not None:
            assert [t for t in tokens[first:last] if t not in PUNCTUATION] == [
                t for t in expected[1:-1] if t not in PUNCTUATION
            ]
    heard = {i for _, _, first, last in places for i in range(first, last)}
    assert all(token in ("^", "$", " ", *PUNCTUATION) for i, token in enumerate(tokens) if i not in heard)


def test_a_word_of_a_language_whose_words_run_together_keeps_its_place() -> None:
    frontend = TextFrontEnd(EnglishIpa())
    joined = [token for token in frontend.phonemise("one two three") if token != " "]
    places = word_places("one two three", joined, frontend)
    assert places and places[-1][3] == len(joined) - 1 and places[0][2] == 1


def test_sounds_have_their_marks() -> None:
    tokens = ["^", "ˈ", "ɑ", "ː", "t", " ", "ˌ", "n", "\u0329", ",", "ə", "$"]
    assert ["".join(tokens[first:last]) for first, last in sounds(tokens)] == ["ˈɑː", "t", "ˌn\u0329", "ə"]


def test_edges_beside_pauses_are_where_the_sound_begins_and_ends() -> None:
    tokens, rate = ["^", "a", " ", "b", ",", " ", "c", ".", "$"], 16000
    edges = np.arange(0, 10) * 1600  # each a tenth of a second
    wave = np.zeros(14400, np.float32)
    wave[2000:7200] = wave[10200:12800] = 0.5
    heard = heard_edges(edges, tokens, wave, rate)
    expected = [0, 2000, 3200, 4800, 7200, 8000, 10200, 12800, 12800, 14400]
    np.testing.assert_allclose(heard, expected, atol=40)
    assert np.all(np.diff(heard) >= 0)
    assert np.array_equal(heard_edges(edges, tokens, np.ones(14400, np.float32), rate), edges)  # no pause is heard


@pytest.fixture
def timeline() -> Timeline:
    frontend = TextFrontEnd(EnglishIpa())
    script = Scriptwriter(frontend, frontend.tokens, 200.0, True)
    timeline = Timeline(22050, 256)
    for text, silence in (('A <b> "cat" & dog', 0), ("word " * 30 + "end", 4410)):
        (tokens,) = [frontend.phonemise(text)]
        line = replace(script.line_of(text, tokens), text=text)
        timeline.add(line, tokens, frontend, np.full(len(tokens), 2), silence)
    return timeline


def test_times_follow_the_durations_and_silences(timeline: Timeline) -> None:
    words, step = timeline.words, 2 * 256 / 22050
    assert words[0].text == "A" and words[0].start == pytest.approx(step)
    (last,) = [word for word in words if word.text == "dog"]
    second = next(word for word in words if word.text == "word")
    assert second.start == pytest.approx(last.end + step + 0.2 + step)  # "$" of the first, silence, "^" of the second
    assert timeline.seconds == pytest.approx(words[-1].end + step)
    assert all(one.end <= other.start + 1e-9 for one, other in zip(words, words[1:]))


def test_files(timeline: Timeline) -> None:
    srt = timeline.written("srt").split("\n\n")
    assert srt[0].startswith("1\n00:00:00,023 --> ") and srt[0].endswith('A <b> "cat" & dog')
    assert len(srt) == 3 and all(len(cue.split("\n")[2]) <= 85 for cue in srt[1:])
    assert " ".join(cue.strip().split("\n")[2] for cue in srt[1:]) == "word " * 30 + "end"
    vtt = timeline.written("vtt")
    assert (
        vtt.startswith("WEBVTT\n\n00:00:00.023 --> ") and "&lt;b&gt;" in vtt and "&amp; " in vtt and "<00:00:0" in vtt
    )
    tree = json.loads(timeline.written("json"))
    assert [row["word"] for row in tree["words"]][-1] == "end" and tree["phones"][0]["phone"]
    grid = timeline.written("textgrid").splitlines()
    assert grid[:2] == ['File type = "ooTextFile"', 'Object class = "TextGrid"'] and '"end"' in grid
    count = int(grid[grid.index('"words"') + 3])
    rows = grid[grid.index('"words"') + 4 :][: 3 * count]
    edges = [(float(rows[i]), float(rows[i + 1])) for i in range(0, len(rows), 3)]
    assert edges[0][0] == 0 and edges[-1][1] == timeline.seconds
    assert all(one[1] == other[0] for one, other in zip(edges, edges[1:]))
