"""A release as it is rendered, run for real: its Jobs, a hand-over, and servers that go away."""

import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from testbed import PortLease, Process, Testbed, wait_until
from tests.chart.conftest import slow
from tests.chart.helm import Helm
from tests.chart.pods import Node
from tests.chart.values import CHART

SESSION_TIMEOUT_S = 2
LIVE_WITHIN_S = 2 * SESSION_TIMEOUT_S
PATIENCE_S = 60.0


def answer(lease: PortLease, path: str) -> int:
    """Return the status of the admin port's answer, 0 when there is none."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{lease.port}{path}", timeout=3) as response:
            return int(response.status)
    except urllib.error.HTTPError as refused:
        return refused.code
    except OSError:
        return 0


@pytest.fixture
def bed() -> Iterator[Testbed]:
    with Testbed() as servers:
        yield servers


def rendered(helm: Helm, bed: Testbed, folder: Path, values: str, **more: str) -> Node:
    """Render a release with the addresses of real servers, and bring the Secret that it expects."""
    sets = {
        "zookeeper.hosts": f"{{{bed.zookeeper.hosts}}}",
        "config.zookeeper.session_timeout_s": str(SESSION_TIMEOUT_S),
        "mysql.hosts": f"{{{bed.database.address}}}",
        "redis.url": f"redis://{bed.redis.address}/0",
        "test.waitLeader": "20s",
        **more,
    }
    objects = helm.objects(
        *(word for name, value in sets.items() for word in ("--set", f"{name}={value}")), values=values
    )
    return Node(folder, objects, {"hasync": {"mysql-password": bed.database.reader_password}})


@slow
def test_release_runs(helm4: Helm, bed: Testbed, tmp_path: Path) -> None:
    """Setup twice, both instances ready, a doctor that is content, a hand-over on SIGTERM, and nobody restarted."""
    bed.database.script("CREATE DATABASE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY, total INT)")
    node = rendered(helm4, bed, tmp_path, "minimal", **{"mysql.auth.username": bed.database.reader_user})
    pods = node.pods
    for said in ("revision 1 is applied", "unchanged"):
        first, second = node.run(pods["Job/rel-hasync-setup"], "setup")
        assert (first.code, second.code) == (0, 0), first.error + second.error
        assert said in second.out + second.error
    with ExitStack() as stack:
        leases = [stack.enter_context(closing(PortLease())) for _ in range(2)]
        instances = [
            node.start(pods["Deployment/rel-hasync"], f"rel-hasync-{number}", lease)
            for number, lease in enumerate(leases)
        ]
        for instance in instances:
            stack.callback(instance.kill)
        wait_until(
            "leader and standby are ready",
            lambda: [answer(one, "/readyz") for one in leases] == [200, 200],
            timeout_s=PATIENCE_S,
        )
        (doctor,) = node.run(pods["Job/rel-hasync-test"], "doctor")
        assert doctor.code == 0, doctor.out
        bed.database.sql("INSERT INTO shop.orders VALUES (1, 20)")
        wait_until("the row is in Redis", lambda: bed.redis.command("GET", "order:1") == b"20", timeout_s=PATIENCE_S)
        _hand_over(bed, instances, leases)
        _servers_go_away(bed, leases)


def _hand_over(bed: Testbed, instances: list[Process], leases: list[PortLease]) -> None:
    """The first instance ends; whether it led or not, rows go on, and its exit is an orderly one."""
    assert instances[0].stop() == 0
    bed.database.sql("UPDATE shop.orders SET total = 21")
    wait_until("rows go on", lambda: bed.redis.command("GET", "order:1") == b"21", timeout_s=PATIENCE_S)
    leases.pop(0)
    instances.pop(0)


def _servers_go_away(bed: Testbed, leases: list[PortLease]) -> None:
    """Liveness looks at the instance alone: with all servers gone it is not ready, and yet alive."""
    for server in (bed.redis, bed.database, bed.zookeeper):
        server.kill()
    wait_until("it is not ready", lambda: answer(leases[0], "/readyz") == 503, timeout_s=PATIENCE_S)
    until = time.monotonic() + 2 * LIVE_WITHIN_S
    wait_until(
        "it was alive all the time",
        lambda: answer(leases[0], "/livez") != 200 or time.monotonic() > until,
        timeout_s=4 * LIVE_WITHIN_S,
    )
    assert answer(leases[0], "/livez") == 200


@slow
def test_try_out_runs(helm4: Helm, bed: Testbed, tmp_path: Path) -> None:
    """The demo's schema, account and stream, on real servers in place of its own: a row is in Redis."""
    # As the image's entry point does; the test servers have an account of that name, with other rights.
    bed.database.script("DROP USER 'hasync'@'%'; CREATE USER 'hasync'@'%' IDENTIFIED BY 'hasync-demo'")
    bed.database.script((CHART / "files/demo/schema.sql").read_text())
    node = rendered(helm4, bed, tmp_path, "demo", **{"mysql.auth.password": "hasync-demo"})
    job = next(name for name in node.pods if name.startswith("Job/rel-hasync-setup-"))
    assert [one.code for one in node.run(node.pods[job], "setup")] == [0, 0]
    with closing(PortLease()) as lease:
        instance = node.start(node.pods["Deployment/rel-hasync"], "rel-hasync-0", lease)
        try:
            wait_until("it is ready", lambda: answer(lease, "/readyz") == 200, timeout_s=PATIENCE_S)
            (doctor,) = node.run(node.pods["Job/rel-hasync-test"], "doctor")
            assert doctor.code == 0, doctor.out
            bed.database.sql("INSERT INTO shop.products VALUES (1, 'lamp', 19.90, 5)")
            key = "product:1"
            wait_until("the row is in Redis", lambda: bed.redis.command("EXISTS", key) == 1, timeout_s=PATIENCE_S)
        finally:
            instance.kill()
