"""Options and fixtures of the fault suite."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.faults.children import Children
from tests.faults.fuzz import TALLY

# Chains of kills for each kind of work; sh tests/run.sh --faults has 6.
DEFAULT_CHAINS = 1
# Inputs that each fuzzing test tries; sh tests/run.sh --faults has 3000.
DEFAULT_EXAMPLES = 20


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--chains N` and `--examples N`, when this folder is named on the command line."""
    parser.addoption("--chains", type=int, default=DEFAULT_CHAINS, help="chains of kills for each kind of work")
    parser.addoption("--examples", type=int, default=DEFAULT_EXAMPLES, help="inputs of each fuzzing test")


@pytest.fixture(scope="session")
def children(tmp_path_factory: pytest.TempPathFactory) -> Children:
    """What starts children."""
    if sys.platform != "linux":
        pytest.skip("the kills are written for Linux")
    return Children(tmp_path_factory.mktemp("children"))


@pytest.fixture(autouse=True)
def tally(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test tried, by kind; tests/conftest.py adds all of it up at the end."""
    TALLY.clear()
    yield
    request.node.user_properties += TALLY.items()


def pytest_configure(config: pytest.Config) -> None:
    """The fuzzing tests' number of inputs; the same inputs in every run of the same length."""
    examples = int(config.getoption("--examples", default=DEFAULT_EXAMPLES))
    settings.register_profile(
        "faults", max_examples=examples, derandomize=True, deadline=None, database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    )  # fmt: skip
