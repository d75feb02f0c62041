"""Options and fixtures of the fault suite."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.faults.server import Server

# Kills of one run of the suite, shared out to the three stages; the full figure is 150.
DEFAULT_KILLS = 30
CAN_FORK = sys.platform == "linux" and hasattr(os, "pidfd_open")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--kills N`, when this folder is named on the command line."""
    parser.addoption("--kills", type=int, default=DEFAULT_KILLS, help="processes that the fault suite kills")


@pytest.fixture(scope="session")
def kills(pytestconfig: pytest.Config) -> int:
    """How many processes to kill in all."""
    return int(pytestconfig.getoption("--kills", default=DEFAULT_KILLS))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The fork server."""
    if not CAN_FORK:
        pytest.skip("kills need fork and pidfd_open, which only Linux has")
    one = Server(tmp_path_factory.mktemp("server"))
    yield one
    one.close()


@pytest.fixture(scope="session")
def tally(request: pytest.FixtureRequest) -> Iterator[Counter[str]]:
    """Kills by stage and kind, printed at the end."""
    counts: Counter[str] = Counter()
    yield counts
    report = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print(f"\nkilled: {counts.total()} ({report})")
