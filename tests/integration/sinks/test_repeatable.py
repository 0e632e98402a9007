"""What hasync calls repeatable is: a second time changes nothing, on a real Redis, with every option."""

from collections.abc import Iterator

import pytest

from hasync.model.command import ALLOWED, Repeat
from testbed import Redis

TWICE = {
    b"SET": ["SET k v", "SET k v PX 100000", "SET k v NX", "SET k v XX"],
    b"DEL": ["DEL k other"],
    b"UNLINK": ["UNLINK k other"],
    b"EXPIRE": ["EXPIRE string 100000", "EXPIRE string 100000 NX", "EXPIRE string 100000 GT"],
    b"PEXPIRE": ["PEXPIRE string 100000000"],
    b"PERSIST": ["PERSIST string"],
    b"HSET": ["HSET hash f 1 g 2"],
    b"HDEL": ["HDEL hash f h"],
    b"SADD": ["SADD set a b"],
    b"SREM": ["SREM set a c"],
    b"ZREM": ["ZREM zset a c"],
    b"XTRIM": ["XTRIM stream MAXLEN 2", "XTRIM stream MINID 2-0"],
    b"PFADD": ["PFADD log a b"],
    b"SETBIT": ["SETBIT string 7 1"],
}

SEED = (
    "SET string v",
    "HSET hash f 0 h 3",
    "SADD set a c d",
    "ZADD zset 1 a 2 b 3 c",
    "XADD stream 1-0 f 1",
    "XADD stream 2-0 f 2",
    "XADD stream 3-0 f 3",
    "XADD stream 4-0 f 4",
)


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with Redis(tmp_path_factory.mktemp("repeatable")) as server:
        yield server


def after(redis: Redis, command: str, times: int) -> dict[bytes, object]:
    """Return everything that Redis holds after so many times the command."""
    redis.command("FLUSHALL")
    for line in (*SEED, *[command] * times):
        redis.command(*line.split())
    keys = sorted(redis.command("KEYS", "*"))
    members = {b"set": set(redis.command("SMEMBERS", "set"))}  # its DUMP has no order of its own
    return {key: members.get(key) or redis.command("DUMP", key) for key in keys}


@pytest.mark.parametrize("command", [line for lines in TWICE.values() for line in lines])
def test_repeating_it_changes_nothing(redis: Redis, command: str) -> None:
    """A batch may be replayed from redo_from: what is in it must not add up."""
    assert after(redis, command, 1) == after(redis, command, 2)


def test_every_command_that_may_be_replayed_is_tried() -> None:
    """A command that somebody allows later has to be thought about here."""
    replayed = {verb for verb, trait in ALLOWED.items() if trait.repeat is not Repeat.ONCE}
    assert replayed == TWICE.keys()
