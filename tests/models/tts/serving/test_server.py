# ruff: noqa: E402
"""The speech server, driven by OpenAI's own client and by httpx in this process."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

for package in ("starlette", "uvicorn", "httpx", "anyio"):
    pytest.importorskip(package, reason=f"{package} is not installed: egs/tts/Jets/requirements-serve.txt")

import httpx

from models.tts import serving
from models.tts.jets.synthesizer import Synthesizer
from models.tts.serving.reception import Reception, Turn
from models.tts.serving.server import SpeechServer
from processors.speaker import Speaker
from tests.tiny_voice import make_experiment

TEXT = "Hello there. It costs $5, and that is that."
Client = httpx.AsyncClient
Talk = Callable[[Client], Awaitable[None]]


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Synthesizer:
    folder = make_experiment(tmp_path_factory.mktemp("served"), ("model.generator=istft",))
    return Synthesizer.from_experiment(folder, "cpu")


def talk(voice: Speaker, conversation: Talk, **settings: Any) -> SpeechServer:
    """Have a conversation with a new server, which is idle again after it."""

    async def run() -> SpeechServer:
        server = SpeechServer(voice, "tiny", **settings)
        transport = httpx.ASGITransport(app=server.app(), raise_app_exceptions=False)
        async with Client(transport=transport, base_url="http://test") as client:
            await conversation(client)
        return server

    server = asyncio.run(run())
    assert server.reception.active == 0
    return server


def body(**other: Any) -> dict[str, Any]:
    return {"model": "tts-1", "voice": "alloy", "input": TEXT, "response_format": "pcm", **other}


def samples(pcm: bytes) -> np.ndarray:
    return np.frombuffer(pcm, "<i2") / 32768


def test_openai_client(voice: Synthesizer) -> None:
    openai = pytest.importorskip("openai")
    expected = voice.tts(TEXT, speed=1.25)[0]

    async def conversation(client: Client) -> None:
        theirs = openai.AsyncOpenAI(api_key="secret", base_url="http://test/v1", http_client=client, max_retries=0)
        asked: Any = {"model": "tts-1", "voice": "nova", "input": TEXT, "speed": 1.25}
        answer = await theirs.audio.speech.create(**asked, response_format="pcm")
        np.testing.assert_allclose(samples(answer.content), expected, atol=1e-4)
        chunks = []
        streaming = theirs.audio.speech.with_streaming_response.create
        async with streaming(**asked, response_format="wav", instructions="Whisper.") as response:
            assert response.headers["x-note"].startswith("instructions have no effect")
            async for chunk in response.iter_bytes():
                chunks.append(chunk)
        wave, rate = soundfile.read(io.BytesIO(b"".join(chunks)))
        assert rate == voice.sample_rate
        np.testing.assert_allclose(wave, expected, atol=1e-4)
        assert [model.id for model in (await theirs.models.list()).data][0] == "tiny"
        with pytest.raises(openai.BadRequestError, match="voice 'nobody' does not exist"):
            await theirs.audio.speech.create(**{**asked, "voice": "nobody"})
        with pytest.raises(openai.NotFoundError, match="model 'gpt-9' does not exist"):
            await theirs.audio.speech.create(**{**asked, "model": "gpt-9"})
        with pytest.raises(openai.AuthenticationError, match="API key"):
            await theirs.with_options(api_key="wrong").models.list()
        assert (await client.get("/health")).json()["status"] == "ok"

    talk(voice, conversation, api_key="secret")


@pytest.mark.parametrize("kind", ["mp3", "opus", "aac", "flac"])
def test_formats_hold_the_whole_speech(voice: Synthesizer, kind: str) -> None:
    av = pytest.importorskip("av")

    async def conversation(client: Client) -> None:
        answer = await client.post("/v1/audio/speech", json=body(response_format=kind))
        with av.open(io.BytesIO(answer.content)) as container:
            frames = list(container.decode(audio=0))
        seconds = sum(frame.samples for frame in frames) / frames[0].sample_rate
        assert seconds == pytest.approx(len(voice.tts(TEXT)[0]) / voice.sample_rate, abs=0.15)

    talk(voice, conversation)


def test_events_and_captions(voice: Synthesizer) -> None:
    async def conversation(client: Client) -> None:
        answer = await client.post("/v1/audio/speech", json=body(stream_format="sse"))
        assert answer.headers["content-type"].startswith("text/event-stream")
        *events, done = [json.loads(part.removeprefix("data: ")) for part in answer.text.strip().split("\n\n")]
        assert len(events) > 1 and {event["type"] for event in events} == {"speech.audio.delta"}
        assert done["type"] == "speech.audio.done" and done["usage"]["input_tokens"] == len(TEXT)
        streamed = samples(b"".join(base64.b64decode(event["audio"]) for event in events))
        np.testing.assert_allclose(streamed, voice.tts(TEXT)[0], atol=1e-4)
        answer = await client.post("/v1/audio/speech", json=body(stream_format="sse", return_timestamps=True))
        timed = [json.loads(part.removeprefix("data: ")) for part in answer.text.strip().split("\n\n")]
        assert [event for event in timed if event["type"] != "speech.audio.words"] == [*events, done]
        assert timed[0]["type"] == "speech.audio.words"  # before the sentence is heard
        lines = [event for event in timed if event["type"] == "speech.audio.words"]
        assert " ".join(line["text"] for line in lines) == TEXT
        early = [(line["text"][row["offset"] :], row) for line in lines for row in line["words"]]
        assert all(rest.startswith(row["word"]) for rest, row in early)
        tree = (await client.post("/dev/captioned_speech", json=body())).json()
        assert [row["word"] for _, row in early] == [row["word"] for row in tree["timestamps"]]
        for (_, row), refined in zip(early, tree["timestamps"]):
            assert row["start_time"] == pytest.approx(refined["start_time"], abs=0.3)
        rows = [(row["word"], row["start_time"], row["end_time"]) for row in tree["timestamps"]]
        assert [row[0] for row in rows] == ["Hello", "there", "It", "costs", "$5", "and", "that", "is", "that"]
        assert rows == [(w.text, round(w.start, 4), round(w.end, 4)) for w in voice.timed(TEXT)[1].words]
        assert len(base64.b64decode(tree["audio"])) == 2 * len(streamed)

    talk(voice, conversation)


HOSTILE: list[tuple[bytes, int]] = [
    (b"", 400), (b"[]", 400), (b"\xff\xfe", 400), (b'{"model":"tts-1"}', 400), (b"[" * 5000, 400),
    (b'{"model":"tts-1","input":"x","speed":NaN}', 400), (b'{"model":"tts-1","input":"x","pitch":1e999}', 400),
    (b'{"model":"tts-1","input":"x","speed":9}', 400), (b'{"model":"tts-1","input":"\\ud800"}', 400),
    (b'{"model":"tts-1","input":"x","response_format":"exe"}', 400), (b'{"model":"tts-1","input":"x","pitch":99}', 400),
    (b'{"model":"tts-1","input":""}', 400), (b'{"model":"tts-1","input":"<speak>x"}', 400),
    (b'{"model":"tts-1","input":"x","language":"/etc/passwd"}', 400),
    (b'{"model":"tts-1","input":"x","voice":"/etc/passwd.npy"}', 400),
    (b'{"model":"tts-1","input":"<speak><break time=\\"9999s\\"/>x</speak>"}', 400),
    (b'{"model":"tts-1","input":"<!DOCTYPE a [<!ENTITY b SYSTEM \\"/etc/passwd\\">]><speak>&b;</speak>"}', 400),
    (b'{"model":"tts-1","input":"' + b"a" * 4097 + b'"}', 400), (b" " * 300_000, 413),
]  # fmt: skip


def test_every_hostile_request_is_answered_as_openai_would(voice: Synthesizer) -> None:
    async def conversation(client: Client) -> None:
        for content, status in HOSTILE:
            answer = await client.post("/v1/audio/speech", content=content)
            assert answer.status_code == status, (content[:80], answer.text[:200])
            assert answer.json()["error"]["message"] and "Traceback" not in answer.text
        for method, path in (
            ("GET", "/v1/audio/speech"),
            ("GET", "/../etc/passwd"),
            ("GET", "/v1/models/none"),
            ("POST", "/v1/models/"),
        ):
            answer = await client.request(method, path)
            assert answer.status_code in (404, 405) and set(answer.json()["error"]) == {
                "message",
                "type",
                "param",
                "code",
            }
        metrics = (await client.get("/metrics")).text
        assert 'jets_errors_total{status="413"} 1' in metrics and "jets_active 0" in metrics

    talk(voice, conversation)


class SlowVoice(Synthesizer):
    """Counts the pieces that it makes."""

    made = 0

    def stream(self, text: Any, **controls: Any) -> Iterator[np.ndarray]:
        """Speech without end."""
        while True:
            self.made += 1
            yield np.zeros(2205, np.float32)

    def narrate(self, text: Any, on_refused: Any = None, timeline: Any = None, **controls: Any) -> Iterator[np.ndarray]:
        """The same."""
        return self.stream(text)


@pytest.fixture
def endless(voice: Synthesizer) -> SlowVoice:
    slow = SlowVoice.__new__(SlowVoice)
    slow.__dict__ |= voice.__dict__
    return slow


async def listen(app: Any, send: Callable[[Any], Awaitable[None]], gone: asyncio.Event) -> None:
    """A client at the level of ASGI, which goes when it is told to."""
    messages = [{"type": "http.request", "body": json.dumps(body()).encode(), "more_body": False}]

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    scope = {"type": "http", "method": "POST", "path": "/v1/audio/speech", "headers": [], "query_string": b""}
    scope |= {"asgi": {"version": "3.0", "spec_version": "2.3"}, "server": ("test", 80), "scheme": "http"}
    await app(scope, receive, send)


def test_a_client_that_goes_ends_its_work_and_too_many_are_told(endless: SlowVoice) -> None:
    async def run() -> None:
        server, gone, begun = SpeechServer(endless, "tiny", clients=1), asyncio.Event(), asyncio.Event()

        async def send(message: Any) -> None:
            if endless.made > 5:
                begun.set()
            await asyncio.sleep(0)

        app = server.app()
        task = asyncio.create_task(listen(app, send, gone))
        await asyncio.wait_for(begun.wait(), 20)
        async with Client(transport=httpx.ASGITransport(app=app), base_url="http://test") as client:
            answer = await client.post("/v1/audio/speech", json=body())
            assert answer.status_code == 429 and int(answer.headers["retry-after"]) > 0
        gone.set()
        await asyncio.wait_for(task, 20)
        made = endless.made
        await asyncio.sleep(0.05)
        assert server.reception.active == 0 and endless.made == made

    asyncio.run(run())


def test_a_client_that_does_not_read_is_dropped_in_time(endless: SlowVoice) -> None:
    async def run() -> None:
        server, never = SpeechServer(endless, "tiny", seconds=0.2), asyncio.Event()

        async def send(message: Any) -> None:
            if endless.made > 3:
                await never.wait()

        await asyncio.wait_for(listen(server.app(), send, never), 20)
        assert server.reception.active == 0 and 3 < endless.made < 6

    asyncio.run(run())


def test_captions_have_a_time_limit_too(endless: SlowVoice) -> None:
    async def conversation(client: Client) -> None:
        answer = await client.post("/dev/captioned_speech", json=body(response_format="pcm"))
        assert answer.status_code == 503 and "longer than 0.2 s" in answer.json()["error"]["message"]

    talk(endless, conversation, seconds=0.2)


def test_turns_go_to_whoever_runs_out_first_and_past_those_who_leave() -> None:
    async def run() -> list[int]:
        turn, order = Turn(), []

        async def client(end: int) -> None:
            async with turn.at(end):
                order.append(end)
                await asyncio.sleep(0)

        tasks = {end: asyncio.create_task(client(end)) for end in (5, 4, 3, 1, 2)}
        await asyncio.sleep(0)
        tasks[3].cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        await client(0)  # free again
        return order

    assert asyncio.run(run()) == [5, 1, 2, 4, 0]


def test_a_client_that_has_heard_all_is_before_nobody(voice: Synthesizer, monkeypatch: pytest.MonkeyPatch) -> None:
    now, ends = 100.0, []
    reception = Reception(voice, 1)
    monkeypatch.setattr("models.tts.serving.reception.time", SimpleNamespace(monotonic=lambda: now))
    at = reception.turn.at
    monkeypatch.setattr(reception.turn, "at", lambda end: (ends.append(end), at(end))[1])

    async def run() -> None:
        nonlocal now
        second = np.zeros(voice.sample_rate, np.float32)
        with reception.visit() as visit:
            for moment in (105.0, 105.5, 120.0):  # the first sound, one while that is heard, and one behind a pause
                now = moment
                async for _ in visit.spoken(iter([second]), "pcm"):
                    pass

    asyncio.run(run())
    assert ends == [105.0, 106.0, 106.0, 107.0, 120.0, 121.0]
    assert reception.counts["first_audio_seconds_sum"] == 0  # it had not asked before


def test_counts_are_exact(voice: Synthesizer) -> None:
    reception = Reception(voice, 1)
    reception.counts["audio_seconds_total"] = 12345678.25
    assert "jets_audio_seconds_total 12345678.25\n" in reception.metrics()


def test_addresses_are_written_as_browsers_take_them(
    voice: Synthesizer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(serving, "bound", lambda host, port: None)
    monkeypatch.setattr("uvicorn.Server.run", lambda self, sockets: None)
    serving.serve(voice, "tiny", "::1", 8880)
    assert "http://[::1]:8880/v1/audio/speech" in capsys.readouterr().out


def test_mixtures_are_shares_of_one(tmp_path: Path) -> None:
    from models.tts.serving.speech_request import ApiError, SpeechRequest
    from processors.cast import Cast

    cast = Cast(speakers={"anna": "en-us", "ben": "en-us"}, languages=("en-us",))
    request = SpeechRequest(model="tts-1", input="x", voice="anna(2)+ben(1)")
    assert request.controls("tiny", cast)["speaker"] == "anna:0.666667+ben:0.333333"
    for wrong in ("anna(0)", "anna(1)+carl(1)", "anna(1)+", "x" * 100):
        with pytest.raises(ApiError, match="choose of: anna, ben"):
            SpeechRequest(model="tts-1", input="x", voice=wrong).controls("tiny", cast)
