"""A TCP proxy between a client and a server that holds, loses, cuts and redirects on command.

Two threads forward each connection, one for each direction; the controls are called from the test's thread.
"""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from enum import Enum, auto
from typing import Self

from testbed.ports import HOST, PortLease
from testbed.servers import Server

CHUNK_BYTES = 65536

When = bytes | Callable[[bytes], bool] | None
Upstream = Server | tuple[str, int]


class Fault(Enum):
    """What the proxy does instead of forwarding."""

    NONE = auto()
    HOLD = auto()
    DROP_REPLIES = auto()
    BLACKHOLE = auto()
    CUT = auto()


class Link:
    """One client's connection and the one made for it to the server."""

    def __init__(self, client: socket.socket, server: socket.socket | None) -> None:
        self.client = client
        self.server = server
        self.marked = False  # a chunk of its client has met the fault's condition
        self.tail = b""  # of the last chunk, so that a word cut in two is found
        self.closed = False

    def matches(self, chunk: bytes, when: When) -> bool:
        """Whether the client's next chunk meets the condition of a fault."""
        if when is None:
            return True
        if callable(when):
            return when(chunk)
        found = when in self.tail + chunk
        self.tail = (self.tail + chunk)[-(len(when) - 1) :] if len(when) > 1 else b""
        return found

    def shut(self) -> None:
        """End both connections; threads that wait in a `recv` return."""
        self.closed = True
        for side in (self.client, self.server):
            if side is not None:
                with suppress(OSError):
                    side.shutdown(socket.SHUT_RDWR)


class Proxy:
    """Forwards every connection to an upstream, until told otherwise.

    One fault is in force at a time; `restore` ends it.  Set `latency_ms` to delay each chunk in each direction.

    Attributes:
        latency_ms: delay of one chunk (64 KiB at most), in each direction.
        accepted: connections accepted so far.
    """

    def __init__(self, upstream: Upstream, *, latency_ms: float = 0.0, host: str = HOST) -> None:
        self._host = host
        self.latency_ms = latency_ms
        self.accepted = 0
        self._upstream = _endpoint(upstream)
        self._lease = PortLease()
        self._changed = threading.Condition()
        self._fault = Fault.NONE
        self._when: When = None
        self._times: int | None = None
        self._links: set[Link] = set()
        self._threads: list[threading.Thread] = []
        self._listener: socket.socket | None = None
        self._held_bytes = 0
        self._dropped_replies = 0

    # ------------------------------------------------------------------ what it is
    @property
    def host(self) -> str:
        """Where clients connect to."""
        return self._host

    @property
    def port(self) -> int:
        """Where clients connect to."""
        return self._lease.port

    @property
    def address(self) -> str:
        """`host:port`, as drivers take it."""
        return f"{self._host}:{self.port}"

    @property
    def connections(self) -> int:
        """Connections open now."""
        with self._changed:
            return len(self._links)

    @property
    def held_bytes(self) -> int:
        """Bytes of clients in the proxy's hands now (what is still in a socket's buffer does not count)."""
        with self._changed:
            return self._held_bytes

    @property
    def dropped_replies(self) -> int:
        """Replies lost so far."""
        with self._changed:
            return self._dropped_replies

    # ------------------------------------------------------------------ faults
    def hold(self, when: When = None) -> None:
        """Keep what clients send, and pass it on at `release`, even if the client is dead by then.

        Args:
            when: bytes that a chunk must contain, or a predicate on chunks; from the first chunk that matches, that
                connection is held.  None holds every connection from its next chunk on.
        """
        self._set(Fault.HOLD, when)

    def release(self) -> None:
        """Forward what was held, and everything after it."""
        self._set(Fault.NONE, None)

    def wait_held(self, timeout_s: float = 10.0) -> None:
        """Wait until a chunk is being held.

        Raises:
            TimeoutError: None was, for `timeout_s` seconds.
        """
        self._wait("a chunk is held", lambda: self._held_bytes > 0, timeout_s)

    def drop_replies(self, when: When = None, *, times: int | None = None) -> None:
        """Forward requests, but lose the reply and close the connection instead.

        Args:
            when: only the reply to a request that matches; None loses any bytes of the server.
            times: forward again after so many lost replies; None goes on until `restore`.
        """
        self._set(Fault.DROP_REPLIES, when, times)

    def wait_dropped(self, count: int = 1, timeout_s: float = 10.0) -> None:
        """Wait until `count` replies were lost since the proxy started.

        Raises:
            TimeoutError: They were not, for `timeout_s` seconds.
        """
        self._wait(f"{count} replies are dropped", lambda: self._dropped_replies >= count, timeout_s)

    def cut(self) -> None:
        """Close every connection and refuse new ones; bytes on hold are lost."""
        self._set(Fault.CUT, None)
        self._stop_listening()
        self._shut_links()

    def blackhole(self) -> None:
        """Accept connections and bytes, answer nothing, close nothing: a network that drops packets."""
        self._set(Fault.BLACKHOLE, None)

    def restore(self) -> None:
        """Forward again; connections that lost bytes in a black hole are closed."""
        swallowed = self._fault is Fault.BLACKHOLE
        self._set(Fault.NONE, None)
        if swallowed:
            self._shut_links()
        self._listen()

    def retarget(self, upstream: Upstream) -> None:
        """Send new connections to another server and close those to the old one, as a moved virtual address does."""
        with self._changed:
            self._upstream = _endpoint(upstream)
        self._shut_links()

    # ------------------------------------------------------------------ life
    def start(self) -> Self:
        """Listen."""
        self._listen()
        return self

    def close(self) -> None:
        """Close everything and return when the threads have ended."""
        self.cut()
        for thread in self._threads:
            thread.join()
        self._lease.close()

    def __enter__(self) -> Self:
        """Listen."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Close everything."""
        self.close()

    # ------------------------------------------------------------------ inside
    def _set(self, fault: Fault, when: When, times: int | None = None) -> None:
        with self._changed:
            self._fault, self._when, self._times = fault, when, times
            for link in self._links:
                link.marked, link.tail = False, b""
            self._changed.notify_all()

    def _wait(self, what: str, check: Callable[[], bool], timeout_s: float) -> None:
        with self._changed:
            if not self._changed.wait_for(check, timeout_s):
                raise TimeoutError(f"not within {timeout_s:g} s: {what}")

    def _listen(self) -> None:
        if self._listener is not None:
            return
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self._host, self.port))
        listener.listen(128)
        self._listener = listener
        self._run(self._accept, listener)

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread in accept; it closes the socket
            self._listener = None

    def _run(self, work: Callable[..., None], *arguments: object) -> None:
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = threading.Thread(target=work, args=arguments, name=f"proxy-{self.port}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        with listener:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:  # shut by `cut`
                    return
                self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        """Pair a client with a connection to the server; without one the client is turned away."""
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._changed:
            self.accepted += 1
            fault, upstream = self._fault, self._upstream
        server: socket.socket | None = None
        if fault is not Fault.BLACKHOLE:
            try:
                server = socket.create_connection(upstream, timeout=5)
            except OSError:
                client.close()
                return
            server.settimeout(None)
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open(Link(client, server))

    def _open(self, link: Link) -> None:
        with self._changed:
            self._links.add(link)
            if self._fault is Fault.CUT:  # it came while the connection was being made
                link.shut()
        self._run(self._serve, link)

    def _serve(self, link: Link) -> None:
        """Forward one connection until both directions have ended."""
        replies = threading.Thread(target=self._forward_replies, args=(link,), name=f"proxy-{self.port}", daemon=True)
        replies.start()
        self._forward_requests(link)
        replies.join()
        with self._changed:
            self._links.discard(link)
        link.client.close()
        if link.server is not None:
            link.server.close()

    def _forward_requests(self, link: Link) -> None:
        while chunk := _receive(link.client):
            if not self._admit(link, chunk) or link.server is None:
                continue
            self._delay()
            with suppress(OSError):  # the server closed: the other direction tells the client
                link.server.sendall(chunk)
        if link.server is not None and not link.closed:
            with suppress(OSError):
                link.server.shutdown(socket.SHUT_WR)

    def _admit(self, link: Link, chunk: bytes) -> bool:
        """Whether to forward a client's chunk; waits here while it is held."""
        with self._changed:
            if not link.marked and self._fault in {Fault.HOLD, Fault.DROP_REPLIES}:
                link.marked = link.matches(chunk, self._when)
            if link.marked and self._fault is Fault.HOLD:
                self._held_bytes += len(chunk)
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._fault is not Fault.HOLD or link.closed)
                self._held_bytes -= len(chunk)
            return self._fault not in {Fault.BLACKHOLE, Fault.CUT} and not link.closed

    def _forward_replies(self, link: Link) -> None:
        if link.server is None:
            return
        while chunk := _receive(link.server):
            if self._loses(link):
                continue
            self._delay()
            with suppress(OSError):  # the client is gone; what it sent before still has to reach the server
                link.client.sendall(chunk)
        if not self._swallowing():
            with suppress(OSError):
                link.client.shutdown(socket.SHUT_WR)

    def _swallowing(self) -> bool:
        with self._changed:
            return self._fault is Fault.BLACKHOLE

    def _loses(self, link: Link) -> bool:
        """Whether a chunk of the server is lost; closes the connection if a dropped reply is the reason."""
        with self._changed:
            if self._fault is Fault.BLACKHOLE or link.closed:
                return True
            if self._fault is not Fault.DROP_REPLIES or not (link.marked or self._when is None):
                return False
            self._dropped_replies += 1
            link.shut()
            if self._times is not None:
                self._times -= 1
                if self._times == 0:
                    self._fault = Fault.NONE
            self._changed.notify_all()
            return True

    def _delay(self) -> None:
        if self.latency_ms > 0:
            time.sleep(self.latency_ms / 1000)

    def _shut_links(self) -> None:
        with self._changed:
            for link in self._links:
                link.shut()
            self._changed.notify_all()


def _receive(source: socket.socket) -> bytes:
    """Return the next bytes, b"" at the end, however the connection ended."""
    try:
        return source.recv(CHUNK_BYTES)
    except OSError:
        return b""


def _endpoint(upstream: Upstream) -> tuple[str, int]:
    return (upstream.host, upstream.port) if isinstance(upstream, Server) else upstream
