"""What the model found, on the real sink: what comes between two of its commands is seen for what it is."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import orjson
import pytest
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from hasync.clock import SystemClock
from hasync.errors import EndReason, HasyncError, SinkUnavailable, TermEnded
from hasync.model.state import SinkState, state_key
from hasync.sinks.redis import RedisSink
from tests.model.lent import position

STATE = state_key("x").encode()


class Server:
    """As much of Redis as the state key needs; ``behind_exec`` comes between an HSET's EXEC and the next command.

    ``holds_next``: the next transaction's reply does not come, and it arrives just in front of the one after it.
    """

    timeout_s, name = 1.0, "one key's Redis"
    sentinels, password = (), ""

    def __init__(self) -> None:
        self.keys: dict[bytes, bytes] = {}
        self.watched: dict[bytes, bytes] | None = None
        self.behind_exec: Callable[[], None] = lambda: None
        self.holds_next = False
        self._held: list[list[bytes]] = []
        self._queue: list[list[bytes]] | None = None
        self._replies: list[Any] = []

    def connection(self, found: object = None) -> "Server":
        return self

    def connect(self) -> None:
        self._queue = self.watched = None

    def disconnect(self) -> None:
        self._replies.clear()

    def send_packed_command(self, command: Sequence[bytes], check_health: bool = True) -> None:
        parts, at = b"".join(command).split(b"\r\n"), 0
        while at < len(parts) - 1:
            count = int(parts[at][1:])
            self._replies.append(self._run(parts[at + 2 : at + 2 * count + 2 : 2]))
            at += 2 * count + 1

    def read_response(self, disable_decoding: bool = False, *, timeout: float) -> Any:
        reply = self._replies.pop(0)
        if isinstance(reply, RedisError):
            raise reply
        return reply

    def _run(self, command: list[bytes]) -> Any:
        if command[0] == b"MULTI":
            self._queue = []
        elif command[0] == b"EXEC":
            return self._exec()
        elif self._queue is not None:
            self._queue.append(command)
        else:
            return self._do(command)
        return b"OK"

    def _exec(self) -> Any:
        queue, watched = self._queue or [], self.watched
        self._queue = self.watched = None
        if self.holds_next:
            self.holds_next, self._held = False, queue
            return RedisTimeoutError("no reply")
        for command in self._held if queue else ():
            self._do(command)
        self._held = [] if queue else self._held
        if watched is not None and watched != self.keys:
            return None
        replies = [self._do(command) for command in queue]
        if any(command[0] == b"HSET" for command in queue):
            self.behind_exec()
        return replies

    def _do(self, command: list[bytes]) -> Any:
        verb, *arguments = command
        if verb == b"GET":
            return self.keys.get(arguments[0])
        if verb == b"SET":
            self.keys[arguments[0]] = arguments[1]
        elif verb in {b"WATCH", b"UNWATCH"}:
            self.watched = dict(self.keys) if verb == b"WATCH" else None
        elif verb == b"ROLE":
            return [b"master"]
        return ResponseError("WRONGTYPE the key holds another kind") if verb == b"HSET" else b"OK"

    def state(self) -> SinkState:
        return SinkState.from_json(orjson.loads(self.keys[STATE]))

    def claim(self, epoch: int) -> None:
        self.keys[STATE] = orjson.dumps(replace(self.state(), epoch=epoch).to_json())


def test_restore_after_a_refusal_does_not_overwrite_a_claim() -> None:
    """The state read behind EXEC shows a newer epoch: the old leader writes nothing any more (I3)."""
    server = Server()
    sink = RedisSink(stream="x", endpoint=cast("Any", server), clock=SystemClock())
    sink.peek()
    sink.claim(1, None)
    sink.apply([(b"SET", b"key", b"1")], position(1))
    server.behind_exec = lambda: server.claim(2)
    with pytest.raises(HasyncError):
        sink.apply([(b"HSET", b"hash", b"field", b"value")], position(2))
    assert (server.state().epoch, server.state().seq) == (2, 2)


def late(server: Server) -> RedisSink:
    """Return a leader whose last batch is late: its reply did not come, and it arrives in front of its own retry."""
    sink = RedisSink(stream="x", endpoint=cast("Any", server), clock=SystemClock())
    sink.peek()
    sink.claim(1, None)
    server.holds_next = True
    with pytest.raises(SinkUnavailable):
        sink.apply([(b"SET", b"key", b"1")], position(1))
    return sink


def test_batch_that_arrives_between_its_retry_s_get_and_exec_is_in() -> None:
    """EXEC says nil since the state changed; it was changed by the very batch, so the term goes on."""
    server = Server()
    sink = late(server)
    assert sink.apply([(b"SET", b"key", b"1")], position(1)).seq == 1
    assert sink.apply([(b"SET", b"key", b"2")], position(2)).seq == 2
    assert (server.state().seq, server.keys[b"key"]) == (2, b"2")


def test_another_batch_is_not_taken_for_the_late_one() -> None:
    """Only what was sent under this number counts as in."""
    server = Server()
    sink = late(server)
    with pytest.raises(TermEnded) as ended:
        sink.apply([(b"SET", b"other", b"1")], position(2))
    assert ended.value.reason is EndReason.FENCED
