"""The whole road of a value: from a server's binlog through rules into a real Redis."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import redis

from hasync.binlog.source import BinlogSource
from hasync.clock import SystemClock
from hasync.model.config import parse
from hasync.model.position import Start, StartKind
from hasync.sinks.endpoint import RedisEndpoint
from hasync.sinks.redis import RedisSink
from hasync.stream.batch import Batch
from hasync.stream.rules import Rules
from testbed import Redis
from testbed.sql import SqlServer
from tests.integration.binlog.bench import SERVER_ID, read_to_end, source_of

CONFIG = """
version: 1
source: {hosts: ["h:1"], user: u, password: "env:P"}
redis: {url: "redis://r:1/0"}
tables:
"""


class RedisRoad:
    """A source under rules and a sink; what was written so far is moved by :meth:`catch_up`."""

    def __init__(self, server: SqlServer, source: BinlogSource, sink: RedisSink, store: redis.Redis) -> None:
        self._server = server
        self._source = source
        self._sink = sink
        self._store = store

    def catch_up(self) -> None:
        """Apply all that the server has written by now."""
        batch = Batch.of(read_to_end(self._source, self._server))
        self._sink.apply(batch.writes().commands(), batch.position)

    def values(self, keys: Iterable[str]) -> list[bytes | None]:
        """Return what Redis holds, None for a key that is not there."""
        return list(self._store.mget(list(keys)))


@contextmanager
def redis_road(server: SqlServer, store: Redis, rules: str) -> Iterator[RedisRoad]:
    """Open the road at the binlog's end; ``rules``: the lines below ``tables:`` of a config."""
    source = source_of(server, server_id=SERVER_ID + 1)
    endpoint = RedisEndpoint(url=f"redis://127.0.0.1:{store.port}/0", timeout_s=10.0)
    sink = RedisSink(stream="types", endpoint=endpoint, clock=SystemClock())
    raw = redis.Redis(host="127.0.0.1", port=store.port, socket_timeout=5)
    try:
        raw.flushall()
        source.open(Start(kind=StartKind.LATEST), Rules(parse(CONFIG + rules)))
        sink.claim(1, sink.peek())
        yield RedisRoad(server, source, sink, raw)
    finally:
        source.close()
        sink.close()
        raw.close()
