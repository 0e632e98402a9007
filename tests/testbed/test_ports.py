"""Port leases: a port stays reserved while no server listens on it."""

import socket

import pytest

from testbed import HOST, PortLease


def listen(port: int) -> socket.socket:
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((HOST, port))
    server.listen()
    return server


def test_server_can_listen_on_a_leased_port_again_and_again() -> None:
    """A restart gets its port back, which refuses connections in between."""
    with PortLease() as lease:
        for _ in range(3):
            with listen(lease.port):
                socket.create_connection((HOST, lease.port), timeout=1).close()
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((HOST, lease.port), timeout=1)


def test_leased_port_is_given_to_nobody_else() -> None:
    """Neither another lease nor an outgoing connection can take it."""
    with PortLease() as lease, socket.socket() as thief, pytest.raises(OSError, match="in use"):
        thief.bind((HOST, lease.port))
