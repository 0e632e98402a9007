"""What a batch writes to Redis, key by key, with everything that a later write undoes left out.

The order of the commands on one key is kept. Between different keys it is free, since a
batch is applied in one atomic step; so deletes of many keys become one UNLINK. The
last SET or delete of a key replaces all that came before it. Commands whose repetition
counts (INCRBY, XADD, ...) are neither merged nor moved past another on their key.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain

from hasync.model.change import Value
from hasync.model.command import Command

UNLINK_KEYS = 500
"""Keys per UNLINK: large enough to be cheap, small enough for any proxy's argument limit."""

_LIFETIMES = (b"EXPIRE", b"PEXPIRE", b"PERSIST")


class _Fields:
    """Pending changes of one hash: field → value, None where it is removed; HSET runs before HDEL."""

    __slots__ = ("ttl_ms", "values")

    def __init__(self, values: dict[bytes, Value], ttl_ms: int | None) -> None:
        self.values = values
        self.ttl_ms = ttl_ms

    def absorbs(self, ttl_ms: int | None) -> bool:
        """Whether a further change may be merged in.

        A hash that loses its last field vanishes, and its lifetime with it. Merging
        would skip that moment, so it is allowed only where the hash surely kept a
        field, or where the new lifetime is set in any case.
        """
        return ttl_ms is not None or any(value is not None for value in self.values.values())

    def commands(self, key: bytes) -> Iterator[Command]:
        present = [(field, value) for field, value in self.values.items() if value is not None]
        if present:
            yield (b"HSET", key, *chain.from_iterable(present))
        if len(present) < len(self.values):
            yield (b"HDEL", key, *(field for field, value in self.values.items() if value is None))
        if self.ttl_ms is not None:
            yield (b"PEXPIRE", key, b"%d" % self.ttl_ms)


class _Deleted:
    """Stands for the delete that a key's further commands follow."""


_DELETED = _Deleted()
_Step = Command | _Fields | _Deleted
_Pending = Command | list[_Step] | None
"""One SET; or several steps in order; or None: deleted."""


class WriteSet:
    """Collects the writes of a batch; :meth:`commands` gives what is left of them. Not thread-safe.

    ``skipped`` counts rows that wrote nothing, by reason (``null_key``, ``reserved_key``).
    """

    __slots__ = ("_fresh", "_published", "_writes", "skipped")

    def __init__(self) -> None:
        self._writes: dict[bytes, _Pending] = {}
        self._published: list[Command] = []
        self._fresh: set[bytes] = set()
        self.skipped: Counter[str] = Counter()

    def __len__(self) -> int:
        """Keys (and messages) written."""
        return len(self._writes) + len(self._published)

    def set(self, key: bytes, value: bytes, ttl_ms: int | None = None) -> None:
        """Write a string, with a lifetime or for good."""
        if ttl_ms is None:
            self._writes[key] = (b"SET", key, value)
        else:
            self._writes[key] = (b"SET", key, value, b"PX", b"%d" % ttl_ms)

    def delete(self, key: bytes) -> None:
        """Delete a key of any type."""
        self._writes[key] = None

    def delete_all(self, keys: Iterable[Value]) -> None:
        """Delete keys; None stands for no key."""
        self._writes.update(dict.fromkeys(keys))  # type: ignore[arg-type]  # the None is dropped in the next line
        self._writes.pop(None, None)  # type: ignore[call-overload]

    def leave(self, old_keys: Iterable[Value], new_keys: Iterable[Value]) -> None:
        """Delete the keys that rows moved away from, but for those that another row of their event moved to."""
        for old, new in zip(old_keys, new_keys, strict=True):
            if old == new:
                continue
            if old is not None and old not in self._fresh:
                self.delete(old)
            if new is not None:
                self._fresh.add(new)

    def end_event(self) -> None:
        """Forget which keys rows moved to: from here on they may be deleted again."""
        self._fresh.clear()

    def hash(self, key: bytes, fields: dict[bytes, Value], ttl_ms: int | None = None) -> None:
        """Set the fields of a hash and remove those that are None; takes ``fields`` over. Other fields stay."""
        steps = self._steps(key)
        last = steps[-1] if steps else None
        if isinstance(last, _Fields) and last.absorbs(ttl_ms):
            last.values.update(fields)
            last.ttl_ms = last.ttl_ms if ttl_ms is None else ttl_ms
        else:
            steps.append(_Fields(fields, ttl_ms))

    def command(self, command: Command) -> None:
        """Add one of :data:`hasync.model.command.ALLOWED`."""
        verb, key = command[:2]
        if verb in (b"DEL", b"UNLINK"):
            self.delete_all(command[1:])
        elif verb == b"PUBLISH":
            # Its key is a channel, not a key: nothing replaces a message.
            self._published.append(command)
        elif verb == b"SET" and _is_plain_set(command):
            self._writes[key] = command
        elif verb in _LIFETIMES:
            self._lifetime(key, command)
        else:
            self._steps(key).append(command)

    def _lifetime(self, key: bytes, command: Command) -> None:
        steps = self._steps(key)
        if steps and _is_plain_lifetime(steps[-1]) and _is_plain_lifetime(command):
            steps[-1] = command
        else:
            steps.append(command)

    def _steps(self, key: bytes) -> list[_Step]:
        """Return the key's list of steps, made out of what is pending there."""
        pending = self._writes.get(key, _NOTHING)
        if isinstance(pending, list):
            if pending is _NOTHING:
                pending = self._writes[key] = []
            return pending
        steps: list[_Step] = [_DELETED if pending is None else pending]
        self._writes[key] = steps
        return steps

    def commands(self) -> list[Command]:
        """Return all commands: deletes first, then the writes key by key, then messages."""
        deleted: list[bytes] = []
        written: list[Command] = []
        for key, pending in self._writes.items():
            if pending is None:
                deleted.append(key)
            elif isinstance(pending, tuple):
                written.append(pending)
            else:
                _resolve(key, pending, deleted, written)
        unlinks = [(b"UNLINK", *deleted[at : at + UNLINK_KEYS]) for at in range(0, len(deleted), UNLINK_KEYS)]
        return [*unlinks, *written, *self._published]


_NOTHING: list[_Step] = []
"""Marks a key that nothing was written to; never filled."""


def _resolve(key: bytes, steps: Iterable[_Step], deleted: list[bytes], written: list[Command]) -> None:
    for step in steps:
        if isinstance(step, _Deleted):
            deleted.append(key)
        elif isinstance(step, _Fields):
            written.extend(step.commands(key))
        else:
            written.append(step)


def _is_plain_set(command: Command) -> bool:
    """Whether a SET surely replaces the key: no condition, and no lifetime that Redis would refuse."""
    if len(command) == 3:
        return True
    return len(command) == 5 and command[3].upper() in (b"EX", b"PX") and _is_lifetime(command[4])


def _is_plain_lifetime(step: _Step) -> bool:
    """Whether it does nothing but set or drop a lifetime: neither conditional nor a delete in disguise."""
    if not isinstance(step, tuple) or step[0] not in _LIFETIMES:
        return False
    return len(step) == 2 if step[0] == b"PERSIST" else len(step) == 3 and _is_lifetime(step[2])


def _is_lifetime(text: bytes) -> bool:
    return text.isdigit() and len(text) < 16 and int(text) > 0


def keys_of(command: Command) -> tuple[bytes, ...]:
    """Return the keys that a command touches."""
    return command[1:] if command[0] in (b"DEL", b"UNLINK") else command[1:2]


def bytes_of(commands: Iterable[Command]) -> int:
    """Return the size of all arguments, without the protocol's framing."""
    return sum(map(len, chain.from_iterable(commands)))
