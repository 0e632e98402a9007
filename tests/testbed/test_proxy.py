"""The proxy's faults, against a server that echoes in upper case."""

import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from testbed import HOST, Proxy, wait_until
from testbed.proxy import Fault, Link

TIMEOUT_S = 10.0


class Echo(socketserver.ThreadingTCPServer):
    """Answers each chunk in upper case, with its name in front, and remembers what it got."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, name: bytes = b"") -> None:
        super().__init__((HOST, 0), Answer)
        self.name = name
        self.received = b""

    @property
    def endpoint(self) -> tuple[str, int]:
        return HOST, self.server_address[1]


class Answer(socketserver.BaseRequestHandler):
    """One connection of the echo server."""

    server: Echo

    def handle(self) -> None:
        try:
            while chunk := self.request.recv(65536):
                self.server.received += chunk
                self.request.sendall(self.server.name + chunk.upper())
        except OSError:
            pass


@contextmanager
def serving(name: bytes = b"") -> Iterator[Echo]:
    with Echo(name) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def echo() -> Iterator[Echo]:
    with serving() as server:
        yield server


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    with Proxy(echo.endpoint) as result:
        yield result


def connect(proxy: Proxy) -> socket.socket:
    return socket.create_connection((proxy.host, proxy.port), timeout=TIMEOUT_S)


def ask(client: socket.socket, request: bytes) -> bytes:
    client.sendall(request)
    return client.recv(65536)


def silent(client: socket.socket) -> bool:
    client.settimeout(0.2)
    try:
        client.recv(1)
    except TimeoutError:
        return True
    finally:
        client.settimeout(TIMEOUT_S)
    return False


def test_bytes_pass_both_ways_and_connections_are_counted(proxy: Proxy) -> None:
    """Without a fault the proxy is not there."""
    with connect(proxy) as client, connect(proxy) as other:
        assert ask(client, b"one") == b"ONE"
        assert ask(other, b"two") == b"TWO"
        assert (proxy.connections, proxy.accepted) == (2, 2)
    wait_until("both are gone", lambda: proxy.connections == 0)


def test_large_transfer_arrives_whole(proxy: Proxy, echo: Echo) -> None:
    """Chunks are neither lost nor reordered."""
    data = bytes(range(256)) * 8192
    with connect(proxy) as client:
        sender = threading.Thread(target=client.sendall, args=(data,))
        sender.start()
        answer = b""
        while len(answer) < len(data):
            answer += client.recv(65536)
        sender.join()
    assert answer == data.upper()
    assert echo.received == data


def test_held_bytes_arrive_at_release(proxy: Proxy, echo: Echo) -> None:
    """The client believes they are sent; the server gets them later."""
    with connect(proxy) as client:
        proxy.hold()
        client.sendall(b"late")
        proxy.wait_held()
        assert silent(client)
        assert (echo.received, proxy.held_bytes) == (b"", 4)
        proxy.release()
        assert client.recv(100) == b"LATE"
        assert proxy.held_bytes == 0


def test_held_bytes_of_a_dead_client_arrive_too(proxy: Proxy, echo: Echo) -> None:
    """A zombie's last write reaches the server however late, which is what a fence is for."""
    client = connect(proxy)
    proxy.hold()
    client.sendall(b"zombie")
    proxy.wait_held()
    client.close()
    proxy.release()
    wait_until("the server has it", lambda: echo.received == b"zombie")


def test_hold_begins_with_the_chunk_that_contains_the_word(proxy: Proxy, echo: Echo) -> None:
    """What comes before it passes; other connections are not held."""
    with connect(proxy) as client, connect(proxy) as other:
        proxy.hold(b"EXEC")
        assert ask(client, b"set") == b"SET"
        client.sendall(b"EXEC")
        proxy.wait_held()
        assert ask(other, b"get") == b"GET"
        assert echo.received == b"setget"
        proxy.release()
        assert client.recv(100) == b"EXEC"


def test_word_cut_in_two_is_found(proxy: Proxy, echo: Echo) -> None:
    """TCP has no message borders."""
    with connect(proxy) as client:
        proxy.hold(b"EXEC")
        assert ask(client, b"..EX") == b"..EX"
        client.sendall(b"EC..")
        proxy.wait_held()
        assert echo.received == b"..EX"


def test_hold_takes_a_predicate(proxy: Proxy) -> None:
    """Anything that can be seen in a chunk can start a hold."""
    with connect(proxy) as client:
        proxy.hold(lambda chunk: len(chunk) > 3)
        assert ask(client, b"abc") == b"ABC"
        client.sendall(b"abcd")
        proxy.wait_held()


def test_dropped_reply_closes_the_connection_after_the_server_acted(proxy: Proxy, echo: Echo) -> None:
    """The client cannot know whether its request was carried out; here it was."""
    with connect(proxy) as client:
        proxy.drop_replies(b"commit", times=1)
        assert ask(client, b"begin") == b"BEGIN"
        assert ask(client, b"commit") == b""
        proxy.wait_dropped()
    assert echo.received == b"begincommit"
    with connect(proxy) as client:
        assert ask(client, b"commit") == b"COMMIT"


def test_cut_closes_and_refuses_until_restored(proxy: Proxy) -> None:
    """A dead server, at an address that stays the same."""
    with connect(proxy) as client:
        assert ask(client, b"x") == b"X"
        proxy.cut()
        assert client.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            connect(proxy)
        proxy.restore()
    with connect(proxy) as client:
        assert ask(client, b"y") == b"Y"


def test_chunk_on_hold_is_lost_by_a_cut(proxy: Proxy) -> None:
    """The cut wakes whoever holds a chunk, maybe before it has closed that connection: nothing passes all the same."""
    with socket.socket() as client, ThreadPoolExecutor(1) as pool:
        proxy.hold()
        admitted = pool.submit(proxy._admit, Link(client, None), b"held")
        proxy.wait_held()
        proxy._set(Fault.CUT, None)
        assert admitted.result(TIMEOUT_S) is False


def test_black_hole_swallows_without_a_word(proxy: Proxy, echo: Echo) -> None:
    """Old and new connections stay open and silent; only a timeout helps a client."""
    with connect(proxy) as old:
        assert ask(old, b"x") == b"X"
        proxy.blackhole()
        with connect(proxy) as new:
            for client in (old, new):
                client.sendall(b"lost")
                assert silent(client)
            proxy.restore()
            assert [client.recv(1) for client in (old, new)] == [b"", b""]
    with connect(proxy) as client:
        assert ask(client, b"y") == b"Y"
    assert echo.received == b"xy"


def test_retargeted_address_leads_to_the_other_server(proxy: Proxy) -> None:
    """Old connections end, new ones reach the new server."""
    with serving(b"new ") as other, connect(proxy) as old:
        assert ask(old, b"x") == b"X"
        proxy.retarget(other.endpoint)
        assert old.recv(1) == b""
        with connect(proxy) as client:
            assert ask(client, b"x") == b"new X"


def test_latency_delays_each_direction(proxy: Proxy) -> None:
    """A round trip takes at least twice the latency."""
    proxy.latency_ms = 50
    with connect(proxy) as client:
        begin = time.monotonic()
        assert ask(client, b"x") == b"X"
        assert time.monotonic() - begin >= 0.1


def test_client_is_turned_away_while_the_upstream_is_down(echo: Echo) -> None:
    """The proxy outlives its upstream and serves again when that is back."""
    with serving() as gone:
        endpoint = gone.endpoint
    with Proxy(endpoint) as proxy:
        with connect(proxy) as client:
            assert client.recv(1) == b""
        proxy.retarget(echo.endpoint)
        with connect(proxy) as client:
            assert ask(client, b"x") == b"X"


def test_closing_ends_all_threads(echo: Echo) -> None:
    """A proxy with a held connection leaves nothing behind."""
    with Proxy(echo.endpoint) as proxy:
        name = f"proxy-{proxy.port}"
        client = connect(proxy)
        proxy.hold()
        client.sendall(b"x")
        proxy.wait_held()
    client.close()
    wait_until("no thread", lambda: name not in {thread.name for thread in threading.enumerate()})
