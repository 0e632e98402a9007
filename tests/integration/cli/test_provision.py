"""The tree that ``hasync init-zk`` makes in a real ZooKeeper, and what it says of ACLs."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from hasync.clock import SystemClock
from hasync.cluster.access import Auth, Grant
from hasync.cluster.configs import ConfigRecord
from hasync.cluster.provision import OF_STREAM, TOP, Provisioner
from hasync.cluster.session import ZooKeeperSession
from hasync.cluster.znodes import Znodes
from hasync.errors import ConfigInvalid, CoordinationRefused
from hasync.model.provision import Provisioned, ZnodeState
from testbed import ZooKeeper, workdir

SCHEMA = Path(__file__).parents[3] / "zk" / "schema.yaml"
OWNER = Auth(scheme="digest", credential="hasync:secret")
STRANGER = Auth(scheme="digest", credential="other:word")
AUDITOR = Grant(scheme="digest", identity="audit:4bE0Ur0jgfiFQw3cVkXOcSJzSU8=", rights="r")


@pytest.fixture(scope="module")
def server() -> Iterator[ZooKeeper]:
    """A ZooKeeper of its own."""
    with workdir() as directory, ZooKeeper(directory) as server:
        yield server


@contextmanager
def connected(
    server: ZooKeeper, auth: Auth | None = None, grants: tuple[Grant, ...] = ()
) -> Iterator[ZooKeeperSession]:
    """A session under an identity."""
    session = ZooKeeperSession(hosts=[server.hosts], clock=SystemClock(), auth=auth, grants=grants)
    session.start()
    try:
        session.await_connected(30)
        yield session
    finally:
        session.stop(5)


def provisioned(
    session: ZooKeeperSession, root: str, *streams: str, execute: bool = True, fix_acl: bool = False
) -> tuple[Provisioned, ...]:
    """Make the tree below ``root``."""
    made = Provisioner(session=session, znodes=Znodes(root), execute=execute, fix_acl=fix_acl)
    return made.provision(streams)


def states(found: tuple[Provisioned, ...]) -> dict[str, int]:
    """Count the states."""
    return dict(Counter(one.state.value for one in found))


def test_nodes_without_content_are_those_of_the_schema() -> None:
    """The contract in ``zk/schema.yaml`` names the same persistent parents, no more and no less."""
    paths = yaml.safe_load(SCHEMA.read_text())["paths"]
    parents = {kind for kind, node in paths.items() if (node["mode"], node["payload"]) == ("persistent", "none")}
    assert parents == {*TOP, *OF_STREAM}


def test_tree_is_made_once_and_found_the_second_time(server: ZooKeeper) -> None:
    """A dry run writes nothing; parents of the root are made, too."""
    with connected(server) as session:
        assert states(provisioned(session, "/made/deep", "orders", execute=False)) == {"missing": 9}
        assert states(provisioned(session, "/made/deep", "orders")) == {"created": 9}
        assert states(provisioned(session, "/made/deep", "orders")) == {"present": 8}
        assert states(provisioned(session, "/made/deep", "orders", "users")) == {"present": 8, "created": 4}


def test_open_tree_is_told_and_closed_only_when_asked_for(server: ZooKeeper) -> None:
    """What instances wrote before there was an identity is found as well: the config below the parents."""
    with connected(server) as session:
        provisioned(session, "/open", "orders")
        stream = Znodes("/open").stream("orders")
        record = ConfigRecord(session=session, znodes=stream, clock=SystemClock())
        record.put("version: 1\n", based_on=0, applied_by="test")
    with connected(server, OWNER) as session:
        found = provisioned(session, "/open", "orders")
        assert states(found) == {"differs": 10}
        assert "world:anyone cdrwa" in found[0].detail
        assert states(provisioned(session, "/open", "orders", fix_acl=True, execute=False)) == {"differs": 10}
        assert states(provisioned(session, "/open", "orders", fix_acl=True)) == {"fixed": 10}
        assert states(provisioned(session, "/open", "orders")) == {"present": 8}


def test_tree_of_somebody_else_is_told_and_cannot_be_fixed(server: ZooKeeper) -> None:
    """Neither another identity nor none at all may take it."""
    with connected(server, OWNER) as session:
        provisioned(session, "/theirs", "orders")
    with connected(server, STRANGER) as session:
        for found in (
            provisioned(session, "/theirs", "orders"),
            provisioned(session, "/theirs", "orders", fix_acl=True),
        ):
            assert {one.state for one in found} == {ZnodeState.DIFFERS}
            assert "another identity" in found[0].detail
        with pytest.raises(CoordinationRefused):
            provisioned(session, "/theirs", "new")
    with connected(server) as session:
        assert states(provisioned(session, "/theirs", "orders")) == {"differs": 8}
        with pytest.raises(CoordinationRefused, match="no identity"):
            provisioned(session, "/theirs", "orders", fix_acl=True)


def test_identity_that_may_only_read_is_left_alone(server: ZooKeeper) -> None:
    """An auditor's grant is no fault, and --fix-acl keeps it."""
    with connected(server) as session:
        provisioned(session, "/audited")
        entries = [AUDITOR.to_acl(), Grant(scheme="world", identity="anyone").to_acl()]
        session.call("test", lambda client: client.set_acls_async("/audited", entries))
    with connected(server, OWNER) as session:
        fixed = provisioned(session, "/audited", fix_acl=True)
        assert "world:anyone cdrwa" in fixed[0].detail
        assert states(provisioned(session, "/audited")) == {"present": 4}
        entries, _ = session.call("test", lambda client: client.get_acls_async("/audited"))
        assert sorted(entry.id.id.partition(":")[0] for entry in entries) == ["audit", "hasync"]


def test_bad_name_of_a_stream_creates_nothing(server: ZooKeeper) -> None:
    """It is refused before the first znode is made."""
    with connected(server) as session:
        with pytest.raises(ConfigInvalid):
            provisioned(session, "/named", "or/ders")
        assert states(provisioned(session, "/named", execute=False)) == {"missing": 4}
