"""The Redis sink where only a real server can answer: roles, rights, memory, failovers, races, large batches."""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hasync.clock import SystemClock
from hasync.errors import EndReason, Regressed, SinkRefused, SinkUnavailable, StateMissing, TermEnded
from hasync.model.command import command
from hasync.model.state import SinkState, state_key
from hasync.sinks.endpoint import RedisEndpoint
from hasync.sinks.exchange import Exchange
from hasync.sinks.redis import RedisSink, claim_key
from testbed import Proxy, Redis
from tests.integration.sinks.bench import STREAM, RedisBench, at, run

ADD = command("INCRBY", "counter", 1)
KEY = state_key(STREAM)


def lead(sink: RedisSink, epoch: int = 1, pos: int = 100) -> RedisSink:
    """Claim what is there and stand at ``pos``."""
    sink.claim(epoch, sink.peek())
    sink.apply((), at(pos))
    return sink


def position_of(bench: RedisBench) -> int:
    state = bench.state()
    assert state is not None
    assert state.position is not None
    return state.position.pos


@contextmanager
def setting(bench: RedisBench, name: str, value: str, back: str) -> Iterator[None]:
    bench.raw.config_set(name, value)
    try:
        yield
    finally:
        bench.raw.config_set(name, back)


@contextmanager
def user(bench: RedisBench, *rules: str) -> Iterator[dict[str, str]]:
    """Make the account ``app`` with all rights but what ``rules`` take."""
    bench.raw.execute_command("ACL", "SETUSER", "app", "reset", "on", ">sesame", "~*", "&*", "+@all", *rules)
    try:
        yield {"username": "app", "password": "sesame"}
    finally:
        bench.raw.execute_command("ACL", "DELUSER", "app")


# ------------------------------------------------------------------- who answers there


def test_replica_is_waited_for_until_it_is_promoted(bench: RedisBench, server: Redis, tmp_path: Path) -> None:
    """Nothing is written to a replica, and a promotion heals it by itself."""
    with Redis(tmp_path, name="replica", replica_of=server, options={"replica-read-only": "no"}) as replica:
        sink = bench.sink_at(replica.port)
        with pytest.raises(SinkUnavailable, match="is a replica"):
            sink.peek()
        replica.promote()
        lead(sink).apply([ADD], at(200))
        assert replica.command("GET", "counter") == b"1"


def test_demoted_primary_is_left_for_whoever_answers_next(bench: RedisBench, server: Redis) -> None:
    """READONLY drops the connection: on the old one the sink would stay glued to the replica."""
    sink = lead(bench.sink())
    accepted = bench.proxy.accepted
    bench.raw.execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        with pytest.raises(SinkUnavailable, match="READONLY"):
            sink.apply([ADD], at(200))
        with pytest.raises(SinkUnavailable, match="is a replica"):
            sink.apply([ADD], at(200))
        assert bench.proxy.accepted == accepted + 1
    finally:
        bench.raw.execute_command("REPLICAOF", "NO", "ONE")
    assert run(sink, ADD, position=at(200)).seq == 2
    assert bench.content() == {b"counter": b"1"}


def test_promoted_replica_that_lagged_behind_is_a_regress(tmp_path: Path) -> None:
    """150 batches acknowledged, 100 replicated: the stream is told 100, replays 50, and no count is lost or doubled."""
    with (
        Redis(tmp_path, name="one") as one,
        Proxy(one) as link,
        Redis(tmp_path, name="two", replica_of=link) as two,
        Proxy(one) as front,
    ):
        bench = RedisBench(one, front)
        sink = lead(bench.sink(), pos=0)
        for number in range(1, 101):
            sink.apply([ADD], at(number))
        two.wait_in_sync(one)
        link.cut()
        for number in range(101, 151):
            sink.apply([ADD], at(number))
        two.promote()
        front.retarget(two)
        with pytest.raises(Regressed) as regressed:
            run(sink, ADD, position=at(151))
        assert isinstance(regressed.value.state, SinkState)
        assert regressed.value.state.position == at(100)
        sink.claim(2, regressed.value.state)
        for number in range(101, 152):
            run(sink, ADD, position=at(number))
        assert two.command("GET", "counter") == b"151"
        bench.end()


def test_restart_without_persistence_is_a_missing_state(tmp_path: Path) -> None:
    """An empty Redis is not taken for a new stream."""
    with Redis(tmp_path) as server, Proxy(server) as proxy:
        bench = RedisBench(server, proxy)
        sink = lead(bench.sink())
        server.kill()
        with pytest.raises(SinkUnavailable):
            sink.apply([ADD], at(200))
        server.start()
        with pytest.raises(StateMissing):
            run(sink, ADD, position=at(200))
        bench.end()


def test_restart_with_persistence_goes_on(tmp_path: Path) -> None:
    """With every write on disk nothing was lost, and nothing is doubled."""
    with Redis(tmp_path, options={"appendonly": "yes", "appendfsync": "always"}) as server, Proxy(server) as proxy:
        bench = RedisBench(server, proxy)
        sink = lead(bench.sink())
        sink.apply([ADD], at(200))
        server.kill()
        server.start()
        assert run(sink, ADD, position=at(300)).seq == 3
        assert bench.content() == {b"counter": b"2"}
        bench.end()


def test_frozen_server_is_given_up_in_time_and_counts_once(bench: RedisBench, server: Redis) -> None:
    """The batch lies in the frozen server's socket; thawed, it goes in or not, but once."""
    endpoint = RedisEndpoint(url=f"redis://127.0.0.1:{server.port}", timeout_s=0.2, connect_timeout_s=0.2)
    sink = lead(RedisSink(stream=STREAM, endpoint=endpoint, clock=SystemClock()))
    server.process.freeze()
    try:
        for _ in range(2):
            with pytest.raises(SinkUnavailable, match=r"did not answer within 0\.2 s"):
                sink.apply([ADD], at(200))
    finally:
        server.process.thaw()
    assert run(sink, ADD, position=at(200)).seq == 2
    assert bench.content() == {b"counter": b"1"}
    sink.close()


# ------------------------------------------------------------------------ what it allows


def test_server_that_refuses_transactions_gets_no_batch(bench: RedisBench) -> None:
    """Where MULTI is refused a batch would run bare, outside the fence; so it is tried empty first."""
    with user(bench, "-multi") as account, pytest.raises(SinkRefused, match="NOPERM to MULTI"):
        bench.sink_at(bench.server.port, **account).peek()
    assert bench.content() == {}


def test_wrong_password_is_refused_without_being_told(bench: RedisBench) -> None:
    """Waiting does not help, and the secret is not in the error."""
    with pytest.raises(SinkRefused, match="WRONGPASS") as refused:
        bench.sink_at(bench.server.port, username="app", password="open-sesame").peek()
    assert "open-sesame" not in str(refused.value)
    assert "redis.password" in refused.value.hint


def test_missing_password_is_refused(tmp_path: Path) -> None:
    """A server that wants a password says so at the first command, not at the login."""
    with Redis(tmp_path, password="sesame") as server:
        endpoint = RedisEndpoint(url=f"redis://127.0.0.1:{server.port}")
        sink = RedisSink(stream=STREAM, endpoint=endpoint, clock=SystemClock())
        with pytest.raises(SinkRefused, match="NOAUTH"):
            sink.peek()
        sink.close()


def test_forbidden_key_is_refused_before_anything_is_applied(bench: RedisBench) -> None:
    """Redis rejects the whole transaction, and the error names the command and the key."""
    with user(bench, "resetkeys", "~hasync:*", "~good") as account:
        sink = lead(bench.sink_at(bench.server.port, **account))
        with pytest.raises(SinkRefused, match=r"SET 'bad' \(command 2 of 2\) with NOPERM") as refused:
            sink.apply([command("SET", "good", "1"), command("SET", "bad", "secret-value")], at(200))
        assert "secret-value" not in str(refused.value)
        assert bench.content() == {}
        assert sink.apply([command("SET", "good", "1")], at(200)).seq == 2


def test_state_refused_inside_the_transaction_is_told_loudly() -> None:
    """The batch ran, its state did not: that is not taken for a batch that never arrived."""
    greeting = b"+OK\r\n*1\r\n$6\r\nmaster\r\n+OK\r\n*0\r\n"
    nothing = b"$-1\r\n"
    claimed = b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:0\r\n+OK\r\n+OK\r\n%s" + nothing
    refused = b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n-NOPERM no\r\n+OK\r\n" + nothing + nothing
    with scripted(greeting, nothing, b"+OK\r\n+OK\r\n" + nothing + nothing, claimed, refused) as port:
        sink = RedisSink(stream=STREAM, endpoint=RedisEndpoint(url=f"redis://127.0.0.1:{port}"), clock=SystemClock())
        sink.claim(1, sink.peek())
        with pytest.raises(SinkRefused, match="the batch is applied, its position is not"):
            sink.apply([command("SET", "a", "1")], at(200))
        sink.close()


@contextmanager
def scripted(*replies: bytes) -> Iterator[int]:
    """Answer each request with the next reply; ``%s`` is the last state that was sent."""

    def serve(listener: socket.socket) -> None:
        peer, _ = listener.accept()
        with peer:
            for reply in replies:
                state = re.search(rb'\{"v".*\}', request := peer.recv(65536))
                found = b"$%d\r\n%s\r\n" % (len(state[0]), state[0]) if state else b""
                peer.sendall(reply.replace(b"%s", found) if request else b"")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener,))
        server.start()
        yield listener.getsockname()[1]
        server.join(10)


def _failure(action: Callable[[], object]) -> None:
    with pytest.raises((SinkRefused, SinkUnavailable)):
        action()


def test_full_memory_is_waited_for(bench: RedisBench) -> None:
    """Redis rejects the transaction as a whole; with room again the same batch goes in, once."""
    sink = lead(bench.sink())
    with setting(bench, "maxmemory", "1", "0"):
        for _ in range(2):
            with pytest.raises(SinkUnavailable, match="OOM") as full:
                sink.apply([command("SET", "a", "secret-value"), ADD], at(200))
            assert "secret-value" not in str(full.value)
    assert sink.apply([command("SET", "a", "1"), ADD], at(200)).seq == 2
    assert bench.content() == {b"a": b"1", b"counter": b"1"}


def test_too_few_replicas_are_waited_for(bench: RedisBench) -> None:
    """min-replicas-to-write stops an isolated primary; the stream waits."""
    sink = lead(bench.sink())
    with setting(bench, "min-replicas-to-write", "1", "0"), pytest.raises(SinkUnavailable, match="NOREPLICAS"):
        sink.apply([ADD], at(200))
    assert sink.apply([ADD], at(200)).seq == 2


@pytest.mark.parametrize("junk", [b"junk", b"[1]", b'{"v": 2, "epoch": 1}', b'{"v": 1}'])
def test_unreadable_state_is_not_written_over(bench: RedisBench, junk: bytes) -> None:
    """A newer release's state, or something else under that name, stops the stream."""
    bench.raw.set(KEY, junk)
    sink = bench.sink()
    for action in (sink.peek, lambda: sink.claim(9, None)):
        with pytest.raises(SinkRefused, match="no state that this release reads"):
            action()
    assert bench.raw.get(KEY) == junk


def test_state_key_of_another_type_is_refused(bench: RedisBench) -> None:
    """Somebody's hash under the state's name is not replaced."""
    bench.raw.hset(KEY, "f", "1")
    with pytest.raises(SinkRefused, match="WRONGTYPE"):
        bench.sink().peek()


# ------------------------------------------------------------------------------ races


def test_type_that_changes_after_the_check_stops_the_batch(bench: RedisBench) -> None:
    """The keys are watched from the check on, so a counting batch never runs into another type."""
    sink = lead(bench.sink())
    with bench.held(), pytest.raises(SinkUnavailable):
        sink.apply([ADD], at(200))
    bench.put(b"counter", {b"f": b"1"})
    bench.release()
    assert position_of(bench) == 100
    with pytest.raises(SinkRefused, match="nothing of the batch was applied"):
        run(sink, ADD, position=at(200))


def test_counter_that_others_count_too_does_not_starve_the_stream(bench: RedisBench) -> None:
    """Another client's INCR between check and batch is tried again, then done without the watch."""
    sink = lead(bench.sink())
    over = threading.Event()

    def count() -> None:
        while not over.is_set():
            bench.raw.incrby("counter", 1000)

    other = threading.Thread(target=count)
    other.start()
    try:
        for number in range(1, 201):
            run(sink, ADD, position=at(100 + number))
    finally:
        over.set()
        other.join()
    assert int(bench.content()[b"counter"]) % 1000 == 200
    assert position_of(bench) == 300


class MeddlingClock(SystemClock):
    """Runs ``meddle`` whenever the wall clock is read: between what a claim reads and what it writes."""

    def __init__(self) -> None:
        self.meddle: Callable[[], object] = lambda: None

    def wall(self) -> float:
        self.meddle()
        return super().wall()


def test_busy_zombie_cannot_keep_its_successor_from_the_claim(bench: RedisBench) -> None:
    """The old leader gets a batch in whenever the claim has read the state; the announcement stops it."""
    clock, zombie, numbers, ends = MeddlingClock(), lead(bench.sink()), iter(range(200, 10_000)), []
    endpoint = RedisEndpoint(url=f"redis://127.0.0.1:{bench.server.port}")
    successor = RedisSink(stream=STREAM, endpoint=endpoint, clock=clock)

    def write_on() -> None:
        try:
            zombie.apply([ADD], at(next(numbers)))
        except TermEnded as ended:
            ends.append(ended.reason)

    seen = successor.peek()
    clock.meddle = write_on
    claimed = successor.claim(2, seen)
    assert (claimed.epoch, claimed.position) == (2, at(200))
    assert set(ends) == {EndReason.FENCED}
    assert bench.fenced(zombie) == len(ends)
    clock.meddle = lambda: None
    assert run(successor, ADD, position=at(300)).seq == 3
    assert bench.content() == {b"counter": b"2"}
    successor.close()


def test_announcement_of_a_claim_that_came_too_late_does_not_stop_the_leader(bench: RedisBench) -> None:
    """Only a higher epoch's announcement ends a term; the state alone decides who leads."""
    sink = lead(bench.sink(), epoch=5)
    bench.raw.set(claim_key(STREAM), "4")
    assert sink.apply([ADD], at(200)).seq == 2
    bench.raw.set(claim_key(STREAM), "junk")
    assert sink.apply([ADD], at(300)).seq == 3
    bench.raw.set(claim_key(STREAM), "6")
    with pytest.raises(TermEnded):
        sink.apply([ADD], at(400))
    assert position_of(bench) == 300


def test_announcement_between_a_lost_reply_and_its_retry_ends_the_term(bench: RedisBench) -> None:
    """The batch is in and stays in; the leader that wrote it writes no more."""
    sink = lead(bench.sink(), epoch=5)
    with bench.replies_lost(), pytest.raises(SinkUnavailable):
        sink.apply([ADD], at(200))
    bench.raw.set(claim_key(STREAM), "6")
    for _ in range(2):
        with pytest.raises(TermEnded):
            run(sink, ADD, position=at(200))
    assert bench.content() == {b"counter": b"1"}


def test_claim_clears_a_stale_announcement(bench: RedisBench) -> None:
    """An announcement whose candidate died, even of an epoch that ZooKeeper forgot, stops nobody later."""
    bench.raw.set(claim_key(STREAM), "99")
    sink = lead(bench.sink(), epoch=5)
    assert sink.apply([ADD], at(200)).seq == 2
    assert bench.raw.get(claim_key(STREAM)) is None


def test_leaders_that_fight_over_one_state_never_count_twice(bench: RedisBench) -> None:
    """Eight terms cut each other off while they apply; each position is counted exactly once (I3, I4, I8)."""
    epochs = iter(range(1, 10_000))
    lock = threading.Lock()

    def rule() -> None:
        for _ in range(8):
            with lock:
                epoch = next(epochs)
            _rule_until_fenced(bench.sink(), epoch)

    leaders = [threading.Thread(target=rule) for _ in range(4)]
    for leader in leaders:
        leader.start()
    for leader in leaders:
        leader.join()
    state = bench.state()
    assert state is not None
    assert state.position is not None
    assert int(bench.content()[b"counter"]) == state.position.pos == state.seq


def _rule_until_fenced(sink: RedisSink, epoch: int) -> None:
    """Count from wherever the state is, 200 at most, until another term begins."""
    try:
        state = sink.claim(epoch, sink.peek())
        begin = state.position.pos if state.position else 0
        for number in range(begin + 1, begin + 201):
            sink.apply([ADD], at(number))
    except TermEnded:
        pass
    finally:
        sink.close()


# ---------------------------------------------------------------------------- the wire


def test_large_batch_does_not_deadlock(bench: RedisBench) -> None:
    """8000 commands of 2 KiB are sent before the first of their replies is read."""
    sink = lead(bench.sink())
    commands = [command("SET", f"k{number}", b"x" * 2048) for number in range(8000)]
    assert sink.apply(commands, at(200)).seq == 2
    assert bench.raw.dbsize() == 8001


def test_connection_lost_in_the_middle_of_a_batch_applies_none_of_it(bench: RedisBench) -> None:
    """A transaction of which Redis saw no end is dropped with its connection (I6)."""
    sink = lead(bench.sink())
    commands = [ADD, *(command("SET", f"k{number}", b"x" * 2048) for number in range(200))]
    bench.proxy.hold(b"k150")
    worker = threading.Thread(target=lambda: _failure(lambda: sink.apply(commands, at(200))))
    worker.start()
    bench.proxy.wait_held()
    bench.raw.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    worker.join(10)
    bench.release()
    assert bench.content() == {}
    assert run(sink, *commands, position=at(200)).seq == 2
    assert bench.content()[b"counter"] == b"1"


def test_exchange_never_connects_by_itself(bench: RedisBench) -> None:
    """redis-py would: then a batch could go out on a connection that watches nothing."""
    exchange = Exchange(RedisEndpoint(url=f"redis://127.0.0.1:{bench.server.port}"), SystemClock(), client_name="test")
    with pytest.raises(SinkUnavailable, match="not connected"):
        exchange.ask([ADD])
    assert bench.content() == {}


def test_server_that_speaks_something_else_is_unavailable(bench: RedisBench) -> None:
    """Another service on Redis' port is an error of the connection, not a crash."""
    with scripted(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port, pytest.raises(SinkUnavailable):
        bench.sink_at(port).peek()


def test_socket_file_is_an_endpoint(tmp_path: Path) -> None:
    """Redis on the same machine needs no TCP; the database is the URL's."""
    path = tmp_path / "s"
    with Redis(tmp_path, options={"unixsocket": str(path)}) as server:
        sink = RedisSink(stream=STREAM, endpoint=RedisEndpoint(url=f"unix://{path}?db=3"), clock=SystemClock())
        lead(sink)
        sink.close()
        with server.client(db=3) as client:
            assert client.exists(KEY)
