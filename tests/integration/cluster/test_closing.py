"""A session whose process is gone is closed from outside, on a real ZooKeeper."""

import socket
import subprocess
import sys

import pytest

from hasync.cluster.access import Auth
from hasync.cluster.closing import Closing, SessionCloser
from hasync.errors import CoordinationUnavailable
from hasync.model.cluster import SessionCredential
from testbed import PortLease, ZooKeeper
from tests.contract.worlds import with_client

TIMEOUT_S = 10.0


def closer(*hosts: str, **options: object) -> SessionCloser:
    return SessionCloser(hosts=hosts, session_timeout_s=TIMEOUT_S, **options)  # type: ignore[arg-type]


HOLDER = """
import sys, time
from kazoo.client import KazooClient
client = KazooClient(sys.argv[1], timeout=10)
client.start()
client.create(sys.argv[2], ephemeral=True)
number, password = client.client_id
print(number, password.hex(), flush=True)
time.sleep(60)
"""


def abandoned(zookeeper: ZooKeeper, node: str) -> SessionCredential:
    """Leave an ephemeral node to the session of a process that is killed, and return what its supervisor knew."""
    command = [sys.executable, "-c", HOLDER, zookeeper.hosts, node]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        number, password = holder.stdout.readline().split()
        holder.kill()
    return SessionCredential(session_id=int(number), password=bytes.fromhex(password))


def exists(zookeeper: ZooKeeper, node: str) -> bool:
    return with_client(zookeeper.hosts, lambda client: client.exists(node)) is not None


def test_ephemeral_nodes_of_a_closed_session_are_gone_at_once(zookeeper: ZooKeeper) -> None:
    """The answer to the close comes when the nodes are gone, seconds before the session would have expired."""
    credential = abandoned(zookeeper, "/closing-1")
    assert exists(zookeeper, "/closing-1")
    assert closer(zookeeper.hosts).close(credential) is Closing.CLOSED
    assert not exists(zookeeper, "/closing-1")
    assert closer(zookeeper.hosts).close(credential) is Closing.ENDED


def test_wrong_password_closes_nothing(zookeeper: ZooKeeper) -> None:
    """The id alone, which anybody may see in a node's owner, gives no right."""
    credential = abandoned(zookeeper, "/closing-2")
    forged = SessionCredential(session_id=credential.session_id, password=bytes(16))
    assert closer(zookeeper.hosts).close(forged) is Closing.ENDED
    assert exists(zookeeper, "/closing-2")


def test_next_server_is_asked_when_one_is_away(zookeeper: ZooKeeper) -> None:
    """Any server of the ensemble will do."""
    credential = abandoned(zookeeper, "/closing-3")
    with PortLease() as lease:
        away = f"127.0.0.1:{lease.port}"
        assert closer(away, zookeeper.hosts).close(credential) is Closing.CLOSED
        with pytest.raises(CoordinationUnavailable) as caught:
            closer(away).close(credential)
    assert away in caught.value.message


def test_silent_server_is_given_up_after_the_patience(zookeeper: ZooKeeper) -> None:
    """It accepts and says nothing: what a stopped server does."""
    credential = abandoned(zookeeper, "/closing-4")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        assert closer(host, zookeeper.hosts, patience_s=0.1).close(credential) is Closing.CLOSED


def test_identity_is_told_before_the_close(zookeeper: ZooKeeper) -> None:
    """A server may take no request from somebody who has not said who he is."""
    auth = Auth(scheme="digest", credential="hasync:secret")
    credential = abandoned(zookeeper, "/closing-5")
    assert closer(zookeeper.hosts, auth=auth).close(credential) is Closing.CLOSED
    assert not exists(zookeeper, "/closing-5")
