"""The three servers once for each database, and an empty stream on them for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed import Testbed, ZooKeeper
from tests.integration.cli.deployment import Deployment

DATABASES = [pytest.param("mysql", marks=pytest.mark.mysql), pytest.param("mariadb", marks=pytest.mark.mariadb)]
NUMBERS = iter(range(1, 1000))


@pytest.fixture(params=DATABASES, scope="session")
def bed(request: pytest.FixtureRequest) -> Iterator[Testbed]:
    """A database, a Redis and a ZooKeeper."""
    with Testbed(database=request.param) as bed:
        yield bed


@pytest.fixture
def deployment(bed: Testbed, tmp_path: Path) -> Deployment:
    """A stream without config, position or instances, and its source's empty table."""
    assert isinstance(bed.zookeeper, ZooKeeper)
    name = f"cli{next(NUMBERS)}"
    bed.database.script(f"CREATE DATABASE {name}; CREATE TABLE {name}.users (id INT PRIMARY KEY, name VARCHAR(50))")
    return Deployment(name=name, directory=tmp_path, database=bed.database, redis=bed.redis, zookeeper=bed.zookeeper)
