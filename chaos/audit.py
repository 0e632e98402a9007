"""Whether Redis is what the database demands: every key, every counter, every acknowledged entry."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from testbed import Redis, SqlServer

Content = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What is wrong, by kind.  ``lost`` and ``doubled`` count changes of counters; ``keys``: some of the wrong ones."""

    lost: int
    doubled: int
    other: int
    keys: tuple[str, ...]

    @property
    def none(self) -> bool:
        """Whether Redis is right."""
        return not (self.lost or self.doubled or self.other)


def demanded(database: SqlServer) -> dict[str, object]:
    """Return every key that the tables demand, with its content."""
    keys: dict[str, object] = {}
    with (
        database.connect(autocommit=False, connect_timeout=2, read_timeout=10) as connection,
        connection.cursor() as cursor,
    ):
        keys |= {f"account:{row[0]}": str(row[1]) for row in _rows(cursor, "SELECT id, balance FROM chaos.account")}
        keys |= {f"count:{row[0]}": str(row[1]) for row in _rows(cursor, "SELECT id, n FROM chaos.counter")}
        for number, note, size in _rows(cursor, "SELECT id, note, size FROM chaos.entry"):
            keys[f"entry:{number}"] = {"note": note, "size": str(size)}
    return keys


def _rows(cursor: Any, statement: str) -> list[tuple[Any, ...]]:
    cursor.execute(statement)
    return list(cursor.fetchall())


def held(redis: Redis) -> dict[str, object]:
    """Return every key of Redis but hasync's own."""
    with redis.client(decode_responses=True) as client:
        keys = [key for key in client.scan_iter(count=1000) if not key.startswith("hasync:")]
        hashes = [key for key in keys if key.startswith("entry:")]
        plain = [key for key in keys if not key.startswith("entry:")]
        with client.pipeline(transaction=False) as pipe:
            for key in hashes:
                pipe.hgetall(key)
            found = dict(zip(hashes, pipe.execute(), strict=True))
        return found | dict(zip(plain, client.mget(plain) if plain else [], strict=True))


def compare(wanted: Content, found: Content) -> Difference:
    """Return how what is held differs from what is demanded."""
    wrong = sorted(key for key in wanted.keys() | found.keys() if wanted.get(key) != found.get(key))
    counters = [key for key in wrong if key.startswith("count:")]
    gaps = [_number(wanted.get(key)) - _number(found.get(key)) for key in counters]
    return Difference(
        lost=sum(gap for gap in gaps if gap > 0),
        doubled=-sum(gap for gap in gaps if gap < 0),
        other=len(wrong) - len(counters),
        keys=tuple(wrong[:8]),
    )


def _number(value: object) -> int:
    return int(str(value)) if value is not None else 0
