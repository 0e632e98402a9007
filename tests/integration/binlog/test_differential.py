"""Tables and rows of chance: what hasync delivers is what SELECT prints, and what another library reads."""

import itertools
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pymysql
import pytest
from hypothesis import HealthCheck, Phase, given, reject, seed, settings
from hypothesis import strategies as st

from hasync.binlog.source import BinlogSource
from hasync.model.change import Operation
from hasync.model.position import Flavor
from testbed import Redis, ZooKeeper, wait_until
from testbed.sql import SqlServer
from tests.failover.fleet import Backends, Fleet, Running, fleet_on
from tests.integration.binlog import library, projection
from tests.integration.binlog.bench import LATEST, Wanted, changes_of, is_mysql, opened, read_to_end, source_of
from tests.integration.binlog.projection import Chosen
from tests.integration.binlog.randomtables import Story, stories

EXAMPLES = int(os.environ.get("DIFFERENTIAL_EXAMPLES") or 60)
"""Tables per server; a long run takes thousands."""
SEED = int(os.environ.get("DIFFERENTIAL_SEED") or 1)
_ROW_TOO_LARGE = 1118
_WARM_UP = "SET time_zone = '+00:00', sql_mode = 'ALLOW_INVALID_DATES', character_set_results = 'utf8mb4'"

Row = tuple[object, ...]
Changed = projection.Changed


@dataclass
class Bench:
    """One server with a schema, and one source that follows all of it: a type breaks the later tables too."""

    server: SqlServer
    schema: str
    source: BinlogSource
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def flavor(self) -> Flavor:
        return Flavor.MYSQL if is_mysql(self.server) else Flavor.MARIADB


@pytest.fixture(scope="module")
def bench(server: SqlServer) -> Iterator[Bench]:
    schema = "differential"
    server.sql(f"CREATE DATABASE {schema} CHARACTER SET utf8mb4")
    source = source_of(server)
    with opened(source, LATEST, Wanted(schema)):
        yield Bench(server, schema, source)
    server.sql(f"DROP DATABASE {schema}")


def session(bench: Bench) -> Any:
    """Return a connection that gives values as the bytes the server prints."""
    return bench.server.connect(database=bench.schema, conv={}, use_unicode=False, init_command=_WARM_UP)


def make(cursor: Any, story: Story, table: str) -> None:
    """Make the table, or tell hypothesis that there can be none like it."""
    try:
        cursor.execute(story.create(table).encode())
    except pymysql.err.OperationalError as refused:
        if refused.args[0] == _ROW_TOO_LARGE:
            reject()
        raise


def printed(cursor: Any, story: Story, table: str) -> dict[int, Row]:
    """Return the rows by id, as SELECT prints them."""
    cursor.execute(f"SELECT {', '.join(story.names)} FROM {table}".encode())
    return {int(row[0]): row for row in cursor.fetchall()}


def play(cursor: Any, story: Story, table: str) -> list[Changed]:
    """Run the statements; return what each did to each row, by SELECT before and after."""
    found: list[Changed] = []
    for action in story.actions:
        before = printed(cursor, story, table)
        cursor.execute(action.sql(table).encode())
        after = printed(cursor, story, table)
        moved = 1000 if dict(action.values).get("id") else 0
        for one in action.ids:
            was, now = before.get(one, ()), after.get(one + moved, ())
            operation = {"insert": Operation.INSERT, "delete": Operation.DELETE}.get(action.verb, Operation.UPDATE)
            found.append((operation, () if action.verb == "insert" else was, () if action.verb == "delete" else now))
    return found


def canonical(story: Story, flavor: Flavor, row: Sequence[object]) -> Row:
    """Return a row with JSON in one notation: it must be equal as JSON, other values byte for byte."""
    families = ["integer", *(column.type.family for column in story.columns)]
    if flavor is Flavor.MARIADB or not row:  # MariaDB's JSON is text
        return tuple(row)
    return tuple(
        _json(value) if family in ("json", "opaque") else value for family, value in zip(families, row, strict=True)
    )


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(json.loads(value), sort_keys=True)


def visible(changes: Sequence[Changed]) -> list[Changed]:
    """Return the changes that the server writes down: an update to the same values is none."""
    return [change for change in changes if change[1] != change[2]]


def effective(story: Story, flavor: Flavor, changes: Sequence[Changed]) -> Counter[Changed]:
    """Return what changed something that can be seen, in one notation."""
    seen = [(what, canonical(story, flavor, old), canonical(story, flavor, new)) for what, old, new in changes]
    return Counter(change for change in seen if change[1] != change[2])


def hold_against_select(bench: Bench, story: Story) -> None:
    table = f"t{next(bench.numbers)}"
    start = bench.server.binlog_position()
    with session(bench) as connection, connection.cursor() as cursor:
        make(cursor, story, table)
        wanted = play(cursor, story, table)
    segments = read_to_end(bench.source, bench.server)
    found: list[Changed] = [
        (one.operation, one.before, one.after) for one in changes_of(segments) if one.table == table
    ]
    assert effective(story, bench.flavor, found) == effective(story, bench.flavor, wanted)
    assert sum(segment.rows for segment in segments) == len(found)
    hold_against_library(bench, story, table, start, found)


def hold_against_library(
    bench: Bench, story: Story, table: str, start: tuple[str, int], found: Sequence[Changed]
) -> None:
    """Compare with mysql-replication, in the columns of which it can be trusted."""
    if any(column.type.family in library.UNREADABLE for column in story.columns):
        return
    read = library.read(bench.server, start, table)
    if read is None:
        return
    assert len(read) == len(found)
    for (operation, before, after), (what, old, new) in zip(read, found, strict=True):
        assert operation == what
        for theirs, ours in ((before, old), (after, new)):
            _hold_row_against_library(story, bench.flavor, theirs, ours)


def _hold_row_against_library(story: Story, flavor: Flavor, theirs: dict[str, Any], ours: Row) -> None:
    if not ours:
        return
    for column, value in zip(story.columns, ours[1:], strict=True):
        family = "text" if column.type.family == "json" and flavor is Flavor.MARIADB else column.type.family
        if family in library.WRONG:
            continue
        text = library.text_of(family, theirs[column.name])
        if family == "json":
            assert _json(text) == _json(value or b"null"), column.sql
        elif family == "double" and text is not None:
            assert float(text) == float(value), column.sql  # type: ignore[arg-type]
        else:
            assert text == value, column.sql


def test_random_rows_are_what_select_prints(bench: Bench) -> None:
    """Any columns, inserts, updates (of the key too), deletes: each image equals SELECT before and after."""

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def hold(data: st.DataObject) -> None:
        hold_against_select(bench, data.draw(stories(bench.flavor)))

    seed(SEED)(hold)()


# ------------------------------------------------------------------------------ up to Redis

TABLES_AT_ONCE = 8
ROUNDS = max(1, EXAMPLES // 30)


@dataclass
class Road:
    """A running worker between a server and a Redis, which gets new rules for each round."""

    server: SqlServer
    redis: Redis
    fleet: Fleet
    leader: Running
    schema: str
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def flavor(self) -> Flavor:
        return Flavor.MYSQL if is_mysql(self.server) else Flavor.MARIADB

    def follow(self, rules: Mapping[str, object]) -> None:
        """Apply a config with these rules and wait until it is in force."""
        revision = self.fleet.apply(document(self.server, self.redis, self.schema, rules))
        wait_until("the rules are in force", lambda: self.leader.standing.get("config_revision") == revision)


def document(server: SqlServer, redis: Redis, schema: str, rules: Mapping[str, object]) -> str:
    """Return a stream's config; JSON is YAML."""
    source = {"hosts": [server.address], "user": server.reader_user, "password": "env:MYSQL_PASSWORD"}
    tables = {f"{schema}.{table}": listed for table, listed in rules.items()}
    redis_part = {"url": f"redis://{redis.address}/0"}
    return json.dumps({"version": 1, "source": source, "redis": redis_part, "tables": tables})


@pytest.fixture(scope="module")
def road(server: SqlServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Road]:
    directory = tmp_path_factory.mktemp("road")
    schema = "road"
    server.sql(f"CREATE DATABASE {schema} CHARACTER SET utf8mb4")
    with Redis(directory) as redis, ZooKeeper(directory) as zookeeper:
        backends = Backends(
            database=server,
            redis=redis,
            zookeeper=zookeeper,
            source=server.address,
            sink=redis.address,
            directory=directory,
            root=f"/differential-{server.flavor}",
        )
        with fleet_on(backends) as fleet:
            fleet.apply(document(server, redis, schema, {"none": [{"delete": ["none:{id}"]}]}))
            fleet.start("one")
            yield Road(server, redis, fleet, fleet.leader(), schema)
    server.sql(f"DROP DATABASE {schema}")


@dataclass
class Played:
    """A table of the round, with its rules, what happened to its rows, and how they are now."""

    table: str
    story: Story
    chosen: Chosen
    changes: list[Changed] = field(default_factory=list)
    rows: dict[int, Row] = field(default_factory=dict)


def rehearse(road: Road, cursor: Any, played: Sequence[Played]) -> list[bytes]:
    """Play everything on tables without rules, to learn which keys the delete rules will meet; return them."""
    keys: list[bytes] = []
    for one in played:
        make(cursor, one.story, f"{one.table}_rehearsed")
        changes = visible(play(cursor, one.story, f"{one.table}_rehearsed"))
        keys += projection.seeds(one.table, one.story, one.chosen, changes)
    return keys


def content(redis: Redis) -> tuple[projection.Content, dict[bytes, int]]:
    """Return every key but hasync's own, with its value, and the time it has left."""
    with redis.client() as client:
        keys = [key for key in client.scan_iter(count=1000) if not key.startswith(b"hasync:{")]
        values = {key: client.hgetall(key) if client.type(key) == b"hash" else client.get(key) for key in keys}
        return values, {key: client.pttl(key) for key in keys}


def hold_end_to_end(road: Road, drawn: Sequence[tuple[Story, Chosen]]) -> None:
    played = [Played(f"t{next(road.numbers)}", story, chosen) for story, chosen in drawn]
    with (
        road.server.connect(database=road.schema, conv={}, use_unicode=False, init_command=_WARM_UP) as connection,
        connection.cursor() as cursor,
    ):
        seeded = rehearse(road, cursor, played)
        with road.redis.client() as client:
            for key in [*client.scan_iter(match="t*", count=1000)]:
                client.delete(key)
            client.mset(dict.fromkeys(seeded, b"seed"))
        road.follow({one.table: one.chosen.rules(one.table) for one in played})
        for one in played:
            make(cursor, one.story, one.table)
            one.changes = visible(play(cursor, one.story, one.table))
            one.rows = printed(cursor, one.story, one.table)
    wanted: projection.Content = dict.fromkeys(seeded, b"seed")
    for one in played:
        for key in projection.deleted(one.table, one.story, one.chosen, one.changes):
            wanted.pop(key, None)
    for one in played:
        wanted |= projection.demanded(one.table, one.story, one.chosen, one.rows)
    hold_content(road, played, wanted)


def hold_content(road: Road, played: Sequence[Played], wanted: projection.Content) -> None:
    """Wait until the stream has caught up; then every key must be right, and live as long as its rule says."""
    end = road.server.binlog_position()
    wait_until("the stream has caught up", lambda: applied(road) >= end, timeout_s=60)
    found, left_ms = content(road.redis)
    for one in played:
        wanted = projection.canonical(wanted, one.table, one.story, road.flavor)
        found = projection.canonical(found, one.table, one.story, road.flavor)
    assert found == wanted
    for one in played:
        for key, left in left_ms.items():
            if key.startswith((f"{one.table}:hash:".encode(), f"{one.table}:watched:".encode())):
                assert left == -1 if one.chosen.lasting else 0 < left <= projection.TTL_MS


def applied(road: Road) -> tuple[str, int]:
    """Return how far Redis is."""
    state = road.fleet.state
    assert state is not None
    return (state.position.file, state.position.pos) if state.position else ("", 0)


def test_random_rows_end_in_redis_as_their_rules_demand(road: Road) -> None:
    """Several tables with rules at a time, through a real worker: what Redis holds equals a projection of SELECT."""

    @settings(
        max_examples=ROUNDS,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def hold(data: st.DataObject) -> None:
        drawn = []
        for _ in range(TABLES_AT_ONCE):
            story = data.draw(stories(road.flavor, most_columns=6))
            drawn.append((story, data.draw(projection.choices(story))))
        hold_end_to_end(road, drawn)

    seed(SEED)(hold)()
