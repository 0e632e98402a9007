"""What a sink is tried on: a store, ways to break it, and a look at what it holds.

:class:`RedisBench` is a real Redis behind a proxy, :class:`FakeBench` the store in
memory; the contract tests run on both.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

import orjson
import redis

from hasync.clock import SystemClock
from hasync.errors import SinkUnavailable
from hasync.model.command import Command
from hasync.model.position import Flavor, Position
from hasync.model.state import SinkState, state_key
from hasync.ports import Sink
from hasync.sinks.endpoint import RedisEndpoint
from hasync.sinks.redis import RedisSink
from testbed import Proxy, Redis, wait_until
from tests.fakes.sink import FakeSink, FakeStore, Value

STREAM = "bench"
TIMEOUT_S = 10.0


def at(pos: int, *, rows_done: int = 0) -> Position:
    """Return a place in the only binlog file of these tests."""
    return Position(flavor=Flavor.MYSQL, server_uuid="u1", file="binlog.000001", pos=pos, rows_done=rows_done)


class ImpatientClock(SystemClock):
    """The machine's clock, which passes every deadline as soon as ``hopeless`` answers yes."""

    def __init__(self) -> None:
        """Run as the machine's."""
        self.hopeless: Callable[[], bool] = lambda: False
        self._ahead_s = 0.0

    def monotonic(self) -> float:
        """See the port."""
        if self.hopeless():
            self._ahead_s += 2 * TIMEOUT_S
        return super().monotonic() + self._ahead_s


class Bench(Protocol):
    """A store that sinks share, and the hand of fate."""

    def sink(self, *, bypass: bool = False) -> Sink:
        """Return a new sink; ``bypass`` takes it past what :meth:`hold` and :meth:`replies_lost` do."""

    def fenced(self, sink: Sink) -> int:
        """How many writes of ``sink`` were stopped by another writer, as it counted."""

    @contextmanager
    def replies_lost(self) -> Iterator[None]:
        """Everything gets through to the store, nothing comes back."""

    @contextmanager
    def away(self) -> Iterator[None]:
        """Nothing gets through."""

    @contextmanager
    def held(self) -> Iterator[None]:
        """A transaction sent meanwhile stays on its way until :meth:`release`; its sender's patience ends at once."""

    def release(self) -> None:
        """Deliver what was kept, and wait until the store has dealt with it."""

    def mark(self) -> None:
        """Let a replica fall behind from here on."""

    def fail_over(self) -> None:
        """Promote that replica: all writes since :meth:`mark` are lost."""

    def flush(self) -> None:
        """Delete everything."""

    def state(self) -> SinkState | None:
        """Return the stored state."""

    def set_state(self, state: SinkState | None) -> None:
        """Write the state past any sink."""

    def content(self) -> dict[bytes, Value]:
        """Return all keys but the state."""

    def put(self, key: bytes, value: Value) -> None:
        """Write a key past any sink."""

    def remove(self, key: bytes) -> None:
        """Delete a key past any sink."""


class FakeBench:
    """The store in memory."""

    def __init__(self) -> None:
        """Begin empty."""
        self._store = FakeStore()
        self._marked = 0

    def sink(self, *, bypass: bool = False) -> FakeSink:
        """See Bench; only one write at a time is held, so there is nothing to bypass."""
        return FakeSink(self._store)

    def fenced(self, sink: Sink) -> int:
        """See Bench."""
        assert isinstance(sink, FakeSink)
        return sink.fenced

    @contextmanager
    def replies_lost(self) -> Iterator[None]:
        """See Bench."""
        with self._store.replies_lost():
            yield

    @contextmanager
    def away(self) -> Iterator[None]:
        """See Bench."""
        with self._store.away():
            yield

    @contextmanager
    def held(self) -> Iterator[None]:
        """See Bench."""
        self._store.hold()
        yield

    def release(self) -> None:
        """See Bench."""
        self._store.release()

    def mark(self) -> None:
        """See Bench."""
        self._marked = len(self._store.applied)

    def fail_over(self) -> None:
        """See Bench."""
        self._store.lose_last(len(self._store.applied) - self._marked)

    def flush(self) -> None:
        """See Bench."""
        self._store.flush()

    def state(self) -> SinkState | None:
        """See Bench."""
        return self._store.state

    def set_state(self, state: SinkState | None) -> None:
        """See Bench."""
        self._store.set_state(state)

    def content(self) -> dict[bytes, Value]:
        """See Bench."""
        return self._store.content

    def put(self, key: bytes, value: Value) -> None:
        """See Bench."""
        self._store.put(key, value)

    def remove(self, key: bytes) -> None:
        """See Bench."""
        self._store.remove(key)


class RedisBench:
    """A real Redis behind a proxy; emptied at the start."""

    def __init__(self, server: Redis, proxy: Proxy) -> None:
        """Use a running server and a running proxy in front of it."""
        self.server = server
        self.proxy = proxy
        self.raw = redis.Redis(host="127.0.0.1", port=server.port, socket_timeout=5)
        self.raw.flushall()
        self._key = state_key(STREAM)
        self._image: dict[bytes, bytes] = {}
        self._fenced: dict[int, list[SinkState]] = {}
        self._sinks: list[RedisSink] = []
        self._clock = ImpatientClock()

    def sink(self, *, bypass: bool = False) -> RedisSink:
        """See Bench."""
        return self.sink_at(self.server.port if bypass else self.proxy.port)

    def sink_at(self, port: int, **settings: str) -> RedisSink:
        """Return a sink on a server of one's own choice."""
        fenced: list[SinkState] = []
        endpoint = RedisEndpoint(url=f"redis://127.0.0.1:{port}/0", timeout_s=TIMEOUT_S, **settings)  # type: ignore[arg-type]
        sink = RedisSink(stream=STREAM, endpoint=endpoint, clock=self._clock, on_fenced=fenced.append)
        self._fenced[id(sink)] = fenced
        self._sinks.append(sink)
        return sink

    def fenced(self, sink: Sink) -> int:
        """See Bench."""
        return len(self._fenced[id(sink)])

    def end(self) -> None:
        """Close all that was opened here."""
        for sink in self._sinks:
            sink.close()
        self.raw.close()

    @contextmanager
    def replies_lost(self) -> Iterator[None]:
        """See Bench; a greeting ends with EXEC as a batch does."""
        self.proxy.drop_replies(b"EXEC")
        yield
        self.proxy.restore()

    @contextmanager
    def away(self) -> Iterator[None]:
        """See Bench."""
        self.proxy.cut()
        yield
        self.proxy.restore()

    @contextmanager
    def held(self) -> Iterator[None]:
        """See Bench."""
        self.proxy.hold(b'"epoch"')  # every transaction writes a state
        self._clock.hopeless = self._is_held
        yield
        self._clock.hopeless = lambda: False
        self.proxy.wait_held()

    def _is_held(self) -> bool:
        """Whether a transaction is in the proxy's hands, or gets there in a moment."""
        with suppress(TimeoutError):
            self.proxy.wait_held(timeout_s=0.02)
        return self.proxy.held_bytes > 0

    def release(self) -> None:
        """See Bench; the senders are gone, so their connections end when the server has dealt with all."""
        self.proxy.release()
        wait_until("what was held is delivered", lambda: self.proxy.connections == 0)

    def state(self) -> SinkState | None:
        """See Bench."""
        raw = self.raw.get(self._key)
        return SinkState.from_json(orjson.loads(raw)) if isinstance(raw, bytes) else None

    def set_state(self, state: SinkState | None) -> None:
        """See Bench."""
        if state is None:
            self.raw.delete(self._key)
        else:
            self.raw.set(self._key, orjson.dumps(state.to_json()))

    def content(self) -> dict[bytes, Value]:
        """See Bench."""
        keys = [key for key in self.raw.keys() if not key.startswith(b"hasync:")]  # noqa: SIM118 - Redis' KEYS
        return {key: self.raw.hgetall(key) if self.raw.type(key) == b"hash" else self.raw.get(key) for key in keys}

    def put(self, key: bytes, value: Value) -> None:
        """See Bench."""
        self.remove(key)
        if isinstance(value, dict):
            self.raw.hset(key, mapping=value)
        else:
            self.raw.set(key, value)

    def remove(self, key: bytes) -> None:
        """See Bench."""
        self.raw.delete(key)

    def flush(self) -> None:
        """See Bench."""
        self.raw.flushall()

    def mark(self) -> None:
        """See Bench; the replica is an image of all keys (a real promotion is in the failover tests)."""
        self._image = {key: self.raw.dump(key) for key in self.raw.keys()}  # noqa: SIM118 - Redis' KEYS

    def fail_over(self) -> None:
        """See Bench."""
        self.proxy.cut()
        self.proxy.restore()
        self.raw.flushall()
        for key, value in self._image.items():
            self.raw.restore(key, 0, value)


def run(sink: Sink, *commands: Command, position: Position) -> SinkState:
    """Apply with a retry owner's persistence, as the stream does."""
    for _ in range(30):
        try:
            return sink.apply(commands, position)
        except SinkUnavailable:
            continue
    raise AssertionError("the sink never came back")
