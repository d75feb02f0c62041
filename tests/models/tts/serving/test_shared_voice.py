"""Lines of many threads in one batch: the same samples as one at a time, and nobody pays for another's failure."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest

from config.schema import InferenceConfig
from models.tts.jets.synthesizer import Synthesizer
from models.tts.serving.shared_voice import SharedVoice
from processors.script import Line
from processors.speaker import Key, Spoken
from tests.tiny_voice import make_experiment

TEXTS = (
    "Hello.",
    "It costs $5, and that is that. Who pays?",
    "One two three four five six.",
    "Yes! No. Maybe?",
)
TOLERANCE = 1e-4  # what Voice promises of a batch


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Synthesizer:
    folder = make_experiment(tmp_path_factory.mktemp("shared"), ("model.generator=istft",))
    voice = Synthesizer.from_experiment(folder, "cpu")
    voice.batches_generator = True  # as on a GPU
    return voice


class Gathering(Synthesizer):
    """Holds its first batch until `needed` lines wait behind it, and knows the size of each."""

    shared: SharedVoice
    needed: int
    sizes: list[int]
    begun: Event

    def speak_lines(self, lines: Iterable[tuple[Key, Line]], settings: InferenceConfig) -> Iterator[Spoken[Key]]:
        """Refuses, with all that is asked together with it, "Who?"."""
        asked = list(lines)
        self.sizes.append(len(asked))
        if len(self.sizes) == 1:
            self.begun.set()
            with self.shared._changed:
                assert self.shared._changed.wait_for(lambda: len(self.shared._waiting) >= self.needed, 30)
        if any(line.text == "Who?" for _, line in asked):
            raise ValueError("no questions")
        return super().speak_lines(asked, settings)


@contextmanager
def gathered(voice: Synthesizer, needed: int) -> Iterator[Gathering]:
    """A voice that is busy with a first line until `needed` others wait, which so are one batch."""
    gathering = Gathering.__new__(Gathering)
    gathering.__dict__ |= voice.__dict__
    gathering.needed, gathering.sizes, gathering.begun = needed, [], Event()
    gathering.shared = SharedVoice(gathering, wait=0.0)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(gathering.shared.tts, TEXTS[0])
        assert gathering.begun.wait(30)
        yield gathering
        assert len(first.result(30)[0])


def test_a_batch_of_many_threads_sounds_as_each_alone(voice: Synthesizer) -> None:
    jobs: list[tuple[str, dict[str, Any]]] = [(text, {}) for text in TEXTS] + [(TEXTS[0], {"leading_silence": 0.5})]
    with gathered(voice, len(jobs)) as gathering, ThreadPoolExecutor(len(jobs)) as pool:
        shared = gathering.shared
        heard = list(pool.map(lambda job: np.concatenate(list(shared.stream(job[0], **job[1]))), jobs))
    assert gathering.sizes[:2] == [1, len(jobs)]
    assert shared.batches == len(gathering.sizes) and shared.lines == sum(gathering.sizes)
    for (text, controls), wave in zip(jobs, heard):
        np.testing.assert_allclose(wave, voice.tts(text, **controls)[0], atol=TOLERANCE)
    np.testing.assert_allclose(shared.tts(TEXTS[1], speed=1.5)[0], voice.tts(TEXTS[1], speed=1.5)[0], atol=TOLERANCE)
    assert shared.timed(TEXTS[1])[1].words == voice.timed(TEXTS[1])[1].words


def test_a_line_that_fails_fails_alone(voice: Synthesizer) -> None:
    with gathered(voice, 2) as gathering, ThreadPoolExecutor(2) as pool:
        shared = gathering.shared
        good, bad = pool.submit(shared.tts, TEXTS[0]), pool.submit(shared.tts, "Who?")
        assert len(good.result(30)[0]) and isinstance(bad.exception(30), ValueError)
    assert gathering.sizes == [1, 2, 1, 1]  # together, and then each alone
    assert len(shared.tts(TEXTS[0])[0])  # and it lives on


class Careless(Synthesizer):
    """Fails when all is said, or leaves all out."""

    says = True

    def speak_lines(self, lines: Iterable[tuple[Key, Line]], settings: InferenceConfig) -> Iterator[Spoken[Key]]:
        """Fails too late, or not at all."""
        if self.says:
            yield from super().speak_lines(lines, settings)
            raise ValueError("too late")


def test_every_line_is_answered_once_whatever_the_voice_does(voice: Synthesizer) -> None:
    careless = Careless.__new__(Careless)
    careless.__dict__ |= voice.__dict__
    shared = SharedVoice(careless)
    lines = [*voice.script.lines("Yes! No.", voice.settings)]
    for careless.says in (True, False):
        for count in (1, 2):
            answers = [Future[Spoken[int]]() for _ in range(count)]
            shared._answer([(line, voice.settings, answer) for line, answer in zip(lines, answers)], voice.settings)
            assert all(answer.done() for answer in answers)
            if careless.says:
                assert all(len(answer.result().wave) for answer in answers)
            else:
                assert all("left a line out" in str(answer.exception()) for answer in answers)


def test_clients_of_one_server_share_batches(voice: Synthesizer, tmp_path: Path) -> None:
    pytest.importorskip("starlette", reason="egs/tts/Jets/requirements-serve.txt is not installed")
    httpx = pytest.importorskip("httpx")
    from models.tts.serving.server import SpeechServer

    async def run(shared: SharedVoice) -> list[bytes]:
        app = SpeechServer(shared, "tiny").app()
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as client:
            bodies = [{"model": "tts-1", "input": text, "response_format": "pcm"} for text in TEXTS]
            answers = await asyncio.gather(*(client.post("/v1/audio/speech", json=body) for body in bodies))
        return [answer.content for answer in answers]

    with gathered(voice, len(TEXTS)) as gathering:
        contents = asyncio.run(run(gathering.shared))
    for text, pcm in zip(TEXTS, contents):
        np.testing.assert_allclose(np.frombuffer(pcm, "<i2") / 32768, voice.tts(text)[0], atol=TOLERANCE)
    assert gathering.sizes[:2] == [1, len(TEXTS)]
