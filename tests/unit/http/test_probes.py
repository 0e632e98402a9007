"""The admin port, asked over a real socket on the loopback."""

import contextlib
import socket
import threading

import orjson
import pytest

from hasync.errors import ConfigInvalid
from hasync.http import Heartbeats, Readiness
from hasync.http.server import REQUESTS_MAX
from tests.unit.http.stage import Bench, SetClock, served

PATHS = ["/", "/livez", "/readyz", "/metrics", "/status", "/events", "/api/cluster", "/static/page.js"]


def test_instance_with_turning_loops_is_live(bench: Bench) -> None:
    """Liveness asks only whether the loops turn."""
    bench.health.ages = {"orders": 0.1, "users": 19.9}
    answer = bench.ask("/livez")
    assert (answer.status, answer.json["live"]) == (200, True)
    assert answer.json["heartbeat_age_s"] == {"orders": 0.1, "users": 19.9}


def test_stuck_loop_is_not_live_and_is_named(bench: Bench) -> None:
    """A loop that hangs past the limit asks for a restart, and says which one it is."""
    bench.health.ages = {"orders": 0.1, "users": 20.0}
    answer = bench.ask("/livez")
    assert (answer.status, answer.json["live"]) == (503, False)
    assert answer.json["reasons"] == ["the loop of users last turned 20 s ago"]


def test_instance_that_cannot_lead_is_live_but_not_ready(bench: Bench) -> None:
    """A server that is away makes nobody restart this process: liveness does not look at readiness."""
    bench.health.ready = Readiness(ready=False, reasons=("redis://:hunter2@redis:6379 does not answer",))
    answer = bench.ask("/readyz")
    assert answer.status == 503
    assert answer.json == {"ready": False, "reasons": ["redis://***@redis:6379 does not answer"], "notes": []}
    assert bench.ask("/livez").status == 200


def test_standby_is_ready(bench: Bench) -> None:
    """Ready means able to lead, or else a rollout with maxUnavailable 0 never ends."""
    answer = bench.ask("/readyz")
    assert (answer.status, answer.json) == (200, {"ready": True, "reasons": [], "notes": []})


def test_paused_instance_is_ready_and_says_who_paused_it(bench: Bench) -> None:
    """It does what it is asked to: a rollout during maintenance must not hang, and nobody must wonder."""
    bench.health.ready = Readiness(ready=True, notes=("orders: paused by ann@desk: moving Redis",))
    answer = bench.ask("/readyz")
    assert (answer.status, answer.json["notes"]) == (200, ["orders: paused by ann@desk: moving Redis"])


def test_metrics_are_those_of_the_given_registry(bench: Bench) -> None:
    """Prometheus gets the instance's own registry, compressed if it asks."""
    bench.metrics.stream("orders").lead(7)
    answer = bench.ask("/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert b'hasync_leader{stream="orders"} 1.0' in answer.body
    assert bench.ask("/metrics", headers={"Accept-Encoding": "gzip"}).headers["content-encoding"] == "gzip"


def test_status_is_json_without_secrets(bench: Bench) -> None:
    """Whatever gets into the status document by mistake, a password does not get out."""
    bench.health.content = {"member": "m-1", "streams": [{"epoch": 7, "password": "hunter2"}]}
    answer = bench.ask("/status?password=hunter2")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json == {"member": "m-1", "streams": [{"epoch": 7, "password": "***"}]}


def test_failing_status_answers_500_and_is_logged(bench: Bench) -> None:
    """A fault of ours is told to the log, not to the client; the port goes on serving."""
    bench.health.content = RuntimeError("internal detail")
    answer = bench.ask("/status")
    assert (answer.status, answer.json["error"]) == (500, "internal")
    assert b"internal detail" not in answer.body
    assert b"internal detail" in bench.lines.getvalue()
    assert bench.ask("/livez").status == 200


def test_unknown_path_is_404_with_the_known_ones(bench: Bench) -> None:
    """A mistyped probe is explained where it is seen: in its answer."""
    answer = bench.ask("/healthz")
    assert answer.status == 404
    assert "/livez" in answer.json["paths"]


@pytest.mark.parametrize("path", PATHS)
def test_nothing_can_be_changed_over_this_port(bench: Bench, path: str) -> None:
    """Every method but GET and HEAD is refused, with the allowed ones named."""
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        answer = bench.ask(path, method)
        assert (answer.status, answer.json["error"]) == (405, "method_not_allowed")
        assert answer.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("path", PATHS)
def test_head_is_get_without_a_body(bench: Bench, path: str) -> None:
    """Load balancers probe with HEAD."""
    with socket.create_connection(("127.0.0.1", bench.server.port), timeout=10) as client:
        client.sendall(f"HEAD {path} HTTP/1.0\r\n\r\n".encode())
        head, _, body = b"".join(iter(lambda: client.recv(65536), b"")).partition(b"\r\n\r\n")
    assert b" 200 OK" in head.splitlines()[0]
    assert body == b""


def test_answers_name_no_interpreter_and_are_not_cached(bench: Bench) -> None:
    """A scanner learns nothing of the Python version; a proxy keeps no stale health."""
    for path in ("/livez", "/metrics", "/nowhere"):
        assert bench.ask(path).headers["server"] == "hasync"
    assert bench.ask("/livez").headers["cache-control"] == "no-store"


def test_probes_leave_no_access_log(bench: Bench) -> None:
    """A probe every two seconds must not drown the log."""
    before = bench.lines.getvalue()
    bench.ask("/livez")
    bench.ask("/nowhere")
    assert bench.lines.getvalue() == before


def test_liveness_answers_while_another_request_hangs(bench: Bench) -> None:
    """One thread per request: what hangs does not take liveness with it."""
    bench.health.hold = threading.Event()
    hanging = socket.create_connection(("127.0.0.1", bench.server.port), timeout=10)
    try:
        hanging.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
        assert bench.ask("/livez").status == 200
    finally:
        bench.health.hold.set()
        hanging.close()


def test_client_that_never_finishes_is_cut_off() -> None:
    """A client that sends half a request does not hold its thread for ever."""
    with (
        served(request_timeout_s=0.1) as bench,
        socket.create_connection(("127.0.0.1", bench.server.port), timeout=10) as slow,
    ):
        slow.sendall(b"GET /livez HTTP/1.0\r\n")
        assert slow.recv(100) == b""


def test_too_many_requests_at_once_are_refused() -> None:
    """Clients that hold their connection open do not get a thread each without end."""
    with served() as bench, contextlib.ExitStack() as clients:
        for _ in range(REQUESTS_MAX):
            client = clients.enter_context(socket.create_connection(("127.0.0.1", bench.server.port), timeout=10))
            client.sendall(b"GET /livez HTTP/1.0\r\n")
        surplus = clients.enter_context(socket.create_connection(("127.0.0.1", bench.server.port), timeout=10))
        assert surplus.recv(100) == b""


GARBAGE = [b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"GET\r\n\r\n", b"GET /" + b"a" * 70000 + b" HTTP/1.0\r\n\r\n"]


@pytest.mark.parametrize("garbage", GARBAGE, ids=["tls", "empty", "endless"])
def test_garbage_is_answered_or_dropped(bench: Bench, garbage: bytes) -> None:
    """A TLS hello, an empty request or an endless path harms nobody."""
    with socket.create_connection(("127.0.0.1", bench.server.port), timeout=10) as client:
        client.sendall(garbage)
        client.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while client.recv(4096):
                pass
    assert bench.ask("/livez").status == 200


def test_closing_frees_port_and_threads() -> None:
    """After close() nobody listens, and no thread is left."""
    before = set(threading.enumerate())
    with served() as bench:
        port = bench.server.port
        assert bench.ask("/api/cluster").status == 200
        bench.server.close()
    assert set(threading.enumerate()) <= before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=10)


def test_taken_port_is_explained(bench: Bench) -> None:
    """A second instance on one machine learns which variable to change."""
    with pytest.raises(ConfigInvalid) as refused, served(port=bench.server.port):
        pass
    assert "HASYNC_HTTP__PORT" in refused.value.problems[0]
    assert str(bench.server.port) in refused.value.problems[0]


def test_port_in_use_is_logged(bench: Bench) -> None:
    """With port 0 the log says where to ask."""
    line = orjson.loads(bench.lines.getvalue().splitlines()[0])
    assert (line["event"], line["port"]) == ("http_listening", bench.server.port)


def test_heartbeat_ages_until_the_next_beat() -> None:
    """An age counts from the loop's last turn; a loop that ended is not waited for."""
    clock = SetClock()
    beats = Heartbeats(clock)
    beats.beat("orders")
    beats.beat("users")
    clock.now += 5
    beats.beat("users")
    assert beats.ages_s() == {"orders": 5.0, "users": 0.0}
    beats.forget("orders")
    beats.forget("orders")
    assert beats.ages_s() == {"users": 0.0}
