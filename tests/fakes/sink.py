"""A sink in memory: the same promises as :class:`hasync.sinks.redis.RedisSink`, and faults on demand.

Several sinks share a :class:`FakeStore`, as several leaders share a Redis::

    store = FakeStore()
    old, new = FakeSink(store), FakeSink(store)
    store.lose_reply()          # the next write goes in, its reply does not come back
    store.fail()                # the next call does not get through
    store.hold()                # the next write is on the wire; store.release() delivers it
    store.lose_last(2)          # a failover loses the last two writes
    store.delete_state()        # somebody flushed
    store.refuse(b"key")        # commands on this key are refused (WRONGTYPE)
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, replace

from hasync.errors import EndReason, Regressed, SinkRefused, SinkUnavailable, StateMissing, TermEnded
from hasync.model.command import ALLOWED, Command, Packed, Repeat
from hasync.model.position import Position
from hasync.model.state import SinkState

Value = bytes | dict[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Applied:
    """One write that the store took: whose it was and what it held."""

    epoch: int
    seq: int
    commands: tuple[Command, ...]


@dataclass(slots=True)
class _Image:
    content: dict[bytes, Value] = field(default_factory=dict)
    state: SinkState | None = None
    applied: list[Applied] = field(default_factory=list)


class FakeStore:
    """What the sinks of one stream write to. Safe from any thread."""

    def __init__(self) -> None:
        """Begin empty."""
        self._lock = threading.RLock()
        self._image = _Image()
        self._images: list[_Image] = []  # before each write, oldest first
        self._version = 0  # of the state key: what WATCH looks at
        self._failures = 0
        self._lost_replies = 0
        self._away = False
        self._deaf = 0  # 1: a reply to a write will be lost; 2: it was, and so is everything after it
        self._holding = False
        self._held: list[Callable[[], object]] = []
        self._refused: set[bytes] = set()

    @property
    def content(self) -> dict[bytes, Value]:
        """All keys but the state: bytes, or a hash as a dict."""
        with self._lock:
            return deepcopy(self._image.content)

    @property
    def state(self) -> SinkState | None:
        """The state as stored."""
        with self._lock:
            return self._image.state

    @property
    def applied(self) -> list[Applied]:
        """All writes that were applied and not lost since, claims too, oldest first."""
        with self._lock:
            return list(self._image.applied)

    # ------------------------------------------------------------------- faults

    def fail(self, times: int = 1) -> None:
        """Let the next calls fail before they reach the store."""
        with self._lock:
            self._failures += times

    def lose_reply(self, times: int = 1) -> None:
        """Let the next writes go in, and their replies be lost."""
        with self._lock:
            self._lost_replies += times

    @contextmanager
    def away(self) -> Iterator[None]:
        """Let every call fail for a while before it reaches the store."""
        self._away = True
        yield
        self._away = False

    @contextmanager
    def replies_lost(self) -> Iterator[None]:
        """Lose the reply to the next write and to everything after it, for a while."""
        self._deaf = 1
        yield
        self._deaf = 0

    def hold(self) -> None:
        """Keep the next write on the wire; the writer sees a timeout."""
        with self._lock:
            self._holding = True

    def release(self) -> int:
        """Deliver what is held; return how many writes were applied."""
        with self._lock:
            held, self._held = self._held, []
            self._holding = False
            return sum(deliver() is not None for deliver in held)

    def lose_last(self, writes: int) -> None:
        """Take back the last writes, as a failover to a lagging replica does."""
        with self._lock:
            if writes:
                self._image = self._images[-writes]
                del self._images[-writes:]
            self._version += 1

    def delete_state(self) -> None:
        """Delete the state key."""
        self.set_state(None)

    def set_state(self, state: SinkState | None) -> None:
        """Write the state key past any sink."""
        with self._lock:
            self._image.state = state
            self._version += 1

    def flush(self) -> None:
        """Delete everything."""
        with self._lock:
            self._image = _Image(applied=self._image.applied)
            self._version += 1

    def refuse(self, key: bytes) -> None:
        """Refuse typed commands (HSET, INCRBY, ...) on ``key`` as Redis does for another type."""
        with self._lock:
            self._refused.add(key)

    def accept(self, key: bytes) -> None:
        """Take back :meth:`refuse`."""
        with self._lock:
            self._refused.discard(key)

    def put(self, key: bytes, value: Value) -> None:
        """Write a key past any sink."""
        with self._lock:
            self._image.content[key] = value

    def remove(self, key: bytes) -> None:
        """Delete a key past any sink."""
        with self._lock:
            self._image.content.pop(key, None)

    # ----------------------------------------------------------------- the wire

    def read(self) -> tuple[int, SinkState | None]:
        """Return the state and its version, what WATCH and GET tell."""
        with self._lock:
            self._reach()
            if self._deaf > 1:
                raise SinkUnavailable("fake: reply lost")
            return self._version, self._image.state

    def write(self, watched: int, commands: Sequence[Command], state: SinkState) -> list[str] | None:
        """Run a transaction: an error or "" for each command; None when the state changed since ``watched``."""
        with self._lock:
            self._reach()
            if self._holding:
                self._holding = False
                self._held.append(lambda: self._execute(watched, commands, state))
                raise SinkUnavailable("fake: no reply in time (held)")
            replies = self._execute(watched, commands, state)
            if self._lost_replies or self._deaf:
                self._lost_replies = max(0, self._lost_replies - 1)
                self._deaf *= 2
                raise SinkUnavailable("fake: reply lost")
            return replies

    def error(self, command: Command) -> str:
        """Return why ``command`` would be refused for its key's type, "" when it would not."""
        with self._lock:
            wanted = ALLOWED[command[0]].type
            held = self._image.content.get(command[1])
            wrong = held is not None and isinstance(held, dict) != (wanted == "hash")
            return "WRONGTYPE" if wanted and (wrong or command[1] in self._refused) else ""

    def _reach(self) -> None:
        if self._failures or self._away:
            self._failures = max(0, self._failures - 1)
            raise SinkUnavailable("fake: connection refused")

    def _execute(self, watched: int, commands: Sequence[Command], state: SinkState) -> list[str] | None:
        if watched != self._version:
            return None
        self._images.append(deepcopy(self._image))
        replies = [self._run(command) for command in commands]
        self._image.state = state
        self._image.applied.append(Applied(state.epoch, state.seq, tuple(commands)))
        self._version += 1
        return replies

    def _run(self, command: Command) -> str:
        if error := self.error(command):
            return error
        verb, key, *arguments = command
        content = self._image.content
        if verb in {b"DEL", b"UNLINK"}:
            for name in (key, *arguments):
                content.pop(name, None)
        elif verb == b"SET":
            content[key] = arguments[0]
        elif verb in {b"HSET", b"HDEL"}:
            self._hash(verb, key, arguments)
        elif verb == b"INCRBY":
            return self._add(key, arguments[0])
        elif verb not in {b"PEXPIRE", b"EXPIRE", b"PERSIST"}:
            raise NotImplementedError(f"the fake does not know {verb.decode()}")
        return ""

    def _hash(self, verb: bytes, key: bytes, arguments: Sequence[bytes]) -> None:
        table = self._image.content.setdefault(key, {})
        assert isinstance(table, dict)
        if verb == b"HSET":
            table.update(zip(arguments[::2], arguments[1::2], strict=True))
        else:
            for name in arguments:
                table.pop(name, None)
        if not table:
            del self._image.content[key]

    def _add(self, key: bytes, amount: bytes) -> str:
        held = self._image.content.get(key, b"0")
        assert isinstance(held, bytes)
        try:
            self._image.content[key] = b"%d" % (int(held) + int(amount))
        except ValueError:
            return "ERR value is not an integer or out of range"
        return ""


class FakeSink:
    """:class:`hasync.ports.Sink` on a :class:`FakeStore`. ``fenced`` counts writes stopped by another writer."""

    def __init__(self, store: FakeStore | None = None) -> None:
        """Write to ``store``, a new one when None."""
        self.store = store or FakeStore()
        self.fenced = 0
        self.closed = False
        self._seen: SinkState | None = None
        self._has_seen = False
        self._written: SinkState | None = None
        self._begin: Position | None = None
        self._claimed: SinkState | None = None
        self._attempt: tuple[SinkState, tuple[Command, ...] | None] | None = None
        self._watched: int | None = None  # None: the state has to be read before anything is written

    def peek(self) -> SinkState | None:
        """See the port."""
        _, self._seen = self.store.read()
        self._has_seen = True
        return self._seen

    def claim(self, epoch: int, adopt: SinkState | None) -> SinkState:
        """See the port, and RedisSink.claim for a state that moved on since the peek."""
        while True:
            version, stored = self.store.read()
            if stored is not None and stored == self._claimed and stored.epoch == epoch:
                return self._begin_term(stored)
            if stored is not None and stored.epoch >= epoch:
                raise TermEnded(EndReason.FENCED, "fake: claimed by another epoch")
            adopted = self._adopted(adopt, stored) or SinkState(epoch=epoch, seq=0, position=None)
            self._claimed = claim = replace(adopted, epoch=epoch)
            if self.store.write(version, (), claim) is not None:
                return self._begin_term(claim)

    def apply(self, commands: Sequence[Command | Packed], position: Position) -> SinkState:
        """See the port, and RedisSink.apply for what a refusal leaves behind."""
        if self._written is None:
            raise TermEnded(EndReason.LOCAL_FAULT, "fake: never claimed")
        singles = [single for command in commands for single in _singles(command)]
        repeats = {ALLOWED[command[0]].repeat for command in singles}
        if self._watched is None and self._settled(tuple(singles), position, repeats):
            return self._written
        if Repeat.ONCE in repeats:
            self._check_types(singles)
        redo = Repeat.REPEATABLE in repeats and Repeat.ONCE not in repeats
        attempt = self._next(position, self._begin if redo else None)
        errors = self._send(attempt, tuple(singles))
        for index, error in enumerate(errors):
            if error:
                self._refuse(singles[index], error, position, redo=redo)
        self._begin = position
        return attempt

    def close(self) -> None:
        """See the port."""
        self._watched = None
        self.closed = True

    def _adopted(self, adopt: SinkState | None, stored: SinkState | None) -> SinkState | None:
        seen = self._seen if self._has_seen else adopt
        if _same(stored, seen):
            return adopt
        moved_on = stored is not None and (seen is None or (stored.seq >= seen.seq and stored.epoch >= seen.epoch))
        if moved_on and _same(adopt, seen):
            return stored
        raise TermEnded(EndReason.FENCED, "fake: the state changed since it was read")

    def _begin_term(self, claim: SinkState) -> SinkState:
        self._written, self._attempt = claim, None
        self._begin = claim.redo_from or claim.position
        version, stored = self.store.read()
        self._judge(stored, version)
        return claim

    def _next(self, position: Position | None, redo_from: Position | None) -> SinkState:
        assert self._written is not None
        source = position.server_uuid if position else ""
        return SinkState(
            epoch=self._written.epoch,
            seq=self._written.seq + 1,
            position=position,
            source=source,
            redo_from=redo_from,
        )

    def _settled(self, commands: tuple[Command, ...], position: Position, repeats: set[Repeat]) -> bool:
        version, stored = self.store.read()
        if self._attempt is None or not _same(stored, self._attempt[0]):
            self._judge(stored, version)
            return False
        sent, pending = self._attempt
        if pending is not None and (pending != commands or not _same_place(sent.position, position)):
            raise TermEnded(EndReason.LOCAL_FAULT, "fake: another batch was offered")
        self._written, self._attempt, self._watched = sent, None, version
        if pending is None or (Repeat.REPEATABLE in repeats and Repeat.ONCE not in repeats):
            return False
        self._begin = position
        return True

    def _send(self, attempt: SinkState, commands: tuple[Command, ...]) -> list[str]:
        assert self._watched is not None
        watched, self._watched = self._watched, None
        self._attempt = (attempt, commands)
        errors = self.store.write(watched, commands, attempt)
        self._attempt = None
        if errors is not None:
            self._written = attempt
        version, stored = self.store.read()
        self._judge(stored, version)
        return self._send(attempt, commands) if errors is None else errors

    def _refuse(self, command: Command, error: str, position: Position, *, redo: bool) -> None:
        message = f"fake: {command[0].decode()} {command[1]!r} refused with {error}"
        if redo and self._begin is not None:
            restored = self._next(self._begin, None)
            assert self._watched is not None
            assert self.store.write(self._watched, (), restored) is not None
            self._written, self._watched = restored, None
            raise SinkRefused(message, hint="the batch is repeated")
        self._begin = position
        raise SinkRefused(message, hint="that command had no effect")

    def _check_types(self, commands: Sequence[Command]) -> None:
        for command in commands:
            if error := self.store.error(command):
                raise SinkRefused(f"fake: {command[0].decode()} {command[1]!r} would be refused with {error}")

    def _judge(self, stored: SinkState | None, version: int) -> None:
        written = self._written
        assert written is not None
        self._seen, self._has_seen = stored, True
        if stored is None:
            raise StateMissing("fake: the state is gone")
        if stored.same_write(written):
            self._attempt, self._watched = None, version
            return
        if stored.epoch < written.epoch or (stored.epoch == written.epoch and stored.seq < written.seq):
            raise Regressed("fake: acknowledged writes are lost", state=stored)
        self.fenced += 1
        raise TermEnded(EndReason.FENCED, "fake: another writer has the state")


def _same(one: SinkState | None, other: SinkState | None) -> bool:
    return one.same_write(other) if one is not None and other is not None else one is other


def _same_place(one: Position | None, other: Position) -> bool:
    return one is not None and one.same_place(other)


def _singles(command: Command | Packed) -> Iterator[Command]:
    """Give packed commands one by one, and MSET as the SETs that it stands for."""
    for one in command.unpacked() if isinstance(command, Packed) else (command,):
        if one[0] == b"MSET":
            yield from ((b"SET", key, value) for key, value in zip(one[1::2], one[2::2], strict=True))
        else:
            yield one
