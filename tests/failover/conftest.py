"""Servers for the failover tests: started once for all of them, data wiped for each."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed import MariaDb, MySql, Redis, SqlServer, ZooKeeper
from tests.failover.fleet import SCHEMA, Backends, Fleet, fleet_on


@pytest.fixture(scope="session")
def servers_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("failover")


@pytest.fixture(scope="session")
def mysql(servers_directory: Path) -> Iterator[SqlServer]:
    with MySql(servers_directory) as server:
        yield server


@pytest.fixture(scope="session")
def mariadb(servers_directory: Path) -> Iterator[SqlServer]:
    with MariaDb(servers_directory) as server:
        yield server


@pytest.fixture(scope="session")
def zookeeper(servers_directory: Path) -> Iterator[ZooKeeper]:
    with ZooKeeper(servers_directory) as server:
        yield server


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    with Redis(tmp_path) as server:
        yield server


@pytest.fixture(params=["mysql", "mariadb"])
def database(request: pytest.FixtureRequest) -> SqlServer:
    """Each database in turn."""
    server: SqlServer = request.getfixturevalue(request.param)
    server.script(SCHEMA)
    return server


@pytest.fixture
def one_database(mysql: SqlServer) -> SqlServer:
    """MySQL, for tests whose subject does not depend on the source."""
    mysql.script(SCHEMA)
    return mysql


def backends_of(database: SqlServer, redis: Redis, zookeeper: ZooKeeper, directory: Path) -> Backends:
    return Backends(
        database=database,
        redis=redis,
        zookeeper=zookeeper,
        source=database.address,
        sink=redis.address,
        directory=directory,
        root=f"/test-{uuid.uuid4().hex[:8]}",
    )


@pytest.fixture
def fleet(database: SqlServer, redis: Redis, zookeeper: ZooKeeper, tmp_path: Path) -> Iterator[Fleet]:
    """A fleet on each database."""
    with fleet_on(backends_of(database, redis, zookeeper, tmp_path)) as fleet:
        yield fleet


@pytest.fixture
def mysql_fleet(one_database: SqlServer, redis: Redis, zookeeper: ZooKeeper, tmp_path: Path) -> Iterator[Fleet]:
    """A fleet on MySQL only."""
    with fleet_on(backends_of(one_database, redis, zookeeper, tmp_path)) as fleet:
        yield fleet
