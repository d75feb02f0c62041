"""Options and fixtures of the fault suite."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.faults.fuzz import TALLY
from tests.faults.server import Server

# Kills of one run of the suite, shared out to the three stages; sh tests/run.sh --faults has 150.
DEFAULT_KILLS = 10
# Inputs that each fuzzing test tries; sh tests/run.sh --faults has 3000.
DEFAULT_EXAMPLES = 20
CAN_FORK = sys.platform == "linux" and hasattr(os, "pidfd_open")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--kills N` and `--examples N`, when this folder is named on the command line."""
    parser.addoption("--kills", type=int, default=DEFAULT_KILLS, help="processes that the fault suite kills")
    parser.addoption("--examples", type=int, default=DEFAULT_EXAMPLES, help="inputs of each fuzzing test")


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


@pytest.fixture(autouse=True)
def tally(request: pytest.FixtureRequest) -> Iterator[Counter[str]]:
    """What a test tried, by kind; tests/conftest.py adds all of it up at the end."""
    TALLY.clear()
    yield TALLY
    request.node.user_properties += TALLY.items()


def pytest_configure(config: pytest.Config) -> None:
    """The fuzzing tests' number of inputs; the same inputs in every run of the same length."""
    examples = int(config.getoption("--examples", default=DEFAULT_EXAMPLES))
    settings.register_profile(
        "faults", max_examples=examples, derandomize=True, deadline=None, database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    )  # fmt: skip
