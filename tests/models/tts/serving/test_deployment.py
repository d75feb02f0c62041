"""The container and the service start what there is."""

from __future__ import annotations

import argparse
import json
import re
import shlex
import socket
import sys
from pathlib import Path

import pytest

import jets
from utils.errors import UserError

ROOT = Path(__file__).resolve().parents[4]
DEPLOY = ROOT / "egs/tts/Jets/deploy"


def test_what_the_container_copies_is_there() -> None:
    copied = re.findall(r"^COPY (.+)", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    names = [name for line in copied for name in line.split()[:-1]]
    assert len(names) > 8 and all((ROOT / name).exists() for name in names)
    # All that the installed package needs, and what it takes its dependencies from.
    needed = re.findall(r'"([a-z]+)\*?"', re.findall(r"include = (\[.*\])", (ROOT / "pyproject.toml").read_text())[0])
    assert set(needed) | {"requirements.txt", "jets.py"} <= set(names)


@pytest.mark.parametrize("name", ["Dockerfile", "jets.service"])
def test_they_start_jets_as_it_wants_to_be(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (DEPLOY / name).read_text()
    line = " ".join(json.loads(text.rpartition("CMD ")[2])) if name == "Dockerfile" else text.split("ExecStart=")[1]
    command = shlex.split(line.splitlines()[0])
    seen: list[argparse.Namespace] = []
    monkeypatch.setattr(jets, "answer", lambda arguments: seen.append(arguments) or 0)
    monkeypatch.setattr(sys, "argv", command)
    jets.main()
    assert seen[0].wyoming_port == 10200 and seen[0].host == ("0.0.0.0" if name == "Dockerfile" else "127.0.0.1")


def test_they_bring_what_the_bundled_voice_speaks_with() -> None:
    from processors.cast import Cast
    from processors.text.tokens import load_tokens

    cast = Cast.read(load_tokens(ROOT / "egs/tts/Jets/voice/tokens.json"))
    assert {language for language in cast.languages if not language.startswith("en")}  # else espeak-ng may go
    for name in ("Dockerfile", "jets.service"):
        (install,) = re.findall(r".*pip install.*", (DEPLOY / name).read_text())
        assert '".[serve]" espeakng-loader' in install


def test_pieces_do_not_wait_for_each_other_and_a_taken_port_is_told() -> None:
    from models.tts.serving import bound

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port} cannot be used"):
            bound("127.0.0.1", port)
    listening = bound("127.0.0.1", port)
    with listening, socket.create_connection(("127.0.0.1", port)), listening.accept()[0] as accepted:
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    for wrong in (0, 65536):
        with pytest.raises(UserError, match="1 to 65535"):
            bound("127.0.0.1", wrong)
