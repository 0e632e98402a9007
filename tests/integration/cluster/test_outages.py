"""What becomes of a term when ZooKeeper itself fails; every test here starts and breaks its own servers."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hasync.errors import CoordinationUnavailable
from testbed import Ensemble, ZooKeeper, wait_until
from tests.integration.cluster.stage import (
    PATIENCE_S,
    SESSION_S,
    acknowledged,
    connected,
    elected,
    ports,
    stands,
)

ROOT = "/hasync"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ZooKeeper]:
    """A ZooKeeper to break."""
    with ZooKeeper(tmp_path) as running:
        yield running


def test_killed_zookeeper_costs_no_term(server: ZooKeeper) -> None:
    """Killed and restarted after three session timeouts: same session, same lock, and the position catches up."""
    with connected(server.address) as session, connected(server.address) as other:
        leader, standby = ports(session, ROOT, "a"), ports(other, ROOT, "b")
        leadership = elected(leader)
        epoch = leader.terms.raise_epoch(leadership, 0)
        stored = leader.positions.save(leadership, leader.positions.load(), acknowledged(1, epoch))
        assert standby.election.acquire(threading.Event(), 0.2) is None
        credential = session.credential
        server.kill()
        time.sleep(3 * SESSION_S)
        with pytest.raises(CoordinationUnavailable):
            leader.positions.save(leadership, stored, acknowledged(2, epoch))
        assert stands(leader, leadership)
        assert not session.confirmed
        server.start()
        wait_until("the session is back", lambda: session.confirmed and other.confirmed, timeout_s=PATIENCE_S)
        assert session.credential == credential
        assert session.generation == 0
        assert stands(leader, leadership)
        saved = leader.positions.save(leadership, stored, acknowledged(3, epoch))
        assert standby.positions.load() == saved
        assert standby.election.contenders() == ("a", "b")
        assert standby.election.acquire(threading.Event(), 0.2) is None
        leader.election.release(leadership, 5)
        assert elected(standby).member == "b"


def test_frozen_zookeeper_ends_term_only_if_it_expired_the_session(server: ZooKeeper) -> None:
    """A frozen server is an outage; when it wakes and has expired the session, the term ends, otherwise it goes on."""
    with connected(server.address) as session:
        coordination = ports(session, ROOT, "a")
        leadership = elected(coordination)
        server.freeze()
        wait_until("the deadline has passed", lambda: not session.confirmed, timeout_s=PATIENCE_S)
        time.sleep(SESSION_S)
        assert stands(coordination, leadership), "SUSPENDED is not LOST"
        server.thaw()
        wait_until("a session is there", lambda: session.confirmed, timeout_s=PATIENCE_S)
        # Whether it expired is a race inside the server; the term follows, whichever way it went.
        assert stands(coordination, leadership) == (session.generation == 0)


def coordination_leads(coordination: object) -> object:
    """Win the election, None when the place in the queue was lost once more."""
    try:
        return coordination.election.acquire(threading.Event(), 1.0)  # type: ignore[attr-defined]
    except CoordinationUnavailable:
        return None


def test_wiped_zookeeper_starts_over_above_the_epoch_in_the_sink(server: ZooKeeper) -> None:
    """After ZooKeeper lost everything, the epoch in Redis keeps epochs rising (I4, F10)."""
    with connected(server.address) as session:
        coordination = ports(session, ROOT, "a")
        first = elected(coordination)
        assert coordination.terms.raise_epoch(first, 6) == 7
        server.kill()
        server.wipe()
        server.start()
        wait_until("a session is there", lambda: session.generation and session.confirmed, timeout_s=PATIENCE_S)
        assert not stands(coordination, first)
        again = wait_until("it leads again", lambda: coordination_leads(coordination), timeout_s=PATIENCE_S)
        assert coordination.positions.load().value is None
        assert coordination.terms.raise_epoch(again, 7) == 8


@pytest.fixture
def ensemble(tmp_path: Path) -> Iterator[Ensemble]:
    """Three servers to break; a follower notices only after 10 s that its leader is gone."""
    with Ensemble(tmp_path, options={"syncLimit": 20}) as running:
        yield running


def test_ensemble_losing_its_leader_costs_no_term(ensemble: Ensemble) -> None:
    """The ensemble elects another leader among its servers; sessions and locks stay."""
    hosts = [server.address for server in ensemble]
    with connected(*hosts, session_timeout_s=8) as session, connected(*hosts, session_timeout_s=8) as other:
        leader, standby = ports(session, ROOT, "a"), ports(other, ROOT, "b")
        leadership = elected(leader)
        stored = leader.positions.save(leadership, leader.positions.load(), acknowledged(1))
        assert standby.election.acquire(threading.Event(), 0.2) is None
        ensemble.leader.kill()
        saved = wait_until("it saves again", lambda: try_save(leader, leadership, stored), timeout_s=PATIENCE_S)
        wait_until("both are back", lambda: session.confirmed and other.confirmed, timeout_s=PATIENCE_S)
        assert (session.generation, other.generation) == (0, 0)
        assert stands(leader, leadership)
        wait_until("the standby reads it", lambda: try_load(standby) == saved, timeout_s=PATIENCE_S)


def test_ensemble_without_quorum_for_three_timeouts_costs_no_term(ensemble: Ensemble) -> None:
    """A server that is left alone turns everybody away; the session waits for the others, and is the same after."""
    hosts = [server.address for server in ensemble]
    with connected(*hosts) as session:
        coordination = ports(session, ROOT, "a")
        leadership = elected(coordination)
        stored = coordination.positions.save(leadership, coordination.positions.load(), acknowledged(1))
        fallen = ensemble.members[:2]
        for server in fallen:
            server.kill()
        time.sleep(4 * SESSION_S)
        assert not session.confirmed
        for server in fallen:
            server.launch()
        wait_until("the session is back", lambda: session.confirmed, timeout_s=PATIENCE_S)
        assert session.generation == 0
        assert try_save(coordination, leadership, stored) is not None


def try_save(coordination: object, leadership: object, stored: object) -> object:
    """Save the second position, None while ZooKeeper does not answer."""
    try:
        return coordination.positions.save(leadership, stored, acknowledged(2))  # type: ignore[attr-defined]
    except CoordinationUnavailable:
        return None


def try_load(coordination: object) -> object:
    """Load the position, None while ZooKeeper does not answer."""
    try:
        return coordination.positions.load()  # type: ignore[attr-defined]
    except CoordinationUnavailable:
        return None


def test_k2_follower_without_quorum_does_not_confirm_the_session(ensemble: Ensemble) -> None:
    """A cut-off follower still answers pings; the deadline follows the ensemble's leader alone."""
    follower = ensemble.followers[0]
    with connected(follower.address) as session:
        others = [server for server in ensemble if server is not follower]
        for server in others:
            server.freeze()
        wait_until("the deadline has passed", lambda: not session.confirmed, timeout_s=PATIENCE_S)
        assert follower.mode() == "follower", "it gave up by itself, so this run shows nothing"
        for server in others:
            server.thaw()
        wait_until("a session is confirmed again", lambda: session.confirmed, timeout_s=PATIENCE_S)
