"""What ``hasync doctor`` says about a real Redis."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hasync.clock import SystemClock
from hasync.model.check import Check
from hasync.model.command import Command, command
from hasync.model.state import state_key
from hasync.sinks.checks import redis_checks
from hasync.sinks.endpoint import RedisEndpoint
from testbed import PortLease, Redis
from tests.integration.sinks.bench import STREAM, RedisBench, at

SAMPLES = (command("SET", "user:1", "1"), command("HSET", "product:1", "price", "1"), command("DEL", "order:1"))


def look(port: int, *, samples: tuple[Command, ...] = SAMPLES, **settings: str) -> dict[str, Check]:
    endpoint = RedisEndpoint(url=f"redis://127.0.0.1:{port}", **settings)  # type: ignore[arg-type]
    return {check.name: check for check in redis_checks(endpoint, stream=STREAM, clock=SystemClock(), samples=samples)}


@pytest.fixture
def persistent(tmp_path: Path) -> Iterator[Redis]:
    with Redis(tmp_path, options={"appendonly": "yes"}) as server:
        yield server


def test_good_server_passes_all_checks_and_is_not_written_to(persistent: Redis) -> None:
    """A single primary with AOF, no eviction and all rights needs no remedy."""
    found = look(persistent.port)
    assert [check.name for check in found.values() if not check.ok or check.remedy or check.warning] == []
    assert list(found) == [
        "redis.reachable",
        "redis.role",
        "redis.version",
        "redis.cluster",
        "redis.eviction",
        "redis.persistence",
        "redis.permissions",
        "redis.client_name",
        "redis.state",
    ]
    assert persistent.command("DBSIZE") == 0


def test_nobody_there_is_the_only_finding() -> None:
    """Without a connection nothing else can be said."""
    with PortLease() as lease:
        found = look(lease.port)
    assert list(found) == ["redis.reachable"]
    assert not found["redis.reachable"].ok


def test_wrong_password_is_told_with_its_remedy(bench: RedisBench) -> None:
    """The login's refusal is the finding, and the secret is not in it."""
    (check,) = look(bench.server.port, username="app", password="open-sesame").values()
    assert not check.ok
    assert "redis.password" in check.remedy
    assert "open-sesame" not in str(check)


def test_eviction_and_missing_persistence_are_warnings(bench: RedisBench) -> None:
    """The stream may run, and the operator hears what that means."""
    bench.raw.config_set("maxmemory-policy", "allkeys-lru")
    try:
        found = look(bench.server.port)
    finally:
        bench.raw.config_set("maxmemory-policy", "noeviction")
    for name in ("redis.eviction", "redis.persistence"):
        assert (found[name].ok, found[name].warning) == (False, True)
        assert found[name].remedy
    assert "allkeys-lru" in found["redis.eviction"].detail
    assert "empties Redis" in found["redis.persistence"].detail


def test_snapshots_alone_are_a_warning_of_their_own(bench: RedisBench) -> None:
    """With RDB a restart goes back in time instead of to nothing."""
    bench.raw.config_set("save", "3600 1")
    try:
        detail = look(bench.server.port)["redis.persistence"].detail
    finally:
        bench.raw.config_set("save", "")
    assert "snapshot" in detail


def test_missing_rights_are_listed_by_command_and_key(bench: RedisBench) -> None:
    """Rights are tried on the rules' own commands and keys, in a transaction that is discarded."""
    rules = ("reset", "on", ">sesame", "~hasync:*", "~user:*", "+@all", "-role", "-info", "-hset")
    bench.raw.execute_command("ACL", "SETUSER", "app", *rules)
    try:
        found = look(bench.server.port, username="app", password="sesame")
    finally:
        bench.raw.execute_command("ACL", "DELUSER", "app")
    permissions = found["redis.permissions"]
    assert not permissions.ok
    assert permissions.detail == "HSET product:1: NOPERM; DEL order:1: NOPERM"
    assert (found["redis.role"].warning, found["redis.version"].warning) == (True, True)
    assert bench.content() == {}


def test_replica_is_a_finding(bench: RedisBench, tmp_path: Path) -> None:
    """A replica takes no writes, and says so before the first one."""
    with Redis(tmp_path, name="replica", replica_of=bench.server) as replica:
        found = look(replica.port)
    assert not found["redis.role"].ok
    assert "primary" in found["redis.role"].remedy


def test_cluster_mode_is_a_finding(tmp_path: Path) -> None:
    """Redis Cluster is not supported yet."""
    with PortLease() as bus, Redis(tmp_path, options={"cluster-enabled": "yes", "cluster-port": bus.port}) as server:
        found = look(server.port)
    assert not found["redis.cluster"].ok


def test_state_is_shown(bench: RedisBench) -> None:
    """The operator sees whose the stream is and where it stands."""
    sink = bench.sink()
    sink.claim(3, sink.peek())
    sink.apply((), at(400))
    assert look(bench.server.port)["redis.state"].detail.endswith("epoch 3, batch 1, at binlog.000001:400")
    bench.raw.set(state_key(STREAM), "junk")
    assert not look(bench.server.port)["redis.state"].ok
