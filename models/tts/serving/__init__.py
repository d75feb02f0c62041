"""A voice as a web service."""

from __future__ import annotations

import os
import sys

from processors.speaker import Speaker
from utils.errors import UserError


def serve(voice: Speaker, name: str, host: str, port: int) -> None:
    """Answer until stopped, with the key in JETS_API_KEY, if there is one. UserError: no port, a missing package."""
    if not 0 < port < 65536:
        raise UserError(f"a port is a number from 1 to 65535, but {port} is given")
    try:
        import uvicorn

        from models.tts.serving.server import SpeechServer
    except ImportError as error:
        install = "run `pip install -r egs/tts/Jets/requirements-serve.txt`"
        raise UserError(f"serving needs the package {error.name}: {install}") from None
    key = os.environ.get("JETS_API_KEY") or None
    if key is None and host not in ("127.0.0.1", "::1", "localhost"):
        print("note: whoever reaches this port may use it: set JETS_API_KEY to a key of yours", file=sys.stderr)
    app = SpeechServer(voice, name, key).app()
    print(f"{name} speaks at http://{host}:{port}/v1/audio/speech", flush=True)
    uvicorn.run(app, host=host, port=port, log_level="warning")
