"""Lines of many threads in one batch: the same samples as one at a time, and nobody pays for another's failure."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
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


def test_a_batch_of_many_threads_sounds_as_each_alone(voice: Synthesizer) -> None:
    shared = SharedVoice(voice, wait=0.2)
    jobs: list[tuple[str, dict[str, Any]]] = [(text, {}) for text in TEXTS] + [(TEXTS[1], {"speed": 1.5})]
    jobs.append((TEXTS[0], {"leading_silence": 0.5}))
    with ThreadPoolExecutor(len(jobs)) as pool:
        heard = list(pool.map(lambda job: np.concatenate(list(shared.stream(job[0], **job[1]))), jobs))
    assert shared.lines > 1.5 * shared.batches  # they were together
    for (text, controls), wave in zip(jobs, heard):
        np.testing.assert_allclose(wave, voice.tts(text, **controls)[0], atol=TOLERANCE)
    assert shared.timed(TEXTS[1])[1].words == voice.timed(TEXTS[1])[1].words


class Moody(Synthesizer):
    """Does not say everything."""

    def speak_lines(self, lines: Iterable[tuple[Key, Line]], settings: InferenceConfig) -> Iterator[Spoken[Key]]:
        """Refuses, with all that is asked together with it, what ends in a question mark."""
        asked = list(lines)
        if any(line.text.endswith("?") for _, line in asked):
            raise ValueError("no questions")
        return super().speak_lines(asked, settings)


def test_a_line_that_fails_fails_alone(voice: Synthesizer) -> None:
    moody = Moody.__new__(Moody)
    moody.__dict__ |= voice.__dict__
    shared = SharedVoice(moody, wait=0.2)
    with ThreadPoolExecutor(2) as pool:
        good, bad = pool.submit(shared.tts, TEXTS[0]), pool.submit(shared.tts, "Who?")
        assert len(good.result()[0]) and isinstance(bad.exception(), ValueError)
    assert len(shared.tts(TEXTS[0])[0])  # and it lives on


def test_clients_of_one_server_share_batches(voice: Synthesizer, tmp_path: Path) -> None:
    pytest.importorskip("starlette", reason="egs/tts/Jets/requirements-serve.txt is not installed")
    httpx = pytest.importorskip("httpx")
    from models.tts.serving.server import SpeechServer

    shared = SharedVoice(voice, wait=0.2)

    async def run() -> list[bytes]:
        app = SpeechServer(shared, "tiny").app()
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as client:
            bodies = [{"model": "tts-1", "input": text, "response_format": "pcm"} for text in TEXTS]
            answers = await asyncio.gather(*(client.post("/v1/audio/speech", json=body) for body in bodies))
        return [answer.content for answer in answers]

    for text, pcm in zip(TEXTS, asyncio.run(run())):
        np.testing.assert_allclose(np.frombuffer(pcm, "<i2") / 32768, voice.tts(text)[0], atol=TOLERANCE)
    assert shared.lines > 1.5 * shared.batches
