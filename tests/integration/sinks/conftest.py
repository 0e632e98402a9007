"""A Redis that the tests of one module share, behind a proxy of each test's own."""

from collections.abc import Iterator

import pytest

from testbed import Proxy, Redis
from tests.integration.sinks.bench import RedisBench


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with Redis(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture
def bench(server: Redis) -> Iterator[RedisBench]:
    with Proxy(server) as proxy:
        subject = RedisBench(server, proxy)
        yield subject
        subject.end()
