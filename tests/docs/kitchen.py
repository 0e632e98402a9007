"""Servers, and one instance that leads a stream for each recipe."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from testbed import SqlServer, Testbed, ZooKeeper, wait_until
from testbed.bed import DatabaseName
from tests.docs.monitor import Monitor
from tests.docs.recipes import NOTHING, Change, Recipe, look, rendered
from tests.failover.fleet import ROOT, Backends, Fleet, Running, fleet_on

START_WITHIN_S = 90.0
DATABASES = 64


@dataclass(slots=True, kw_only=True)
class Kitchen:
    """Where recipes are cooked: each in a stream and a Redis database of its own."""

    bed: Testbed
    fleet: Fleet

    def cook(self, recipe: Recipe, change: Change) -> tuple[str, list[str]]:
        """Make the change; return the commands as the page shows them, and what the look-ups print."""
        redis = self.bed.redis
        with Monitor(host="127.0.0.1", port=redis.port) as monitor:
            self.bed.database.script(change.sql)
            sent = monitor.batches_until(recipe.stream, end_of(self.bed.database))
        commands = "\n".join(map(rendered, sent)) or NOTHING
        return commands, [look(command, port=redis.port, database=recipe.number) for command, _ in change.looks]


def end_of(database: SqlServer) -> tuple[int, int]:
    """Return where the binlog ends."""
    file, offset = database.binlog_position()
    return int(file.rpartition(".")[2]), offset


@contextmanager
def kitchen_with(database: DatabaseName, recipes: list[Recipe]) -> Iterator[Kitchen]:
    """Start servers, make all tables, and wait until every recipe's stream is led and has its place."""
    with Testbed(database=database, redis_options={"databases": DATABASES}) as bed:
        for recipe in recipes:
            bed.database.script(recipe.tables)
            _install(recipe, bed.directory)
        with fleet_on(_backends(bed)) as fleet:
            for recipe in recipes:
                document = recipe.document(
                    source=bed.database.address, user=bed.database.reader_user, redis=bed.redis.address
                )
                fleet.stream(recipe.stream).configs.put(document, based_on=0, applied_by="test")
            (cook,) = fleet.start(
                "cook",
                PYTHONPATH=f"{ROOT}:{bed.directory}",
                HASYNC_STREAMS=",".join(recipe.stream for recipe in recipes),
                HASYNC_ZOOKEEPER__SESSION_TIMEOUT_S="10",
            )
            wait_until("all streams are led", lambda: _all_led(cook, len(recipes)), timeout_s=START_WITHIN_S)
            yield Kitchen(bed=bed, fleet=fleet)


def _backends(bed: Testbed) -> Backends:
    assert isinstance(bed.zookeeper, ZooKeeper)
    return Backends(
        database=bed.database,
        redis=bed.redis,
        zookeeper=bed.zookeeper,
        source=bed.database.address,
        sink=bed.redis.address,
        directory=bed.directory,
        root="/cookbook",
    )


def _install(recipe: Recipe, directory: Path) -> None:
    for name, text in recipe.files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _all_led(cook: Running, count: int) -> bool:
    status, body = cook.get("/status")
    standings = list(json.loads(body)["streams"].values()) if status == 200 else []
    led = [one for one in standings if one.get("state") == "leader" and one["position"] is not None]
    return len(led) == count
