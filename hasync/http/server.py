"""The admin port's server: one thread that listens, one short-lived thread per request."""

import socket
import socketserver
import sys
import threading
from typing import Any, Self
from wsgiref.simple_server import WSGIRequestHandler

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import ThreadingWSGIServer

from hasync.errors import ConfigInvalid
from hasync.http.health import Health
from hasync.http.router import Router
from hasync.logs import Event, Log

REQUEST_TIMEOUT_S = 10.0
REQUESTS_MAX = 32
POLL_S = 0.2


class AdminServer:
    """Serves probes, metrics and status until closed.

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
        live_within_s: float,
        log: Log,
        request_timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> None:
        """Listen on ``host`` and ``port`` (0: any free one) and serve from now on.

        ``live_within_s``: oldest heartbeat that still counts as alive. ``request_timeout_s``:
        longest time a client may take for its whole request and answer.

        Raises ConfigInvalid when the address cannot be had.
        """
        self._server = _listen(host, port, request_timeout_s, log)
        self._server.set_app(Router(health, registry, live_within_s=live_within_s, log=log))
        self._thread = threading.Thread(target=self._serve, name="http", daemon=True)
        self._thread.start()
        log.info(Event.HTTP_LISTENING, host=host, port=self.port)

    @property
    def port(self) -> int:
        """The port in use, also when 0 was asked for."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop listening; a request in flight has its answer cut off at the latest by its time limit."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

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


class _Server(ThreadingWSGIServer):
    """Bounded in requests at a time and in time per request."""

    request_queue_size = 64

    def __init__(self, host: str, port: int, request_timeout_s: float, log: Log) -> None:
        self._request_timeout_s = request_timeout_s
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._host = host
        self._log = log
        self._free = threading.BoundedSemaphore(REQUESTS_MAX)
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
        limit.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            limit.cancel()
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the library's signature
        """Tell the log, at its lowest level: a client that hangs up is no trouble of ours."""
        self._log.debug(Event.HTTP_FAILED, client=str(client_address[0]), error=sys.exception())


def _cut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it ended by itself in this very moment


class _Handler(WSGIRequestHandler):
    def version_string(self) -> str:
        """Name the product, not the interpreter's version."""
        return "hasync"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the signature is the library's
        """Write no access log: probes would drown everything else."""
