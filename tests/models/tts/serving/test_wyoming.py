# ruff: noqa: E402
"""Home Assistant's protocol, driven by its own client through a socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

for package in ("starlette", "wyoming"):
    pytest.importorskip(package, reason=f"{package} is not installed: tests/requirements.txt")

from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import Describe, Info
from wyoming.ping import Ping, Pong
from wyoming.tts import (
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
    SynthesizeStopped,
    SynthesizeTextFormat,
    SynthesizeVoice,
)

from models.tts.jets.synthesizer import Synthesizer
from models.tts.serving.server import SpeechServer
from models.tts.serving.speech_request import ApiError
from models.tts.serving.wyoming_server import LARGEST, TextStream
from processors.speaker import Speaker
from tests.tiny_voice import make_experiment

TEXT = "Dr. Smith paid $5. Was that too much? He did not say, and nobody asked him.\n\nThe next day it rained."
Talk = Callable[[AsyncTcpClient], Awaitable[None]]


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Synthesizer:
    silences = ("inference.sentence_silence=0.1", "inference.paragraph_silence=0.3", "inference.trailing_silence=0.2")
    folder = make_experiment(tmp_path_factory.mktemp("wyoming"), ("model.generator=istft", *silences))
    return Synthesizer.from_experiment(folder, "cpu")


@asynccontextmanager
async def serving(voice: Speaker, **settings: Any) -> AsyncIterator[tuple[SpeechServer, int]]:
    """A server, idle at the end, and its port."""
    server, listening = SpeechServer(voice, "tiny", **settings), socket.create_server(("127.0.0.1", 0))
    app, failures = server.app(listening), list[Any]()
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: failures.append(context))
    async with app.router.lifespan_context(app):
        yield server, listening.getsockname()[1]
        for _ in range(100):
            if not server.reception.active:
                break
            await asyncio.sleep(0.05)
    assert server.reception.active == 0 and not failures


def talk(voice: Speaker, conversation: Talk, **settings: Any) -> None:
    async def run() -> None:
        async with (
            serving(voice, **settings) as (_, port),
            AsyncTcpClient("127.0.0.1", port, read_timeout=30) as client,
        ):
            await conversation(client)

    asyncio.run(run())


def test_connections_end_with_the_server_without_a_traceback(voice: Synthesizer) -> None:
    async def run() -> None:
        async with serving(voice) as (_, port):
            clients = [AsyncTcpClient("127.0.0.1", port) for _ in range(2)]
            for client in clients:
                await client.connect()
                await client.write_event(Ping().event())
                assert await client.read_event() is not None
        for client in clients:  # an end, not only a loop that goes
            assert await asyncio.wait_for(client.read_event(), 10) is None
            await client.disconnect()

    asyncio.run(run())


async def heard(client: AsyncTcpClient, last: Any = AudioStop) -> np.ndarray:
    """Samples of an answer."""
    event = await client.read_event()
    assert event is not None and AudioStart.is_type(event.type), event
    rate, pcm = AudioStart.from_event(event).rate, b""
    while True:
        event = await client.read_event()
        assert event is not None
        if AudioStop.is_type(event.type):
            break
        chunk = AudioChunk.from_event(event)
        assert (chunk.rate, chunk.width, chunk.channels) == (rate, 2, 1)
        pcm += chunk.audio
    if last is SynthesizeStopped:
        event = await client.read_event()
        assert event is not None and SynthesizeStopped.is_type(event.type)
    return np.frombuffer(pcm, "<i2") / 32768


def test_describe_and_synthesize(voice: Synthesizer) -> None:
    async def conversation(client: AsyncTcpClient) -> None:
        await client.write_event(Describe().event())
        info = Info.from_event(await client.read_event())  # type: ignore[arg-type]
        (program,) = info.tts
        assert program.supports_synthesize_streaming and program.installed
        assert [(one.name, one.languages) for one in program.voices] == [("tiny", ["en-us"])]
        await client.write_event(Event("something-new", {"a": 1}, b"payload"))
        await client.write_event(Ping(text="there?").event())
        assert Pong.from_event(await client.read_event()).text == "there?"  # type: ignore[arg-type]
        for asked in (None, SynthesizeVoice(name="tiny"), SynthesizeVoice(language="en")):
            await client.write_event(Synthesize(TEXT, asked).event())
            np.testing.assert_allclose(await heard(client), voice.tts(TEXT)[0], atol=1e-4)
        markup = 'Hello <break time="1s"/> there.'
        await client.write_event(Synthesize(markup, text_format=SynthesizeTextFormat.SSML).event())
        np.testing.assert_allclose(await heard(client), voice.tts(f"<speak>{markup}</speak>")[0], atol=1e-4)

    talk(voice, conversation)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_stream_sounds_as_its_whole_text(voice: Synthesizer, size: int) -> None:
    async def conversation(client: AsyncTcpClient) -> None:
        for text in (
            TEXT,
            f"<speak>{TEXT}</speak>",
            "Hello :-)",
            "\U0001f600 Hi there, my old friend from the sea. \U0001f600",
        ):
            await client.write_event(SynthesizeStart(voice=SynthesizeVoice(name="tiny")).event())
            for start in range(0, len(text), size):
                await client.write_event(SynthesizeChunk(text[start : start + size]).event())
            await client.write_event(Synthesize(text).event())  # for servers that know no streams
            await client.write_event(SynthesizeStop().event())
            np.testing.assert_allclose(await heard(client, SynthesizeStopped), voice.tts(text)[0], atol=1e-4)
        await client.write_event(SynthesizeStart().event())
        await client.write_event(SynthesizeStop().event())
        assert len(await heard(client, SynthesizeStopped)) == 0

    talk(voice, conversation)


def test_a_sentence_is_heard_before_the_text_ends(voice: Synthesizer) -> None:
    async def conversation(client: AsyncTcpClient) -> None:
        await client.write_event(SynthesizeStart().event())
        await client.write_event(
            SynthesizeChunk("This is the first one. And here begins the second, which goes o").event()
        )
        event = await client.read_event()
        assert event is not None and AudioStart.is_type(event.type)

    talk(voice, conversation)


def test_text_of_a_stream_is_kept_no_longer_than_needed() -> None:
    stream, taken = TextStream("en", 250, 1 << 16), ""
    for number in range(300):
        taken += stream.add(f"Sentence number {number} has no end of its own and ")
        assert len(stream._held) < 1000
    taken += stream.rest()
    assert taken.split() == " ".join(f"Sentence number {n} has no end of its own and" for n in range(300)).split()


@pytest.mark.parametrize("chunk", ["1. " * 40_000, "\n" * 300, "<speak>" + " " * 300, "One more. "])
def test_a_stream_may_be_as_long_as_a_text(chunk: str) -> None:
    stream = TextStream("en", 250, 4096)
    with pytest.raises(ApiError, match="at most 4096"):
        for _ in range(500):
            stream.add(chunk)
            assert len(stream._held) <= 4096


def test_a_stream_keeps_nobody_out_and_ends_in_time(voice: Synthesizer) -> None:
    async def run() -> None:
        async with serving(voice, clients=1, seconds=1.5) as (server, port), AsyncTcpClient("127.0.0.1", port) as idle:
            await idle.write_event(SynthesizeStart().event())
            async with AsyncTcpClient("127.0.0.1", port) as other:
                await other.write_event(Synthesize("Hello.").event())
                assert len(await heard(other))

            async def chatter() -> None:  # each event comes in time
                while True:
                    await idle.write_event(Ping().event())
                    await asyncio.sleep(0.1)

            chatting = asyncio.create_task(chatter())
            assert await asyncio.wait_for(idle.read_event(), 20) is None
            chatting.cancel()

    asyncio.run(run())


@pytest.mark.parametrize(
    "event",
    [
        Synthesize("Hello.", SynthesizeVoice(name="nobody")), Synthesize("Hello.", SynthesizeVoice(language="xx")),
        Synthesize("a" * 5000), Synthesize("..."), Synthesize("<speak>x"),
        Synthesize("x", SynthesizeVoice(name="/x.npy")),
        SynthesizeStart(voice=SynthesizeVoice(name="nobody")),
    ],
)  # fmt: skip
def test_what_cannot_be_spoken_is_told(voice: Synthesizer, event: Any) -> None:
    async def conversation(client: AsyncTcpClient) -> None:
        await client.write_event(event.event())
        answer = await client.read_event()
        assert answer is not None and Error.is_type(answer.type) and Error.from_event(answer).text
        assert await client.read_event() is None  # closed: clients that know no errors wait for nothing

    talk(voice, conversation)


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\n", b"[]\n", b"[" * 100_000 + b"\n", b"{}\n", b'{"type": 1, "data": 5}\n', b"x" * (2 * LARGEST),
        b'{"type": "describe", "data_length": 1e30}\n', b'{"type": "x", "payload_length": 99999999999}\n',
        b'{"type": "x", "payload_length": -1}\n', b'{"type": "synthesize", "data": {"text": "x", "voice": 3}}\n',
        b'{"type": "synthesize", "data": {"text": "x", "voice": {"name": {}, "language": []}}}\n',
    ],
)  # fmt: skip
def test_what_cannot_be_read_ends_the_connection_only(voice: Synthesizer, line: bytes) -> None:
    async def run() -> None:
        async with serving(voice) as (_, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(line)
            with contextlib.suppress(ConnectionError):
                answer = await asyncio.wait_for(reader.read(), 10)
                assert answer == b"" or json.loads(answer.partition(b"\n")[0])["type"] == "error"
            writer.close()
            async with AsyncTcpClient("127.0.0.1", port) as client:
                await client.write_event(Describe().event())
                assert await client.read_event() is not None

    asyncio.run(run())


def test_nothing_is_made_for_a_client_that_left_before_its_turn(voice: Synthesizer) -> None:
    endless = Endless.__new__(Endless)
    endless.__dict__ |= voice.__dict__

    async def run() -> None:
        async with serving(endless) as (server, port):
            async with server.reception.turn.at(0):
                async with AsyncTcpClient("127.0.0.1", port) as client:
                    await client.write_event(Synthesize("x").event())
                    while not server.reception.active:
                        await asyncio.sleep(0.01)
                await asyncio.sleep(0.1)  # until the server hears of the end

    asyncio.run(run())
    assert endless.made == 0


class Endless(Synthesizer):
    """Counts the pieces that it makes."""

    made = 0

    def stream(self, text: Any, **controls: Any) -> Iterator[np.ndarray]:
        """Speech without end."""
        while True:
            self.made += 1
            yield np.zeros(2205, np.float32)


def test_a_client_that_goes_ends_its_work_and_too_many_are_told(voice: Synthesizer, tmp_path: Path) -> None:
    endless = Endless.__new__(Endless)
    endless.__dict__ |= voice.__dict__

    async def run() -> None:
        async with serving(endless, clients=1) as (server, port):
            async with AsyncTcpClient("127.0.0.1", port) as client:
                await client.write_event(Synthesize("x").event())
                for _ in range(5):
                    assert await client.read_event() is not None
                async with AsyncTcpClient("127.0.0.1", port) as other:
                    await other.write_event(Synthesize("x").event())
                    answer = await other.read_event()
                    assert answer is not None and "1 clients are waiting" in Error.from_event(answer).text
            for _ in range(100):
                if not server.reception.active:
                    break
                await asyncio.sleep(0.05)
            made = endless.made
            await asyncio.sleep(0.1)
            assert endless.made == made

    asyncio.run(run())
