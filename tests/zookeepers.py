"""The fixture that starts one throw-away ZooKeeper for all tests that only need a clean root."""

from collections.abc import Iterator

import pytest

from testbed import ZooKeeper, workdir


@pytest.fixture(scope="session")
def zookeeper() -> Iterator[ZooKeeper]:
    """A ZooKeeper that stays up; tests that break the server start their own."""
    with workdir() as directory, ZooKeeper(directory) as server:
        yield server
