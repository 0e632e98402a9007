"""What real instances expose: a page that Prometheus takes, honest on a leader and on a standby."""

import re
import subprocess
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from hasync.metrics.families import families
from monitoring.cluster import Cluster, Instance
from monitoring.load import STREAMS, Shop
from monitoring.prometheus import tool
from testbed import Testbed, wait_until

LEADER_ONLY = {family.full_name for family in families() if family.leader_only}
SERIES_MAX = 1500
"""Two streams; half of them are ZooKeeper's latencies by operation."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Testbed() as bed, Shop(bed.database):
        cluster = Cluster(bed)
        try:
            cluster.settle()
            yield cluster
        finally:
            cluster.close()


def samples(instance: Instance) -> dict[str, set[str]]:
    """Return the streams that each metric has a value for."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(instance.get("/metrics")):
        for sample in family.samples:
            found.setdefault(sample.name, set()).add(sample.labels.get("stream", ""))
    return found


def test_promtool_finds_no_fault_in_a_real_page(cluster: Cluster) -> None:
    """Names, units, help and types are as Prometheus' own linter wants them, on every instance."""
    for instance in cluster.instances:
        page = instance.get("/metrics")
        done = subprocess.run(
            [tool("promtool"), "check", "metrics"], input=page, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout + done.stderr) == (0, "")
        assert len([line for line in page.splitlines() if not line.startswith("#")]) < SERIES_MAX


@pytest.mark.parametrize("stream", STREAMS)
def test_leader_alone_tells_lag_and_headroom(cluster: Cluster, stream: str) -> None:
    """Leader-only metrics are all there on the leader, and none of them on a standby."""
    leader = cluster.leader(stream)

    def told(instance: Instance) -> set[str]:
        return {name for name in LEADER_ONLY if stream in samples(instance).get(name, set())}

    wait_until("all are told", lambda: told(leader) == LEADER_ONLY, timeout_s=10, poll_s=0.2)
    others = [instance for instance in cluster.instances if instance is not leader]
    assert [told(instance) for instance in others] == [set(), set()]


def test_every_family_is_on_the_page(cluster: Cluster) -> None:
    """What docs/metrics.md lists is what a scrape gets, per stream from the first moment."""
    shown = set().union(*(samples(instance) for instance in cluster.instances))
    bare = {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown}
    assert {family.full_name for family in families()} <= bare | shown
