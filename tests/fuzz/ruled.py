"""Rules over the corpus's tables, by both ways that hasync has: commands straight from row images, and rule steps."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from hasync.model.change import Segment, Table
from hasync.model.command import Command, Packed
from hasync.model.config import StreamConfig, parse
from hasync.model.names import TablePattern
from hasync.stream.plan import TablePlan, project
from hasync.stream.rules import Rules
from tests.fuzz.corpus import SCHEMA

_SOURCE = {"hosts": ["db:3306"], "user": "u", "password": "env:P"}


@dataclass(slots=True)
class Ruled:
    """An interest made of real rules, for whatever columns a table (or a mutation of it) has.

    ``steps``: rows are wanted as objects, and the rules' steps make the commands; else
    the rules' program is carried out on the row images, by compiled code where there is some.
    """

    steps: bool

    def patterns(self) -> list[TablePattern]:
        """Name the tables, as a config would."""
        return [TablePattern(SCHEMA, "*")]

    def emptied(self, schema: str, table: str) -> None: ...

    def select(self, table: Table) -> TablePlan | None:
        """Compile the rules for this table. Raises ConfigInvalid where a mutation made names that no rule can name."""
        if table.schema != SCHEMA:
            return None
        plan = Rules(_config(tuple(column.name for column in table.columns))).select(table)
        return replace(plan, program=None) if plan is not None and self.steps else plan


@lru_cache(256)
def _config(names: tuple[str, ...]) -> StreamConfig:
    """Return a config with each kind of rule, over all columns."""
    key, last = (names[0], names[-1]) if names else ("id", "id")
    rules: list[object] = [
        {"set": {"key": f"s:{{{key}}}", "value": "|".join(f"{{{name}}}" for name in names[:3]) or "x"}},
        {"set": {"key": f"w:{{{key}}}", "value": f"{{{last}}}"}, "when_changed": [last], "ttl": "1h"},
        {"set": {"key": f"{{{last}}}", "value": f"{{{key}}}"}},
        {"hash": {"key": f"h:{{{key}}}", "fields": list(names) or ["id"]}, "ttl": "1m"},
        {"delete": [f"s:{{old.{key}}}", f"x:{{{key}}}:{{{last}}}", f"y:{{new.{last}}}"]},
    ]
    tables = {f"{SCHEMA}.?*": rules}
    head = {"version": 1, "source": _SOURCE, "redis": {"url": "redis://cache:6379/0"}, "tables": tables}
    return parse(json.dumps(head))


def rows_of(segments: Iterable[Segment]) -> int:
    """Return how many rows went into commands."""
    return sum(tally.rows for segment in segments for change in segment.changes for tally in change.tallies)


def content_of(segments: Iterable[Segment]) -> "Content":
    """Return what Redis would hold if it had been empty."""
    found = Content()
    for segment in segments:
        found.take(project(segment.changes).commands())
    return found


@dataclass(slots=True)
class Content:
    """As much of Redis as the commands need. Fails over a command that Redis would refuse."""

    strings: dict[bytes, tuple[bytes, ...]] = field(default_factory=dict)
    hashes: dict[bytes, dict[bytes, bytes]] = field(default_factory=dict)
    expiring: set[bytes] = field(default_factory=set)

    def take(self, commands: Iterable[Command | Packed]) -> None:
        """Run commands."""
        for command in commands:
            for one in command.unpacked() if isinstance(command, Packed) else (command,):
                self._run(one[0], one[1:])

    def _run(self, verb: bytes, arguments: Sequence[bytes]) -> None:  # noqa: C901 - one case per command
        assert arguments, f"{verb.decode()} without arguments"
        key, *rest = arguments
        match verb:
            case b"SET" | b"MSET":
                self._set(arguments, pairs=verb == b"MSET")
            case b"UNLINK" | b"DEL":
                for gone in arguments:
                    self._forget(gone)
            case b"HSET":
                assert rest, "HSET without fields"
                self.strings.pop(key, None)
                self.hashes.setdefault(key, {}).update(zip(rest[::2], rest[1::2], strict=True))
            case b"HDEL":
                for name in rest:
                    self.hashes.get(key, {}).pop(name, None)
                if not self.hashes.get(key):
                    self._forget(key)
            case b"PEXPIRE":
                self.expiring |= {key} & (self.strings.keys() | self.hashes.keys())
            case _:
                raise AssertionError(f"{verb.decode()} is no command of rules")

    def _set(self, arguments: Sequence[bytes], *, pairs: bool) -> None:
        written = zip(arguments[::2], arguments[1::2], strict=True) if pairs else [(arguments[0], arguments[1])]
        for key, value in written:
            self._forget(key)
            self.strings[key] = (value, *(() if pairs else arguments[2:]))

    def _forget(self, key: bytes) -> None:
        self.strings.pop(key, None)
        self.hashes.pop(key, None)
        self.expiring.discard(key)
