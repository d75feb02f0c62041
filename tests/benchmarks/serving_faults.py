"""A server under clients that go at random moments and requests that mean no good; exit status 1 if it minds.

usage: python tests/benchmarks/serving_faults.py [--clients 200] [--requests 1000] [--seed 0]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.benchmarks.serving_load import TEXTS, ask, free_port, memory, metrics, servers, started

SPEECH, CAPTIONED = "/v1/audio/speech", "/dev/captioned_speech"
ERROR = {"message", "type", "param", "code"}
BOMB = (
    "<!DOCTYPE s [" + "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 9)) + "]><speak>&e8;</speak>"
)
SSML: tuple[Callable[[random.Random], str], ...] = (
    lambda r: BOMB,
    lambda r: '<!DOCTYPE s [<!ENTITY x SYSTEM "file:///etc/passwd">]><speak>&x;</speak>',
    lambda r: "<speak>" + "<p>" * 800 + "x",
    lambda r: "<speak>" + "<emphasis>" * 170 + "x" + "</emphasis>" * 170 + "</speak>",
    lambda r: "<speak " + " ".join(f'a{n}="{n}"' for n in range(300)) + ">x</speak>",
    lambda r: f'<speak><break time="{r.choice(["9999s", "-1s", "NaNs", "1e9s", "60s"])}"/>x</speak>',
    lambda r: "<speak>" + '<break time="60s"/>' * r.randrange(1, 40) + "x</speak>",
    lambda r: (
        f'<speak><prosody rate="{r.choice(["NaN%", "0%", "1e99%", "-5", "inf"])}" pitch="+9e9Hz">x</prosody></speak>'
    ),
    lambda r: '<speak><audio src="file:///etc/passwd">x</audio><lexicon uri="/etc/shadow"/></speak>',
    lambda r: "<speak>" + "".join(r.choice("<>&/;\"'x ") for _ in range(200)),
)
VALUES: tuple[object, ...] = (
    None, True, -1, 0, 1e308, -1e308, 2**63, "", "x" * 10_000, [], {}, [[]], {"id": None}, {"id": "x"}, "NaN", "\u0000",
    "\ud800", "../../etc/passwd", "anna(1)+" * 50, "%s%n", "<speak>",
)  # fmt: skip
RAW = (
    b"", b"{", b"[" * 100_000, b"null", b"\xff\xfe\x00", b"\x00" * 1000, b'{"model":"tts-1","input":"x","speed":NaN}',
    b'{"model":"tts-1","input":"x","speed":Infinity}', b'{"model":"tts-1","input":"x","pitch":-Infinity}',
    b'{"model":"tts-1","input":"x","energy":1e400}', b'{"a":' * 5000, b"x" * 300_000, '{"input":"ä"}'.encode("utf-16"),
    '{"model":"tts-1","input":"ä"}'.encode("latin-1"), b"\xef\xbb\xbf{}",
)  # fmt: skip
PATHS = ("/", "/v1/audio/speech/", "/v1/models/..%2f..%2fetc", "/v1/models/" + "x" * 5000, "/%00", "/metrics?x=%ff")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    ((_, command, port, path),), wyoming = servers(None), free_port()
    choose, minded = random.Random(args.seed), []
    with started([*command, f"--wyoming_port={wyoming}"], port) as process:

        def told(what: str) -> None:
            counted = asyncio.run(metrics(port))
            print(f"{what}; {counted['jets_active']:.0f} active, {memory(process.pid):.0f} MB", flush=True)
            if counted["jets_active"] or process.poll() is not None:
                minded.append(what)

        for text in TEXTS:  # what is loaded once is there
            asyncio.run(ask(port, path, text))
        told("before")
        half = memory(process.pid)
        asyncio.run(vanish(port, wyoming, args.clients, choose))
        told(f"{args.clients} clients went at random moments")
        answers: Counter[str] = Counter()
        for number in range(args.requests):
            if number == args.requests // 2:
                half = memory(process.pid)
            answers[asyncio.run(hostile(port, choose, minded))] += 1
            if number % 20 == 0:
                asyncio.run(garble(wyoming, choose))
        told(f"{args.requests} hostile requests, answers {dict(sorted(answers.items()))}")
        growth = memory(process.pid) / half - 1
        heard = asyncio.run(ask(port, path, TEXTS[0]))
        print(f"memory in the second half {growth:+.1%}; a word is still spoken, {heard[2]:.2f} s")
    print(f"minded: {minded or 'nothing'}")
    return 1 if minded else 0


async def vanish(port: int, wyoming: int, count: int, choose: random.Random) -> None:
    """Clients who ask, hear something or nothing, and go, ten at a time."""

    async def one(moment: float, at_home: bool, text: str) -> None:
        with suppress(OSError, asyncio.TimeoutError):
            reader, writer = await asyncio.open_connection("127.0.0.1", wyoming if at_home else port)
            body = json.dumps({"model": "tts-1", "input": text, "response_format": "pcm"})
            head = f"POST {choose.choice((SPEECH, CAPTIONED))} HTTP/1.1\r\nHost: x\r\n"
            head += f"Content-Length: {len(body)}\r\n\r\n"
            sent = json.dumps({"type": "synthesize", "data": {"text": text}}) + "\n" if at_home else head + body
            writer.write(sent.encode()[: None if moment > 0.1 else len(sent) // 2])
            await asyncio.wait_for(reader.read(-1), moment)
            if choose.random() < 0.5:
                writer.transport.abort()
            writer.close()

    for _ in range(0, count, 10):
        jobs = [(choose.expovariate(3), choose.random() < 0.3, choose.choice(TEXTS)) for _ in range(10)]
        await asyncio.gather(*(one(*job) for job in jobs))
    for _ in range(200):
        if not (await metrics(port))["jets_active"]:
            break
        await asyncio.sleep(0.1)


async def hostile(port: int, choose: random.Random, minded: list[str]) -> str:
    """One request; its answer's status. What is neither sound nor an error as OpenAI has them is put into `minded`."""
    method, path, kind = "POST", choose.choice((SPEECH, SPEECH, CAPTIONED)), choose.randrange(5)
    body = {"model": "tts-1", "input": "x", "response_format": choose.choice(("pcm", "wav", "mp3", "flac"))}
    if kind == 0:
        content = choose.choice(RAW)
    elif kind == 4:
        method, path, content = choose.choice(("GET", "PUT", "DELETE", "POST")), choose.choice(PATHS), b"{}"
    else:
        if kind == 1:
            body["input"] = choose.choice(SSML)(choose)
        elif kind == 2:
            body["input"] = "".join(
                chr(choose.choice((32, 97, choose.randrange(0x3000), choose.randrange(0xE000, 0x110000))))
                for _ in range(60)
            )
        else:
            keys = (
                "model",
                "input",
                "voice",
                "speed",
                "response_format",
                "stream_format",
                "language",
                "pitch",
                "energy",
                "instructions",
            )
            body |= {choose.choice(keys): choose.choice(VALUES) for _ in range(choose.randrange(1, 3))}
        content = json.dumps(body).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(content)}\r\n\r\n"
        writer.write(head.encode() + content)
        answer = await asyncio.wait_for(reader.read(), 60)
    except (OSError, asyncio.TimeoutError) as error:
        minded.append(f"{method} {path} {content[:80]!r}: {error!r}")
        return "none"
    finally:
        writer.close()
    head, _, rest = answer.partition(b"\r\n\r\n")
    status = head[9:12].decode()
    with suppress(ValueError):
        tree = json.loads(rest)
        good = set(tree["error"]) == ERROR if status != "200" else True
        if good and b"Traceback" not in rest and not status.startswith("5"):
            return status
    if status == "200":
        return status
    minded.append(f"{method} {path} {content[:80]!r}: {answer[:200]!r}")
    return status


async def garble(port: int, choose: random.Random) -> None:
    """Noise where Home Assistant is answered."""
    lines = (
        b"\x00\xff\n", b"[" * 90_000 + b"\n", b'{"type":"x","payload_length":1e18}\n', b'{"type":[],"data":{}}\n',
        b'{"type":"synthesize","data":{"text":{"a":1},"voice":{"name":[]}}}\n', b'{"type":"synthesize-chunk"}\n',
    )  # fmt: skip
    with suppress(OSError):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(choose.choice(lines))
        await asyncio.sleep(0.01)
        writer.close()


if __name__ == "__main__":
    sys.exit(main())
