"""Many streams over three instances: spread evenly, led again when one dies, spread again when it returns, no storm.

``STREAMS=40`` (``make test-streams``) is the size that is promised; a few streams are tried with every ``make test``.
"""

import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from testbed import wait_until
from tests.failover.fleet import Fleet, Running

STREAMS = tuple(f"s{number:02d}" for number in range(int(os.environ.get("STREAMS", "9"))))
PATIENCE_S = 30.0 + 6 * len(STREAMS)
ASKED = "to spread streams"

CONFIG = """
version: 1
source: {{hosts: ["{source}"], user: {user}, password: "env:MYSQL_PASSWORD"}}
redis: {{url: "redis://{sink}/0"}}
tables:
  app.other:
    - {{set: {{key: "{stream}:{{id}}", value: "{{note}}"}}}}
"""

QUICK = {
    "HASYNC_STREAMS": ",".join(STREAMS),
    "HASYNC_REBALANCE__AFTER_S": "2",
    "HASYNC_REBALANCE__PAUSE_S": "0.3",
}

Spread = dict[str, int]


class Crowd:
    """The fleet with all its streams."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.rows = 0
        backends = fleet.backends
        for stream in STREAMS:
            document = CONFIG.format(
                source=backends.source, user=backends.database.reader_user, sink=backends.sink, stream=stream
            )
            fleet.stream(stream).configs.put(document, based_on=0, applied_by="test")

    def spread(self) -> Spread:
        """Count what each instance says that it leads, without those that are about to change hands."""
        members = self.fleet.members()
        return {
            member.id: sum(status.role == "leader" for status in member.streams.values())
            for member in members
            if not any(status.role == "draining" for status in member.streams.values())
        }

    def even_over(self, *members: str) -> Spread:
        """Wait until these and no others lead, all streams, and as evenly as can be."""
        low = len(STREAMS) // len(members)

        def even() -> Spread | None:
            found = self.spread()
            fair = set(found) == set(members) and sum(found.values()) == len(STREAMS)
            return found if fair and set(found.values()) <= {low, low + 1} else None

        return wait_until(f"leaders are even over {members}", even, timeout_s=PATIENCE_S, poll_s=0.2)

    def all_apply(self) -> float:
        """Change a row and return how long it took until every stream had applied it, in seconds."""
        backends, began = self.fleet.backends, time.monotonic()
        self.rows += 1
        backends.database.sql(f"INSERT INTO app.other (id, note) VALUES ({self.rows}, 'x')")
        keys = [f"{stream}:{self.rows}" for stream in STREAMS]
        with backends.redis.client() as client:
            wait_until("every stream has applied it", lambda: client.exists(*keys) == len(keys), timeout_s=PATIENCE_S)
        return time.monotonic() - began

    def hand_overs(self) -> int:
        """Count the terms that ended to spread streams."""
        return sum(ASKED in term.message for stream in STREAMS for term in self.fleet.stream(stream).terms.history())


@dataclass(frozen=True)
class Cost:
    """What an instance's worker uses."""

    cpu_s: float
    threads: int
    descriptors: int
    requests: Mapping[str, float]

    @classmethod
    def of(cls, fleet: Fleet, instance: Running) -> "Cost":
        pid = next(member.pid for member in fleet.members() if member.id == instance.member)
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        requests: Counter[str] = Counter()
        for line in instance.get("/metrics")[1].splitlines():
            if line.startswith("hasync_zookeeper_request_duration_seconds_count"):
                requests[line.split('"')[1]] += int(float(line.rsplit(" ", 1)[1]))
        return cls(
            cpu_s=(int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"),
            threads=int(fields[17]),
            descriptors=len(list(Path(f"/proc/{pid}/fd").iterdir())),
            requests=requests,
        )


def cost_of(fleet: Fleet, instance: Running, over_s: float = 10.0) -> str:
    """Say what an instance costs while nothing happens."""
    before, began = Cost.of(fleet, instance), time.monotonic()
    time.sleep(over_s)
    after, took_s = Cost.of(fleet, instance), time.monotonic() - began
    rates = {name: round((count - before.requests.get(name, 0)) / took_s, 1) for name, count in after.requests.items()}
    busy = {name: rate for name, rate in sorted(rates.items(), key=lambda pair: -pair[1]) if rate}
    cpu = 100 * (after.cpu_s - before.cpu_s) / took_s
    return f"{instance.member}: {after.threads} threads, {after.descriptors} fds, {cpu:.1f} % CPU, requests/s {busy}"


@pytest.fixture
def crowd(mysql_fleet: Fleet) -> Crowd:
    return Crowd(mysql_fleet)


Record = Callable[[str, object], None]


@pytest.mark.timeout(1200)
def test_streams_are_spread_again_after_every_change(crowd: Crowd, record_property: Record) -> None:
    """Not one hand-over more than it takes, and none while an instance is only missing."""
    fleet, count = crowd.fleet, len(STREAMS)
    told = []
    began = time.monotonic()
    running = {each.member: each for each in fleet.start("a", "b", "c", **QUICK)}
    told.append(f"after start: {crowd.even_over('a', 'b', 'c')} in {time.monotonic() - began:.1f} s")
    first = crowd.hand_overs()
    told.append(f"{first} hand-overs; a row in all {count} streams after {crowd.all_apply():.2f} s")
    assert first <= count - count // 3
    if count >= 40:
        told += [cost_of(fleet, each) for each in running.values()]

    running["c"].process.kill()
    told.append(f"c killed: a row in all {count} streams after {crowd.all_apply():.2f} s")
    told.append(f"without c: {crowd.even_over('a', 'b')}")
    second = crowd.hand_overs()

    began = time.monotonic()
    fleet.start("c", **QUICK)
    told.append(f"c back: {crowd.even_over('a', 'b', 'c')} in {time.monotonic() - began:.1f} s")
    third = crowd.hand_overs()
    told.append(f"hand-overs: {first} at the start, {second - first} without c, {third - second} when it was back")
    crowd.all_apply()
    assert third - second == count // 3
    assert second - first <= count // 3
    assert crowd.hand_overs() == third
    record_property("spread", told)
    print("\n".join(["", *told]))  # noqa: T201 - for pytest -s
