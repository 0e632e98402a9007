"""Redis commands as values, and what hasync must know of each to apply it safely."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

Command = tuple[bytes, ...]
"""One command: upper-case name, key, further arguments; all bytes."""

_LINE_END = b"\r\n"


class Repeat(Enum):
    """What happens when a command is refused for itself, or applied a second time."""

    SAFE = "safe"
    """Never refused for the key's type, repeatable: SET, DEL, UNLINK, PEXPIRE."""
    REPEATABLE = "repeatable"
    """May be refused (WRONGTYPE); repeating it changes nothing: HSET, SADD."""
    ONCE = "once"
    """May be refused; a second time doubles its effect: INCRBY, XADD, LPUSH."""


@dataclass(frozen=True, slots=True)
class Trait:
    """What hasync knows of a command. ``type`` is what ``TYPE key`` must say, "" for any or none."""

    repeat: Repeat
    type: str = ""
    least_arguments: int = 1


ALLOWED: dict[bytes, Trait] = {
    b"SET": Trait(Repeat.SAFE, least_arguments=2),
    b"DEL": Trait(Repeat.SAFE),
    b"UNLINK": Trait(Repeat.SAFE),
    b"EXPIRE": Trait(Repeat.SAFE, least_arguments=2),
    b"PEXPIRE": Trait(Repeat.SAFE, least_arguments=2),
    b"PERSIST": Trait(Repeat.SAFE),
    b"HSET": Trait(Repeat.REPEATABLE, "hash", 3),
    b"HDEL": Trait(Repeat.REPEATABLE, "hash", 2),
    b"HINCRBY": Trait(Repeat.ONCE, "hash", 3),
    b"HINCRBYFLOAT": Trait(Repeat.ONCE, "hash", 3),
    b"INCR": Trait(Repeat.ONCE, "string"),
    b"DECR": Trait(Repeat.ONCE, "string"),
    b"INCRBY": Trait(Repeat.ONCE, "string", 2),
    b"DECRBY": Trait(Repeat.ONCE, "string", 2),
    b"INCRBYFLOAT": Trait(Repeat.ONCE, "string", 2),
    b"APPEND": Trait(Repeat.ONCE, "string", 2),
    b"SADD": Trait(Repeat.REPEATABLE, "set", 2),
    b"SREM": Trait(Repeat.REPEATABLE, "set", 2),
    b"ZADD": Trait(Repeat.ONCE, "zset", 3),  # with INCR it adds
    b"ZREM": Trait(Repeat.REPEATABLE, "zset", 2),
    b"ZINCRBY": Trait(Repeat.ONCE, "zset", 3),
    b"LPUSH": Trait(Repeat.ONCE, "list", 2),
    b"RPUSH": Trait(Repeat.ONCE, "list", 2),
    b"LREM": Trait(Repeat.ONCE, "list", 3),
    b"LTRIM": Trait(Repeat.ONCE, "list", 3),  # "1 -1" pops one each time
    b"XADD": Trait(Repeat.ONCE, "stream", 4),
    b"XTRIM": Trait(Repeat.REPEATABLE, "stream", 3),
    b"PUBLISH": Trait(Repeat.ONCE, "", 2),
    b"PFADD": Trait(Repeat.REPEATABLE, "string", 2),
    b"SETBIT": Trait(Repeat.REPEATABLE, "string", 3),
}
"""Commands that a rule or handler may use: each acts on the one key that follows its name."""

PACKABLE: dict[bytes, Trait] = ALLOWED | {b"MSET": Trait(Repeat.SAFE, least_arguments=2)}
"""Commands of :class:`Packed`: MSET is hasync's own way to send many SETs; a handler's keys are checked one by one."""


@dataclass(frozen=True, slots=True)
class Packed:
    """Commands as they go over the wire (RESP arrays of bulk strings), one behind the other.

    ``verbs``: the commands' names, each once; ``commands``: how many there are.
    """

    verbs: tuple[bytes, ...]
    commands: int
    data: bytes

    def unpacked(self) -> Iterator[Command]:
        """Give the commands one by one: for messages and checks, not for speed."""
        at = 0
        while at < len(self.data):
            count, at = self._length(at)
            arguments = []
            for _ in range(count):
                size, at = self._length(at)
                arguments.append(self.data[at : at + size])
                at += size + len(_LINE_END)
            yield tuple(arguments)

    def _length(self, at: int) -> tuple[int, int]:
        """Read the number between a mark and the line end; return it and the offset behind them."""
        end = self.data.index(_LINE_END, at)
        return int(self.data[at + 1 : end]), end + len(_LINE_END)


def command(name: str | bytes, key: str | bytes, *arguments: str | bytes | float) -> Command:
    """Build a command from friendly arguments; text is UTF-8, numbers as Python prints them.

    Raises ValueError when the command is not one of :data:`ALLOWED` or lacks arguments.
    """
    verb = _encode(name).upper()
    trait = ALLOWED.get(verb)
    if trait is None:
        allowed = ", ".join(sorted(name.decode() for name in ALLOWED))
        raise ValueError(f"command {verb.decode(errors='replace')!r} is not allowed in a stream; use one of {allowed}")
    if len(arguments) + 1 < trait.least_arguments:
        raise ValueError(f"command {verb.decode()} needs {trait.least_arguments} arguments, got {len(arguments) + 1}")
    return (verb, _encode(key), *map(_encode, arguments))


def _encode(value: str | bytes | float) -> bytes:
    if isinstance(value, bytes):
        return value
    return value.encode() if isinstance(value, str) else repr(value).encode()
