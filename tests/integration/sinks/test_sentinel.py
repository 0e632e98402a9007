"""A primary that is found by asking Sentinels: failover, a Sentinel that is wrong, and what is said when none helps."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from hasync.clock import SystemClock
from hasync.errors import SinkRefused, SinkUnavailable
from hasync.model.command import command
from hasync.sinks.endpoint import RedisEndpoint
from hasync.sinks.redis import RedisSink
from hasync.sinks.sentinel import locate
from testbed import Redis, Sentinel, wait_until
from tests.integration.sinks.bench import STREAM, at, run

ADD = command("INCRBY", "counter", 1)
PASSWORD = "sesame-of-sentinels"


@dataclass(frozen=True, slots=True)
class Watched:
    """A primary with a replica, watched by three Sentinels; ``tempted`` watches another server under the same name."""

    primary: Redis
    replica: Redis
    sentinels: list[Sentinel]
    tempted: Sentinel

    def endpoint(self, *sentinels: Sentinel, name: str = "main", password: str = PASSWORD) -> RedisEndpoint:
        hosts = ",".join(each.address for each in sentinels or self.sentinels)
        return RedisEndpoint(url=f"redis+sentinel://{hosts}/{name}/0", sentinel_password=password)

    def sink(self) -> RedisSink:
        return RedisSink(stream=STREAM, endpoint=self.endpoint(), clock=SystemClock())


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    directory = tmp_path_factory.mktemp("sentinels")
    with ExitStack() as stack:
        primary = stack.enter_context(Redis(directory, name="primary"))
        replica = stack.enter_context(Redis(directory, name="replica", replica_of=primary))
        stray = stack.enter_context(Redis(directory, name="stray"))
        sentinels = [
            stack.enter_context(Sentinel(directory, name=f"sentinel-{number}", primary=primary, password=PASSWORD))
            for number in range(3)
        ]
        tempted = stack.enter_context(Sentinel(directory, name="tempted", primary=stray, password=PASSWORD))
        wait_until(
            "Sentinels know each other", lambda: all(each.companions() == (1, 2) for each in sentinels), timeout_s=30
        )
        yield Watched(primary, replica, sentinels, tempted)


def test_failover_moves_the_sink_to_the_new_primary(watched: Watched) -> None:
    """The next connection asks again; nothing is counted twice."""
    sink = watched.sink()
    sink.claim(1, sink.peek())
    sink.apply([ADD], at(100))
    watched.replica.wait_in_sync(watched.primary)
    watched.sentinels[0].command("SENTINEL", "FAILOVER", "main")
    wait_until(
        "the failover is over",
        lambda: (
            all(each.primary()[1] == watched.replica.port for each in watched.sentinels)
            and watched.primary.info("replication")["role"] == "slave"  # until then it takes writes that will be lost
        ),
        timeout_s=30,
    )
    assert run(sink, ADD, position=at(200)).seq == 2
    assert watched.replica.command("GET", "counter") == b"2"
    sink.close()


def test_sentinel_that_is_behind_is_outvoted(watched: Watched) -> None:
    """One that was cut off with an old primary names that one; its configuration is older."""
    wait_until("a failover was", lambda: watched.sentinels[0].primary()[1] == watched.replica.port, timeout_s=30)
    found = locate(watched.endpoint(watched.tempted, *watched.sentinels[:2]))
    assert found.port == watched.replica.port


def test_dead_sentinels_are_passed_over(watched: Watched) -> None:
    """One that answers is enough, when the others do not."""
    endpoint = RedisEndpoint(
        url=f"redis+sentinel://127.0.0.1:1,127.0.0.1:2,{watched.sentinels[0].address}/main",
        sentinel_password=PASSWORD,
    )
    assert locate(endpoint).port in {watched.primary.port, watched.replica.port}


def test_unknown_name_is_told_with_its_remedy(watched: Watched) -> None:
    """A wrong name is the commonest mistake here."""
    with pytest.raises(SinkUnavailable, match="knows no primary called 'maine'") as caught:
        locate(watched.endpoint(name="maine"))
    assert "sentinel monitor" in caught.value.hint


def test_data_server_in_place_of_a_sentinel_is_told(watched: Watched) -> None:
    """Port 6379 where 26379 is meant."""
    endpoint = RedisEndpoint(url=f"redis+sentinel://{watched.primary.address}/main")
    with pytest.raises(SinkUnavailable, match="is no Sentinel"):
        locate(endpoint)


def test_sentinels_that_want_a_password_are_told_apart(watched: Watched) -> None:
    """It is not the primary's password that is missing."""
    with pytest.raises(SinkRefused) as caught:
        locate(watched.endpoint(password=""))
    assert "redis.sentinel_password" in caught.value.hint
