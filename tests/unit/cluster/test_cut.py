"""A drill's gate and kazoo's handler: shut, the gate breaks the connection that there is."""

import socket

import pytest

from hasync.clock import SystemClock
from hasync.cluster.client import PromptHandler
from hasync.worker.gates import TimedGate


@pytest.mark.regression("cut-zookeeper cut nothing")
def test_shut_gate_breaks_connection_of_a_handler_that_kazoo_stopped_first() -> None:
    """Kazoo stops a handler in front of its first start; the gate must know it all the same."""
    gate = TimedGate(SystemClock())
    handler = PromptHandler(1.0, gate)
    handler.stop()
    handler.start()
    with socket.create_server(("127.0.0.1", 0)) as server:
        connection = handler.create_connection(server.getsockname())
        gate.shut_for(30)
        assert connection.recv(1) == b""
        connection.close()
        with pytest.raises(TimeoutError, match="cut off by a drill"):
            PromptHandler(0.01, gate).create_connection(server.getsockname())
    handler.stop()
