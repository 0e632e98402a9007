"""Loopback ports that stay one's own, also while nobody listens on them."""

import socket
from typing import Self

HOST = "127.0.0.1"


class PortLease:
    """A free loopback port, reserved until `close`, on which a server may be started and restarted any number of times.

    The lease holds a socket that is bound but never listens.  The kernel lets a server that sets SO_REUSEADDR (all of
    ours do) listen beside it, yet gives the port neither to another lease nor to an outgoing connection: without it,
    a port could be lost between a kill and the restart.
    """

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.bind((HOST, 0))  # before SO_REUSEADDR: a port leased by someone else must not be shared
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.port: int = self._socket.getsockname()[1]

    @property
    def address(self) -> str:
        """`host:port`, as drivers take it."""
        return f"{HOST}:{self.port}"

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()

    def __enter__(self) -> Self:
        """Return the lease."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give the port back."""
        self.close()
