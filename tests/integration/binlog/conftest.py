"""One MySQL and one MariaDB for all tests of the binlog; each test has a schema of its own."""

from collections.abc import Iterator

import pytest

from testbed import MariaDb, MySql, workdir
from testbed.sql import SqlServer

FLAVORS = [pytest.param("mysql", marks=pytest.mark.mysql), pytest.param("mariadb", marks=pytest.mark.mariadb)]


@pytest.fixture(scope="session")
def mysql() -> Iterator[MySql]:
    with workdir() as place, MySql(place) as server:
        yield server


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDb]:
    with workdir() as place, MariaDb(place) as server:
        yield server


@pytest.fixture(params=FLAVORS, scope="session")
def server(request: pytest.FixtureRequest) -> SqlServer:
    found: SqlServer = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def schema(server: SqlServer, request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield the name of an empty schema."""
    name = f"s{abs(hash(request.node.nodeid)) % 10**10}"
    server.sql(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    yield name
    server.sql(f"DROP DATABASE {name}")
