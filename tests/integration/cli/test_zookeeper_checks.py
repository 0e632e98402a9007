"""What ``hasync doctor`` finds in a real ZooKeeper."""

from collections.abc import Iterator

import pytest

from hasync.clock import SystemClock
from hasync.cluster.access import Auth
from hasync.cluster.checks import zookeeper_checks
from hasync.cluster.configs import ConfigRecord
from hasync.cluster.session import ZooKeeperSession
from hasync.cluster.znodes import Znodes
from hasync.model.check import Check
from testbed import ZooKeeper, workdir


@pytest.fixture(scope="module")
def server() -> Iterator[ZooKeeper]:
    """A ZooKeeper of its own: sessions of 1 to 10 s."""
    with workdir() as directory, ZooKeeper(directory) as server:
        yield server


def looked(
    server: ZooKeeper, root: str, *, asked_s: float = 5.0, auth: Auth | None = None, fill: bool = True
) -> dict[str, Check]:
    """Return the checks by name, after a config was stored under ``root``."""
    clock, znodes = SystemClock(), Znodes(root)
    session = ZooKeeperSession(hosts=[server.hosts], clock=clock, session_timeout_s=asked_s, auth=auth)
    session.start()
    try:
        session.await_connected(30)
        if fill:
            record = ConfigRecord(session=session, znodes=znodes.stream("orders"), clock=clock)
            record.put("version: 1\n", based_on=0, applied_by="test")
        return {check.name: check for check in zookeeper_checks(session, znodes, asked_s=asked_s, clock=clock)}
    finally:
        session.stop(5)


def test_open_tree_is_a_warning(server: ZooKeeper) -> None:
    """It works, but anybody could write a position; the remedy names the setting."""
    checks = looked(server, "/open")
    assert checks["zookeeper.reachable"].ok
    assert checks["zookeeper.tree"].ok
    assert checks["zookeeper.session_timeout"].ok
    assert "ms for a sync" in checks["zookeeper.latency"].detail
    acl = checks["zookeeper.acl"]
    assert (acl.ok, acl.warning) == (False, True)
    assert "HASYNC_ZOOKEEPER__AUTH" in acl.remedy


def test_tree_of_an_identity_is_fine(server: ZooKeeper) -> None:
    """With a digest identity only that one may touch what it made."""
    auth = Auth(scheme="digest", credential="hasync:secret")
    assert looked(server, "/closed", auth=auth)["zookeeper.acl"].ok


def test_tree_of_somebody_else_is_a_finding(server: ZooKeeper) -> None:
    """Without rights the ACL cannot be read, and that is said instead of raised."""
    looked(server, "/theirs", auth=Auth(scheme="digest", credential="them:secret"))
    checks = looked(server, "/theirs", fill=False)
    assert any(not check.ok and not check.warning for check in checks.values()) or not checks["zookeeper.acl"].ok


def test_tree_that_is_not_there_yet_is_a_warning(server: ZooKeeper) -> None:
    """Before the first config there is nothing; or the root is mistyped."""
    checks = looked(server, "/nothing", fill=False)
    assert checks["zookeeper.tree"].warning
    assert "zookeeper.acl" not in checks


def test_session_timeout_that_was_not_granted_is_a_warning(server: ZooKeeper) -> None:
    """The server's limits count, and takeovers take that long."""
    check = looked(server, "/long", asked_s=60.0)["zookeeper.session_timeout"]
    assert check.warning
    assert "asked for 60 s, granted 10 s" in check.detail


def test_single_server_is_a_warning(server: ZooKeeper) -> None:
    """One server is no ensemble."""
    assert looked(server, "/single")["zookeeper.hosts"].warning
