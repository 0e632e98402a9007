"""The admin port's server: one thread that listens, one thread per request."""

import contextlib
import io
import select
import socket
import socketserver
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self, TextIO, cast
from wsgiref.simple_server import WSGIRequestHandler
from wsgiref.types import WSGIEnvironment

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import ThreadingWSGIServer

from hasync.errors import ConfigInvalid
from hasync.http.actions import Actions, Desk
from hasync.http.answers import Turn
from hasync.http.board import Board, Surveyor
from hasync.http.events import CLIENTS_MAX, Feed, Followers
from hasync.http.gatekeeper import Gatekeeper
from hasync.http.health import Health
from hasync.http.router import Router
from hasync.http.view import Teller
from hasync.logs import Event, Log
from hasync.ports import Clock

REQUEST_TIMEOUT_S = 10.0
REQUESTS_MAX = 32
POLL_S = 0.2

LAST_WORDS_S = 2.0
"""How long closing waits for those who follow the page to be let go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """What the status page and admin actions need besides :class:`Health`.

    ``root``: the znode of the deployment; ``instance``: random, of this process; ``token``:
    see :class:`Gatekeeper`.
    """

    surveyor: Surveyor
    desk: Desk
    root: str
    instance: str
    token: Callable[[], str] | None
    clock: Clock
    clients_max: int = CLIENTS_MAX


class AdminServer:
    """Serves probes, metrics, status, and the page of the whole cluster, until closed.

    Its threads share nothing with the loops but what :class:`Health` hands out, so it
    answers while a loop hangs; that is what liveness is for.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        health: Health,
        registry: CollectorRegistry,
        cluster: Cluster,
        live_within_s: float,
        log: Log,
        request_timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> None:
        """Listen on ``host`` and ``port`` (0: any free one) and serve from now on.

        ``live_within_s``: oldest heartbeat that still counts as alive. ``request_timeout_s``:
        longest time a client may take for its whole request and answer.

        Raises ConfigInvalid when the address cannot be had, nor the admin token where there is to be one.
        """
        gatekeeper = Gatekeeper(cluster.token, cluster.clock)
        gatekeeper.check()
        self._board = Board(
            surveyor=cluster.surveyor,
            teller=lambda: Teller(status=health.status(), actions=gatekeeper.enabled, root=cluster.root),
            clock=cluster.clock,
            log=log,
        )
        followers = Followers(Feed(self._board, cluster.instance), clients_max=cluster.clients_max)
        actions = Actions(desk=cluster.desk, gatekeeper=gatekeeper, log=log)
        self._server = _listen(host, port, request_timeout_s, log)
        self._server.set_app(
            Router(
                health,
                registry,
                board=self._board,
                followers=followers,
                actions=actions,
                live_within_s=live_within_s,
                log=log,
            )
        )
        self._thread = threading.Thread(target=self._serve, name="http", daemon=True)
        self._thread.start()
        log.info(Event.HTTP_LISTENING, host=host, port=self.port)

    @property
    def port(self) -> int:
        """The port in use, also when 0 was asked for."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop listening, let go who follows; a request in flight is cut off at the latest by its time limit."""
        self._board.close()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        self._server.let_go(LAST_WORDS_S)

    def __enter__(self) -> Self:
        """Return the server itself."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """Close it."""
        self.close()

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=POLL_S)


def _listen(host: str, port: int, request_timeout_s: float, log: Log) -> "_Server":
    try:
        return _Server(host, port, request_timeout_s, log)
    except OSError as error:
        reason = error.strerror or str(error)
        problem = (
            f"HASYNC_HTTP__HOST, HASYNC_HTTP__PORT (http.host, http.port): cannot listen on {host!r} port {port}: "
            f"{reason}; take another address, or port 0 for any free one"
        )
        message = f"the admin port cannot be opened: {reason}"
        raise ConfigInvalid(message, problems=(problem,), hint="set HASYNC_HTTP__PORT") from error


@dataclass(eq=False, slots=True)
class _Visit:
    """A connection that is being served, within its time and its place among the requests, or kept beyond both."""

    connection: socket.socket
    thread: threading.Thread
    limit: threading.Timer
    leave: Callable[[], None]
    ended: list[Callable[[], None]] = field(default_factory=list)
    kept: bool = False

    def keep(self, on_end: Callable[[], None]) -> None:
        """Take it out of the bounds of requests; ``on_end`` is called when it is over."""
        self.ended.append(on_end)
        self.kept = True
        self.limit.cancel()
        # Whoever does not read what is sent is dropped: a full socket buffer would hold the thread for ever.
        self.connection.settimeout(REQUEST_TIMEOUT_S)
        self.leave()

    def gone(self) -> bool:
        """Whether the client has hung up: it sends nothing more, so all there can be to read is the end."""
        looked = select.poll()  # not select(): an instance may have more descriptors than that can name
        try:
            looked.register(self.connection, select.POLLIN)
            return bool(looked.poll(0)) and self.connection.recv(1, socket.MSG_PEEK) == b""
        except (OSError, ValueError):
            return True

    def end(self) -> None:
        """Undo what was begun."""
        self.limit.cancel()
        if not self.kept:
            self.leave()
        for done in self.ended:
            done()


class _Server(ThreadingWSGIServer):
    """Bounded in requests at a time and in time per request."""

    request_queue_size = 64

    def __init__(self, host: str, port: int, request_timeout_s: float, log: Log) -> None:
        self._request_timeout_s = request_timeout_s
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._host = host
        self._log = log
        self._free = threading.BoundedSemaphore(REQUESTS_MAX)
        self._visits: dict[int, _Visit] = {}
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        # Not HTTPServer's: it asks the DNS for the name of the address, which can take minutes.
        socketserver.TCPServer.server_bind(self)
        self.server_name = self._host
        self.server_port = self.server_address[1]
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)  # too many at once: refused, rather than a thread for each
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no thread to be had
            self._free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        # A time limit per read would let a client that sends a byte now and then hold its thread for ever.
        limit = threading.Timer(self._request_timeout_s, _cut, (request,))
        limit.daemon = True
        visit = _Visit(request, threading.current_thread(), limit, self._free.release)
        self._visits[id(request)] = visit
        limit.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            del self._visits[id(request)]
            visit.end()

    def turn(self, request: Any) -> Turn:
        """Return what the request over this connection may ask for. Called from: its thread."""
        visit = self._visits[id(request)]
        return Turn(visit.keep, visit.gone)

    def let_go(self, within_s: float) -> None:
        """Wait for the kept connections to end by themselves, then cut them. Called once nobody comes any more."""
        kept = [visit for visit in list(self._visits.values()) if visit.kept]
        for visit in kept:
            visit.thread.join(within_s / max(1, len(kept)))
            _cut(visit.connection)
        for visit in kept:
            visit.thread.join(within_s)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the library's signature
        """Tell the log, at its lowest level: a client that hangs up is no trouble of ours."""
        self._log.debug(Event.HTTP_FAILED, client=str(client_address[0]), error=sys.exception())


def _cut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it ended by itself in this very moment
        connection.shutdown(socket.SHUT_RDWR)


class _Handler(WSGIRequestHandler):
    def get_environ(self) -> WSGIEnvironment:
        """Return the request, with what it may ask of its connection."""
        return {**super().get_environ(), "hasync.turn": cast("_Server", self.server).turn(self.request)}

    def get_stderr(self) -> TextIO:
        """Drop what the library would print of a client that went away; faults of ours are in the log."""
        return io.StringIO()

    def address_string(self) -> str:
        """Return the client's address as it is: no name is looked up."""
        return str(self.client_address[0])

    def version_string(self) -> str:
        """Name the product, not the interpreter's version."""
        return "hasync"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the signature is the library's
        """Write no access log: probes would drown everything else."""
