"""A batch on its way into Redis: how it may be repeated, and what in it was refused."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from redis.exceptions import RedisError

from hasync.errors import SinkRefused
from hasync.model.command import ALLOWED, PACKABLE, Command, Packed, Repeat
from hasync.model.position import Position
from hasync.sinks.faults import LASTING, code_of, describe

_ORDER = (Repeat.SAFE, Repeat.REPEATABLE, Repeat.ONCE)
_BECOMES = {b"SET": b"string", b"DEL": b"none", b"UNLINK": b"none"}
_SEVERAL = frozenset({b"DEL", b"UNLINK"})
_MAY_EMPTY = frozenset({b"HDEL", b"SREM", b"ZREM", b"LREM", b"LTRIM"})
_ANY = b""


@dataclass(frozen=True, slots=True)
class Batch:
    """Commands and the position they lead to; ``repeat`` is that of the most delicate of them."""

    commands: Sequence[Command | Packed]
    position: Position
    repeat: Repeat
    replies: int
    """How many commands there are, those that are packed counted one by one."""

    @classmethod
    def of(cls, commands: Sequence[Command | Packed], position: Position) -> "Batch":
        """Look at each command's verb once. Raises SinkRefused for one that a stream may not use."""
        verbs = {command[0] for command in commands if not isinstance(command, Packed)}
        if strange := verbs - ALLOWED.keys():
            names = ", ".join(sorted(verb.decode(errors="replace") for verb in strange))
            raise SinkRefused(f"a batch holds commands that a stream may not use: {names}", hint="correct the handler")
        packed = [command for command in commands if isinstance(command, Packed)]
        verbs.update(verb for one in packed for verb in one.verbs)
        repeat = max((PACKABLE[verb].repeat for verb in verbs), key=_ORDER.index, default=Repeat.SAFE)
        replies = len(commands) - len(packed) + sum(one.commands for one in packed)
        return cls(commands, position, repeat, replies)

    def same_as(self, other: "Batch") -> bool:
        """Whether both are one batch offered twice."""
        return self.position.same_place(other.position) and (
            self.commands is other.commands or list(self.commands) == list(other.commands)
        )

    def typed_keys(self) -> tuple[bytes, ...]:
        """Keys whose type decides whether a command of this batch is refused, each once."""
        return tuple(dict.fromkeys(command[1] for command in self._each() if PACKABLE[command[0]].type))

    def check_types(self, types: Mapping[bytes, bytes]) -> None:
        """Walk through the batch as Redis would, from the ``types`` its keys have now.

        Raises SinkRefused at the first command whose key holds another type.
        """
        now = dict(types)
        for index, command in enumerate(self._each()):
            verb, key = command[0], command[1]
            wanted = PACKABLE[verb].type.encode()
            held = now.get(key, _ANY)
            if wanted and held not in {wanted, b"none", _ANY}:
                raise self._wrong_type(index, held.decode())
            if wanted:
                now[key] = _ANY if verb in _MAY_EMPTY else wanted
            elif verb == b"MSET":
                now |= dict.fromkeys(command[1::2], b"string")
            elif verb in _BECOMES:
                now |= dict.fromkeys(command[1:] if verb in _SEVERAL else (key,), _BECOMES[verb])

    def refusal(self, replies: Sequence[Any]) -> tuple[int, RedisError] | None:
        """Return which command of the batch Redis refused, and its error; None when it took all."""
        for index, reply in enumerate(replies[: self.replies]):
            if isinstance(reply, RedisError):
                return index, reply
        return None

    def refused(self, index: int, error: RedisError, consequence: str) -> SinkRefused:
        """Return the error for command ``index``: its verb and key, never its values."""
        remedy = LASTING.get(code_of(error), "correct the rule, the handler or the key's value, then resume the stream")
        return SinkRefused(f"Redis refused {self._named(index)} with {describe(error)}; {consequence}", hint=remedy)

    def _wrong_type(self, index: int, held: str) -> SinkRefused:
        wanted = PACKABLE[self._command(index)[0]].type
        message = f"{self._named(index)} needs a {wanted}, the key holds a {held}; nothing of the batch was applied"
        return SinkRefused(message, hint=LASTING["WRONGTYPE"])

    def _named(self, index: int) -> str:
        verb, key = (*self._command(index), b"")[:2]
        return f"{verb.decode()} {key.decode(errors='backslashreplace')!r} (command {index + 1} of {self.replies})"

    def _command(self, index: int) -> Command:
        return next(islice(self._each(), index, None))

    def _each(self) -> Iterator[Command]:
        """All commands one by one, in the order of Redis' replies."""
        for command in self.commands:
            if isinstance(command, Packed):
                yield from command.unpacked()
            else:
                yield command
