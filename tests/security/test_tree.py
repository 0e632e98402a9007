"""Who may change the tree in ZooKeeper, and what an instance does when everybody may."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kazoo.security import OPEN_ACL_UNSAFE

from hasync.clock import SystemClock
from hasync.cluster.checks import tree_check
from hasync.cluster.provision import Provisioner
from hasync.cluster.session import ZooKeeperSession
from hasync.cluster.znodes import Znodes
from hasync.errors import CoordinationRefused
from hasync.logs import open_log
from hasync.settings import load
from hasync.worker.doorkeeper import Doorkeeper
from hasync.worker.sessions import build_session, secrets_from
from testbed import ZooKeeper, workdir

STREAMS = ("orders",)
OWNER = {"HASYNC_ZOOKEEPER__AUTH": "env:HASYNC_SECRET_ZK", "HASYNC_SECRET_ZK": "hasync:word"}
READER = "digest:status:vmjNhOxWbgkfmJEg1ErCJojaCAg="
"""``status:look``, as ZooKeeper stores it."""


@pytest.fixture(scope="module")
def server() -> Iterator[ZooKeeper]:
    """A ZooKeeper of its own."""
    with workdir() as place, ZooKeeper(place) as server:
        yield server


class Member:
    """One instance's settings and session, as ``hasync run`` builds them."""

    def __init__(self, server: ZooKeeper, root: str, environ: dict[str, str]) -> None:
        self.root = root
        environ = {"HASYNC_ZOOKEEPER__HOSTS": server.hosts, "HASYNC_ZOOKEEPER__ROOT": root, **environ}
        self.settings = load(environ | {"HASYNC_STREAMS": ",".join(STREAMS)}, hostname="a")
        self.session: ZooKeeperSession = build_session(self.settings, secrets_from(environ), SystemClock())
        self._lines = io.BytesIO()

    def look(self) -> None:
        """Do what the start does."""
        log = open_log(level="info", as_json=True, out=self._lines, clock=SystemClock())
        Doorkeeper(session=self.session, znodes=Znodes(self.root), settings=self.settings, log=log).look()

    def provision(self, *, fix_acl: bool = False) -> None:
        """Do what ``hasync init-zk`` does."""
        made = Provisioner(session=self.session, znodes=Znodes(self.root), execute=True, fix_acl=fix_acl)
        made.provision(STREAMS)

    @property
    def events(self) -> list[Any]:
        """What was logged."""
        return [json.loads(line)["event"] for line in self._lines.getvalue().splitlines()]


@contextmanager
def member(server: ZooKeeper, root: str, **environ: str) -> Iterator[Member]:
    """Connect for the time of a ``with``."""
    found = Member(server, root, environ)
    found.session.start()
    try:
        found.session.await_connected(30)
        yield found
    finally:
        found.session.stop(5)


def test_open_tree_is_told_to_an_instance_without_identity(server: ZooKeeper) -> None:
    """Plain set-ups work, and say what they are."""
    with member(server, "/plain") as plain:
        plain.provision()
        plain.look()
        assert plain.events == ["tree_open"]


def test_open_tree_stops_an_instance_that_has_an_identity(server: ZooKeeper) -> None:
    """It takes the identity for protection, and there is none; --fix-acl mends it."""
    with member(server, "/was-open") as plain:
        plain.provision()
    with member(server, "/was-open", **OWNER) as named:
        with pytest.raises(CoordinationRefused) as refused:
            named.look()
        assert "/was-open" in refused.value.message
        assert "hasync init-zk --fix-acl" in refused.value.hint
        named.provision(fix_acl=True)
        named.look()
        assert named.events == []


@pytest.mark.parametrize(("policy", "environ"), [("warn", OWNER), ("refuse", {})], ids=["warn", "refuse"])
def test_policy_decides_otherwise(server: ZooKeeper, policy: str, environ: dict[str, str]) -> None:
    """Both defaults can be turned round."""
    root = f"/policy-{policy}"
    with member(server, root) as plain:
        plain.provision()
    with member(server, root, HASYNC_ZOOKEEPER__OPEN_TREE=policy, **environ) as found:
        if policy == "refuse":
            with pytest.raises(CoordinationRefused):
                found.look()
        else:
            found.look()
            assert found.events == ["tree_open"]


def test_one_open_znode_below_a_closed_root_is_found(server: ZooKeeper) -> None:
    """A root's ACL says nothing of what is below it."""
    path = "/half/streams/orders/intent"
    with member(server, "/half", **OWNER) as named:
        named.provision()
        parent = named.session.call("open", lambda client: client.get_acls_async("/half/streams/orders"))[0]
        world = [*parent, *OPEN_ACL_UNSAFE]
        named.session.call("open", lambda client: client.create_async(path, b"{}", world))
        check = tree_check(named.session, Znodes("/half"), STREAMS)
        assert (check.ok, check.warning) == (False, False)
        assert path in check.detail


def test_reader_sees_everything_and_changes_nothing(server: ZooKeeper) -> None:
    """A status page has an identity of its own; it is no finding of doctor's."""
    reading = {"HASYNC_ZOOKEEPER__AUTH": "env:HASYNC_SECRET_ZK", "HASYNC_SECRET_ZK": "status:look"}
    with member(server, "/read", HASYNC_ZOOKEEPER__READERS=READER, **OWNER) as named:
        named.provision()
        assert tree_check(named.session, Znodes("/read"), STREAMS).ok
    with member(server, "/read", **reading) as reader:
        names = reader.session.call("list", lambda client: client.get_children_async("/read/streams/orders"))
        assert "election" in names
        with pytest.raises(CoordinationRefused):
            reader.session.call("write", lambda client: client.create_async("/read/streams/orders/intent", b"{}"))
    with member(server, "/read") as stranger, pytest.raises(CoordinationRefused):
        stranger.session.call("list", lambda client: client.get_children_async("/read/streams/orders"))


def test_file_with_two_identities_owns_with_both(server: ZooKeeper, tmp_path: Path) -> None:
    """While a password is rotated, old and new open the same nodes."""
    secret = tmp_path / "zookeeper"
    secret.write_text("hasync:new\nhasync:old\n")
    with member(server, "/both", HASYNC_ZOOKEEPER__AUTH=f"file:{secret}") as named:
        named.provision()
    for word in ("old", "new"):
        only = {"HASYNC_ZOOKEEPER__AUTH": "env:HASYNC_SECRET_ZK", "HASYNC_SECRET_ZK": f"hasync:{word}"}
        with member(server, "/both", **only) as named:
            named.session.call("list", lambda client: client.get_children_async("/both/streams/orders"))
