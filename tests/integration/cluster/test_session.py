"""The session on a real ZooKeeper: each of kazoo's traps it is guarded against, and what an outage does."""

import itertools
import logging
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import BadVersionError

from hasync.clock import SystemClock
from hasync.cluster.access import Auth
from hasync.cluster.client import PromptHandler
from hasync.cluster.session import ZooKeeperSession
from hasync.coordination import SessionEvent
from hasync.errors import CoordinationRefused, CoordinationUnavailable
from hasync.model.cluster import SessionCredential
from testbed import Proxy, ZooKeeper, wait_until
from tests.contract.worlds import expire_session, with_client
from tests.integration.cluster.stage import PATIENCE_S, SESSION_S, BrittleSession, Recorder, connected, ports

ROOTS = itertools.count()


@pytest.fixture
def proxy(zookeeper: ZooKeeper) -> Iterator[Proxy]:
    """The only way to the server for a session under test."""
    with Proxy(zookeeper) as running:
        yield running


@pytest.fixture
def root() -> str:
    """A part of the tree for one test."""
    return f"/session-{next(ROOTS)}"


class Sleeper(Recorder):
    """An observer that takes far too long."""

    def session_event(self, event: SessionEvent) -> None:
        """Sleep through two sessions when the connection drops."""
        super().session_event(event)
        if event is SessionEvent.SUSPENDED:
            time.sleep(2 * SESSION_S)


def test_k1_slow_observer_does_not_cost_the_session(proxy: Proxy) -> None:
    """Nothing of ours runs on kazoo's connection thread, so a short cut never becomes a lost session."""
    observer = Sleeper()
    with connected(proxy.address, observer=observer) as session:
        credential = session.credential
        proxy.cut()
        wait_until("the observer sleeps", lambda: SessionEvent.SUSPENDED in observer.events)
        proxy.restore()
        wait_until("it is connected again", lambda: session.connected, timeout_s=PATIENCE_S)
        time.sleep(1.5 * SESSION_S)  # as long as the observer sleeps: pings have to go on meanwhile
        assert session.generation == 0
        assert session.credential == credential


def test_k2_own_deadline_passes_while_kazoo_still_waits(proxy: Proxy) -> None:
    """Behind a partition the session is unconfirmed after its timeout, though kazoo never says LOST."""
    with connected(proxy.address) as session:
        proxy.blackhole()
        wait_until("the own deadline has passed", lambda: not session.confirmed, timeout_s=PATIENCE_S)
        assert session.generation == 0
        proxy.restore()
        wait_until("a session is confirmed again", lambda: session.confirmed, timeout_s=PATIENCE_S)


def test_k2_answers_of_a_living_server_keep_the_session_confirmed(proxy: Proxy) -> None:
    """An idle session stays confirmed over several timeouts, by its own questions alone."""
    with connected(proxy.address) as session:
        lapses = []
        until = time.monotonic() + 3 * SESSION_S
        while time.monotonic() < until:
            lapses += [] if session.confirmed else [time.monotonic()]
            time.sleep(0.02)
        assert lapses == []


def ask(client: KazooClient) -> object:
    """Read the root."""
    return client.get_async("/")


def test_k3_request_into_a_black_hole_returns_at_its_deadline(proxy: Proxy) -> None:
    """A request is given up when its own time is over, long before kazoo notices that nobody answers."""
    with connected(proxy.address, session_timeout_s=9) as session:
        proxy.blackhole()
        with pytest.raises(CoordinationUnavailable):
            session.call("get", ask, timeout_s=0.1)
        assert session.connected


def test_k3_request_made_while_suspended_is_never_sent(zookeeper: ZooKeeper, proxy: Proxy, root: str) -> None:
    """What was refused during an outage is not applied when the same session resumes (ghost write)."""
    with connected(proxy.address) as session:
        session.call("create", lambda client: client.create_async(root, b"old"))
        proxy.cut()
        wait_until("it is suspended", lambda: not session.connected)
        with pytest.raises(CoordinationUnavailable):
            session.call("set", lambda client: client.set_async(root, b"ghost"))
        late = session._client.set_async(root, b"ghost")
        proxy.restore()
        wait_until("it is connected again", lambda: session.connected, timeout_s=PATIENCE_S)
        session.call("sync", lambda client: client.sync_async("/"))
        assert session.generation == 0
        assert late.exception is not None
        assert with_client(zookeeper.hosts, lambda client: client.get(root)[0]) == b"old"


def test_k8_failed_multi_raises(zookeeper: ZooKeeper, root: str) -> None:
    """A multi whose check fails is an error, not a list of results, and writes nothing."""
    with connected(zookeeper.address) as session:
        session.call("create", lambda client: client.create_async(root, b"old"))

        def build(multi: object) -> None:
            multi.set_data(root, b"new", 0)  # type: ignore[attr-defined]
            multi.check(root, 99)  # type: ignore[attr-defined]

        with pytest.raises(Exception, match="operation 1 failed: BadVersionError"):
            session.multi("test", build)
        assert session.call("get", lambda client: client.get_async(root))[0] == b"old"


def test_k10_refused_identity_is_fatal_and_stop_returns(zookeeper: ZooKeeper) -> None:
    """A server that refuses the identity ends the session for good, with the reason, and stopping does not hang."""
    session = ZooKeeperSession(
        hosts=[zookeeper.address],
        clock=SystemClock(),
        session_timeout_s=SESSION_S,
        auth=Auth(scheme="magic", credential="x"),
    )
    session.start()
    wait_until("it is refused", lambda: session.failure)
    for act in (lambda: session.await_connected(PATIENCE_S), lambda: session.call("get", ask)):
        with pytest.raises(CoordinationRefused) as caught:
            act()
        assert "AUTH_FAILED" in caught.value.message
    assert session.stop(PATIENCE_S)


def test_k10_stop_keeps_its_deadline_in_an_outage(proxy: Proxy) -> None:
    """Stopping behind a partition returns at its deadline and says that the session was not closed."""
    session = BrittleSession(hosts=[proxy.address], clock=SystemClock(), session_timeout_s=10)
    session.start()
    session.await_connected(PATIENCE_S)
    proxy.blackhole()
    stopped: list[bool] = []
    stopping = threading.Thread(target=lambda: stopped.append(session.stop(0.2)), daemon=True)
    stopping.start()
    stopping.join(5)
    assert stopped == [False]
    proxy.restore()


def saturated() -> tuple[socket.socket, list[socket.socket]]:
    """Return a listener that lets every further connection hang, as a host that drops packets does."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    fillers = []
    for _ in range(3):
        filler = socket.socket()
        filler.setblocking(False)  # noqa: FBT003 - a positional-only parameter
        filler.connect_ex(listener.getsockname())
        fillers.append(filler)
    return listener, fillers


def test_k11_host_that_drops_packets_is_given_up_early() -> None:
    """Connecting gives up on one host long before the session is over, whatever kazoo asks for."""
    listener, fillers = saturated()
    handler = PromptHandler(patience_s=0.2)
    outcome: list[Exception] = []

    def connect() -> None:
        try:
            handler.create_connection(address=listener.getsockname(), timeout=60)
        except (OSError, handler.timeout_exception) as error:
            outcome.append(error)

    connecting = threading.Thread(target=connect, daemon=True)
    connecting.start()
    connecting.join(20)
    for opened in (*fillers, listener):
        opened.close()
    assert len(outcome) == 1


def test_k11_silent_server_is_given_up_early(proxy: Proxy) -> None:
    """A server that accepts and never answers the handshake is tried again soon, not after a whole session."""
    proxy.blackhole()
    session = BrittleSession(hosts=[proxy.address], clock=SystemClock(), session_timeout_s=5 * PATIENCE_S)
    session._client._connection._patience_s = 0.2
    session.start()
    wait_until("it tries again", lambda: proxy.accepted >= 3, timeout_s=PATIENCE_S)
    session.stop(0.0)


def test_k12_granted_timeout_counts_not_the_one_asked_for(zookeeper: ZooKeeper) -> None:
    """The server grants at most twenty ticks; deadlines follow what it granted."""
    with connected(zookeeper.address, session_timeout_s=60) as session:
        assert session.timeout_s == pytest.approx(10.0)
    with connected(zookeeper.address, session_timeout_s=0.1) as session:
        assert session.timeout_s == pytest.approx(1.0)


def test_k16_reader_survives_lost_session_and_missing_node(zookeeper: ZooKeeper, root: str) -> None:
    """A watch does not end with its session or with its node: the reader is woken and arms it again."""
    with connected(zookeeper.address) as session, connected(zookeeper.address) as writing:
        reader, writer = ports(session, root, "a").configs, ports(writing, root, "b").configs
        wake = threading.Event()
        assert reader.get(wake) is None
        credential = session.credential
        assert credential is not None
        expire_session(zookeeper.hosts, credential.session_id, credential.password)
        assert wake.wait(PATIENCE_S)
        wait_until("a new session is there", lambda: session.generation == 1 and session.connected)
        wake.clear()
        assert reader.get(wake) is None
        writer.put("one", based_on=0, applied_by="ann")
        assert wake.wait(PATIENCE_S)


def test_k16_rearming_a_watch_does_not_pile_up(zookeeper: ZooKeeper, root: str) -> None:
    """Reading again and again with the same event keeps one watch (I9)."""
    with connected(zookeeper.address) as session:
        configs, wake = ports(session, root, "a").configs, threading.Event()
        configs.put("one", based_on=0, applied_by="ann")
        for _ in range(20):
            configs.get(wake)
        watchers = session._client._data_watchers
        assert [len(watches) for watches in watchers.values()] == [1]


def test_k18_version_zero_is_a_version(zookeeper: ZooKeeper, root: str) -> None:
    """Version 0, which every fresh node has, never means "any"."""
    with connected(zookeeper.address) as session:
        session.call("create", lambda client: client.create_async(root, b"fresh"))
        session.call("set", lambda client: client.set_async(root, b"newer", 0))
        with pytest.raises(BadVersionError):
            session.call("set", lambda client: client.set_async(root, b"stale", 0))


def test_k21_password_and_data_are_not_logged(
    zookeeper: ZooKeeper, root: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Even at DEBUG neither the credential nor a znode's content gets into the log (I12)."""
    caplog.set_level(logging.DEBUG)
    auth = Auth(scheme="digest", credential="hasync:tr0ub4dor")
    with connected(zookeeper.address, auth=auth) as session:
        session.call("create", lambda client: client.create_async(root, b"c0ntent"))
        assert "tr0ub4dor" not in repr((auth, session.credential))
    assert "tr0ub4dor" not in caplog.text
    assert "c0ntent" not in caplog.text


def test_nodes_of_an_identity_are_closed_to_others(zookeeper: ZooKeeper, root: str) -> None:
    """With an identity, what is created belongs to it, and anybody else is refused with a hint."""
    auth = Auth(scheme="digest", credential="hasync:secret")
    with connected(zookeeper.address, auth=auth) as owner, connected(zookeeper.address) as stranger:
        ports(owner, root, "a").configs.put("one", based_on=0, applied_by="ann")
        with pytest.raises(CoordinationRefused) as caught:
            ports(stranger, root, "b").configs.get()
        assert "NoAuthError" in caught.value.message
        assert "ACL" in caught.value.hint


def test_unreachable_server_is_named(proxy: Proxy) -> None:
    """Who cannot connect is told which servers were tried and how the last one answered."""
    proxy.cut()
    session = ZooKeeperSession(hosts=[proxy.address], clock=SystemClock(), session_timeout_s=SESSION_S)
    session.start()
    with pytest.raises(CoordinationUnavailable) as caught:
        session.await_connected(1.0)
    assert proxy.address in caught.value.hint
    assert "refused" in caught.value.message.lower()
    session.stop(5)


def test_session_id_and_password_let_another_process_close_the_session(zookeeper: ZooKeeper, root: str) -> None:
    """Who has the credential can end a dead process's session at once, instead of after its timeout."""
    with connected(zookeeper.address) as session:
        credential = session.credential
        assert isinstance(credential, SessionCredential)
        session.call("create", lambda client: client.create_async(root, b"", ephemeral=True))
        heir = ZooKeeperSession(hosts=[zookeeper.address], clock=SystemClock(), resume=credential)
        heir.start()
        heir.await_connected(PATIENCE_S)
        assert heir.session_id == credential.session_id
        assert heir.stop(PATIENCE_S)
        assert with_client(zookeeper.hosts, lambda client: client.exists(root)) is None
        wait_until("it has noticed", lambda: session.generation == 1)


def test_events_are_reported_in_order(proxy: Proxy) -> None:
    """The observer sees connect, suspension, and the end."""
    observer = Recorder()
    with connected(proxy.address, observer=observer):
        proxy.cut()
        wait_until("it is reported", lambda: SessionEvent.SUSPENDED in observer.events)
        proxy.restore()
        wait_until("it is connected again", lambda: observer.events.count(SessionEvent.CONNECTED) == 2)
    expected = [SessionEvent.CONNECTED, SessionEvent.SUSPENDED, SessionEvent.CONNECTED, SessionEvent.CLOSED]
    assert observer.events == expected
