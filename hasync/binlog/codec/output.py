# cython: language_level=3, wraparound=False, cdivision=True, initializedcheck=False
"""What was read and is not handed over yet: commands as bytes, and rows for handlers, in the binlog's order.

Commands stand in one buffer, as *runs* of one kind. A run of SETs holds only keys and
values; it becomes one MSET when it is taken. A mark is a place between two runs:
what is behind it can be forgotten (ROLLBACK TO) or stay when what is in front is taken.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import NamedTuple

import cython

from hasync.model.change import Operation, RowChanges, Table
from hasync.model.command import Packed
from hasync.model.program import Rendered, Tally

if cython.compiled:
    from cython.cimports.hasync.binlog.codec.buffer import Buffer
else:
    from hasync.binlog.codec.buffer import Buffer

OBJECT = 0
SETS = 1
DELETES = 2
WHOLE = 3
"""Kinds of runs: rows as objects; keys with values; keys; complete commands."""

SETS_MOST = 1000
DELETES_MOST = 500
"""Keys per MSET and UNLINK: large enough to be cheap, small enough for any proxy's argument limit."""

_NAMES = {SETS: b"MSET", DELETES: b"UNLINK"}
WHOLE_VERBS = (b"SET", b"HSET", b"HDEL", b"PEXPIRE")
"""Verbs of complete commands, by the bit that stands for them."""

_RUN = cython.declare(cython.Py_ssize_t, 5)
_TALLY = cython.declare(cython.Py_ssize_t, 2)

NULL_KEY = "null_key"
RESERVED_KEY = "reserved_key"


class Mark(NamedTuple):
    """A place in the output. Lower marks stay valid when what is behind them is forgotten."""

    runs: int
    at: int
    tallies: int
    null_keys: int
    reserved_keys: int

    def since(self, start: Mark) -> Mark:
        """Return this place as seen from ``start``."""
        return Mark(*(here - there for here, there in zip(self, start, strict=True)))

    def behind(self, start: Mark) -> Mark:
        """Return the place that :meth:`since` was asked for, with ``start`` where it is now."""
        return Mark(*(here + there for here, there in zip(self, start, strict=True)))


START = Mark(0, 0, 0, 0, 0)


@cython.cclass
class Output:
    """Collects; one per dump. Called from: the reader thread only."""

    def __init__(self) -> None:
        self.buffer = Buffer(1 << 16)
        self.runs = array("l", bytes(8 * _RUN * 256))
        self.count = 0
        self.sealed = 0
        self.verb = -1
        self.arguments = self.commands = self.verbs = 0
        self.tallies = array("l", bytes(8 * _TALLY * 256))
        self.tallied = self.sealed_tallies = 0
        self.targets: list[tuple[Table, Operation]] = []
        self.numbers: dict[tuple[Table, Operation], int] = {}
        self.objects: list[RowChanges] = []
        self.moved: list[bytes] = []
        self.fresh: set[bytes] = set()
        self.null_keys = self.reserved_keys = 0

    def target(self, table: Table, operation: Operation) -> int:
        """Return the number under which rows of this table and operation are tallied."""
        number: int = self.numbers.setdefault((table, operation), len(self.targets))
        if number == len(self.targets):
            self.targets.append((table, operation))
        return number

    def into(self, verb: cython.int, limit: cython.long) -> cython.int:
        """Let what is appended now belong to a run of ``verb`` that holds at most ``limit`` keys."""
        if verb != self.verb or self.arguments >= limit:
            self.close_run()
            self.verb = verb
        return 0

    def close_run(self) -> cython.int:
        """End the run that is open, if any."""
        base: cython.Py_ssize_t = self.count * _RUN
        if self.verb < 0:
            return 0
        if self.verb != 0 and self.commands == 0:  # its rows had no key; a command without arguments is none
            self.verb = -1
            self.arguments = self.verbs = 0
            return 0
        if base + _RUN > len(self.runs):
            self.runs = _doubled(self.runs)
        self.runs[base] = self.verb
        self.runs[base + 1] = self.arguments
        self.runs[base + 2] = self.commands
        self.runs[base + 3] = self.verbs
        self.runs[base + 4] = self.buffer.at
        self.count += 1
        self.verb = -1
        self.arguments = self.commands = self.verbs = 0
        return 0

    def tally(self, target: cython.Py_ssize_t, rows: cython.Py_ssize_t) -> cython.int:
        """Count rows of a target."""
        last: cython.Py_ssize_t = self.tallied - 1
        if last >= self.sealed_tallies and self.tallies[last * _TALLY] == target:
            self.tallies[last * _TALLY + 1] += rows
            return 0
        if (self.tallied + 1) * _TALLY > len(self.tallies):
            self.tallies = _doubled(self.tallies)
        self.tallies[self.tallied * _TALLY] = target
        self.tallies[self.tallied * _TALLY + 1] = rows
        self.tallied += 1
        return 0

    def end_statement(self) -> None:
        """Forget which keys its rows moved to: from here on they may be deleted again."""
        self.fresh.clear()

    def add(self, change: RowChanges) -> None:
        """Append rows as objects."""
        self.close_run()
        self.verb = OBJECT
        self.objects.append(change)
        self.close_run()

    def seal(self) -> cython.Py_ssize_t:
        """Make this place a mark; return the number of runs in front of it."""
        self.close_run()
        self.sealed_tallies = self.tallied
        return self.count

    def mark(self) -> Mark:
        """Return this place."""
        self.seal()
        return Mark(self.count, self.buffer.at, self.tallied, self.null_keys, self.reserved_keys)

    def forget(self, mark: Mark) -> None:
        """Drop what was appended since ``mark``."""
        self.close_run()
        self.moved = []
        self.fresh.clear()
        self.objects = self.objects[: self._objects_in(mark.runs)]
        self.count = mark.runs
        self.buffer.at = mark.at
        self.tallied = self.sealed_tallies = mark.tallies
        self.null_keys, self.reserved_keys = mark.null_keys, mark.reserved_keys

    def _objects_in(self, runs: cython.Py_ssize_t) -> int:
        found: cython.Py_ssize_t = 0
        i: cython.Py_ssize_t
        for i in range(runs):
            if self.runs[i * _RUN] == 0:  # OBJECT
                found += 1
        return found

    def put_moved(self, mark: Mark) -> None:
        """Put deletes of the keys in ``moved`` in front of what was appended since ``mark``, and forget them.

        In front, because rows of one statement may move onto each other's keys, in any order.
        """
        self.close_run()
        behind = self.buffer.slice(mark.at, self.buffer.at)
        runs = [self._run(number) for number in range(mark.runs, self.count)]
        self.count, self.buffer.at = mark.runs, mark.at
        for key in self.moved:
            self.into(DELETES, DELETES_MOST)
            self.buffer.put(b"$%d\r\n%b\r\n" % (len(key), key))
            self.arguments += 1
            self.commands += 1
        self.moved = []
        self.close_run()
        shift = self.buffer.at - mark.at
        self.buffer.put(behind)
        for verb, arguments, commands, verbs, end in runs:
            self._append(verb, arguments, commands, verbs, end + shift)

    def _run(self, number: cython.Py_ssize_t) -> tuple[int, int, int, int, int]:
        runs: cython.long[::1] = self.runs
        base: cython.Py_ssize_t = number * _RUN
        return runs[base], runs[base + 1], runs[base + 2], runs[base + 3], runs[base + 4]

    def _append(self, verb: int, arguments: int, commands: int, verbs: int, end: int) -> None:
        self.verb, self.arguments, self.commands, self.verbs = verb, arguments, commands, verbs
        self.close_run()
        self.runs[(self.count - 1) * _RUN + 4] = end

    def take(self, mark: Mark) -> tuple[RowChanges | Rendered, ...]:
        """Return what is in front of ``mark``, and keep only what is behind it. All marks are void then."""
        self.close_run()
        taken = tuple(self._items(mark))
        self.objects = self.objects[self._objects_in(mark.runs) :]
        self._shift(mark)
        return taken

    def _items(self, mark: Mark) -> Iterator[RowChanges | Rendered]:
        packed: list[Packed] = []
        objects = iter(self.objects)
        for piece in self._merged(mark.runs):
            if piece is not None:
                packed.append(piece)
                continue
            if packed:
                yield Rendered(commands=tuple(packed), tallies=())
                packed = []
            yield next(objects)
        tallies = tuple(self._tallies(mark.tallies))
        skipped = ((NULL_KEY, mark.null_keys), (RESERVED_KEY, mark.reserved_keys))
        if packed or tallies:
            yield Rendered(
                commands=tuple(packed), tallies=tallies, skipped=tuple(entry for entry in skipped if entry[1])
            )

    def _merged(self, count: cython.Py_ssize_t) -> list[Packed | None]:
        """Join neighbours of one kind, as far as their limit allows; None stands for an object."""
        runs: cython.long[::1] = self.runs
        merged: list[Packed | None] = []
        number: cython.Py_ssize_t = 0
        base: cython.Py_ssize_t
        start: cython.Py_ssize_t = 0
        verb: cython.long
        arguments: cython.long
        commands: cython.long
        verbs: cython.long
        most: cython.long
        while number < count:
            verb = runs[number * _RUN]
            most = _most(verb)
            arguments = commands = verbs = 0
            while number < count and runs[number * _RUN] == verb:
                base = number * _RUN
                if arguments and arguments + runs[base + 1] > most:
                    break
                arguments += runs[base + 1]
                commands += runs[base + 2]
                verbs |= runs[base + 3]
                number += 1
                if verb == 0:  # OBJECT: each on its own
                    break
            base = (number - 1) * _RUN
            packed = None if verb == 0 else self._packed(verb, arguments, commands, verbs, (start, runs[base + 4]))
            merged.append(packed)
            start = runs[base + 4]
        return merged

    def _packed(self, verb: int, arguments: int, commands: int, verbs: int, bounds: tuple[int, int]) -> Packed:
        body = self.buffer.slice(*bounds)
        if verb == WHOLE:
            named = tuple(name for bit, name in enumerate(WHOLE_VERBS) if verbs >> bit & 1)
            return Packed(named, commands, body)
        name = _NAMES[verb]
        elements = 1 + arguments * (2 if verb == SETS else 1)
        return Packed((name,), 1, b"*%d\r\n$%d\r\n%b\r\n%b" % (elements, len(name), name, body))

    def _tallies(self, count: cython.Py_ssize_t) -> Iterator[Tally]:
        sums: dict[int, int] = {}
        self._sum_up(sums, count)
        for target, rows in sums.items():
            table, operation = self.targets[target]
            yield Tally(table, operation, rows)

    def _sum_up(self, sums: dict[int, int], count: cython.Py_ssize_t) -> None:
        i: cython.Py_ssize_t
        rows: cython.long = 0
        for i in range(count):
            rows += self.tallies[i * _TALLY + 1]
            if i + 1 == count or self.tallies[i * _TALLY] != self.tallies[i * _TALLY + _TALLY]:
                target = self.tallies[i * _TALLY]
                sums[target] = sums.get(target, 0) + rows
                rows = 0

    def _shift(self, mark: Mark) -> None:
        kept = [self._run(number) for number in range(mark.runs, self.count)]
        self.count = 0
        for verb, arguments, commands, verbs, end in kept:
            self._append(verb, arguments, commands, verbs, end - mark.at)
        self.buffer.drop_front(mark.at)
        self.buffer.shrink()
        i: cython.Py_ssize_t
        gone: cython.Py_ssize_t = mark.tallies * _TALLY
        for i in range(gone, self.tallied * _TALLY):
            self.tallies[i - gone] = self.tallies[i]
        self.tallied -= mark.tallies
        self.sealed_tallies = self.tallied
        self.null_keys -= mark.null_keys
        self.reserved_keys -= mark.reserved_keys


def _most(verb: int) -> int:
    return {SETS: SETS_MOST, DELETES: DELETES_MOST}.get(verb, 1 << 30)


def _doubled(numbers: array[int]) -> array[int]:
    return array("l", bytes(memoryview(numbers)) * 2)
