"""A voice as a web service."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress

from processors.speaker import Speaker
from utils.errors import UserError, required


def serve(voice: Speaker, name: str, host: str, port: int, wyoming_port: int | None = None) -> None:
    """Answer until stopped, with the key in JETS_API_KEY, if there is one. UserError: a port, a missing package."""
    packages = "-r egs/tts/Jets/requirements-serve.txt"
    uvicorn = required("uvicorn", "serving", packages)
    server = required("models.tts.serving.server", "serving", packages)
    formats = required("models.tts.serving.audio_formats", "serving", packages)
    key = os.environ.get("JETS_API_KEY") or None
    if host not in ("127.0.0.1", "::1", "localhost"):
        if key is None:
            print("note: whoever reaches this port may use it: set JETS_API_KEY to a key of yours", file=sys.stderr)
        elif wyoming_port:
            print(f"note: whoever reaches port {wyoming_port} may use it: Wyoming knows no keys", file=sys.stderr)
    web, wyoming = bound(host, port), None if wyoming_port is None else bound(host, wyoming_port)
    # What is loaded when it is first used: not while the first client waits.
    with suppress(UserError, ImportError):
        list(formats.encoded(list(voice.stream("Hello.")), "mp3", voice.sample_rate))
    app = server.SpeechServer(voice, name, key).app(wyoming)
    where = f"[{host}]" if ":" in host else host
    print(f"{name} speaks at http://{where}:{port}/v1/audio/speech", flush=True)
    if wyoming:
        print(f"{name} speaks at tcp://{where}:{wyoming_port} (Wyoming)", flush=True)
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=5)
    uvicorn.Server(config).run([web])


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens there; UserError where that cannot be."""
    if not 0 < port < 65536:
        raise UserError(f"a port is a number from 1 to 65535, but {port} is given")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise UserError(f"{host} port {port} cannot be used ({error.strerror}): choose another one") from None
    # Else a piece waits, up to 40 ms, until the client has acknowledged the one before.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening
