"""Everything here compares with the `espnet` package itself, and is skipped where that is not installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).parent
MISSING = [name for name in ("espnet2", "tacotron_cleaner") if find_spec(name) is None]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark this folder's tests."""
    for item in items:
        if HERE in Path(item.fspath).parents:
            item.add_marker(pytest.mark.parity)
            if MISSING:
                reason = f"{MISSING[0]} is not installed: run sh tests/run.sh --parity"
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory):  # noqa: ANN201  the class needs espnet's absence to be no error
    """A small voice on both sides."""
    from tests.parity.oracle import build_pair

    return build_pair(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="session")
def full_pair(tmp_path_factory: pytest.TempPathFactory):  # noqa: ANN201
    """A voice of the published size on both sides."""
    from tests.parity.oracle import build_pair

    return build_pair(tmp_path_factory.mktemp("full"), full=True, seed=3)
