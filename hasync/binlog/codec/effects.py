# cython: language_level=3, wraparound=False, cdivision=True, initializedcheck=False
"""Programs (:mod:`hasync.model.program`), made ready to run over located rows: from row images to commands.

What stands in :mod:`hasync.stream.steps` is the reference; tests hold the two equal.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable

import cython

from hasync.binlog.codec.output import DELETES_MOST, SETS_MOST
from hasync.model import program
from hasync.model.rule import RESERVED_PREFIX

if cython.compiled:
    from cython.cimports.hasync.binlog.codec.buffer import Buffer
    from cython.cimports.hasync.binlog.codec.images import Rows
    from cython.cimports.hasync.binlog.codec.output import Output
else:
    from hasync.binlog.codec.buffer import Buffer
    from hasync.binlog.codec.images import Rows
    from hasync.binlog.codec.output import Output

_SETS = cython.declare(cython.int, 1)
_DELETES = cython.declare(cython.int, 2)
_WHOLE = cython.declare(cython.int, 3)
_SETS_MOST = cython.declare(cython.long, SETS_MOST)
_DELETES_MOST = cython.declare(cython.long, DELETES_MOST)
_WHOLE_MOST = cython.declare(cython.long, 1 << 30)


_DELETE = cython.declare(cython.int, 0)
_STRING = cython.declare(cython.int, 1)
_HASH = cython.declare(cython.int, 2)


def _kind(write: program.Write) -> int:
    if isinstance(write, program.Delete):
        return _DELETE
    return _STRING if isinstance(write, program.PutString) else _HASH


def _numbers(pairs: Iterable[tuple[int, int]]) -> array[int]:
    return array("i", [slot for pair in pairs for slot in pair])


@cython.cclass
class Template:
    """Literal text and slots."""

    def __init__(self, parts: program.Parts) -> None:
        self.literals = [part if isinstance(part, bytes) else None for part in parts]
        self.slots = array("i", [-1 if isinstance(part, bytes) else part for part in parts])
        self.count = len(parts)

    def absent(self, rows: Rows, row: cython.Py_ssize_t) -> cython.bint:
        """Whether a value in it is NULL, so that there is no text."""
        i: cython.Py_ssize_t
        for i in range(self.count):
            if self.slots[i] >= 0 and rows.null(row, self.slots[i]):
                return True
        return False

    def write(self, out: Buffer, rows: Rows, row: cython.Py_ssize_t) -> cython.int:
        """Append the text; no value in it is NULL."""
        i: cython.Py_ssize_t
        for i in range(self.count):
            if self.slots[i] >= 0:
                rows.write(out, row, self.slots[i])
            else:
                out.put(self.literals[i])
        return 0

    def argument(self, out: Buffer, rows: Rows, row: cython.Py_ssize_t) -> cython.int:
        """Append the text as an argument of a command: ``$length``, text, each with a line end."""
        i: cython.Py_ssize_t
        size: cython.Py_ssize_t
        total: cython.Py_ssize_t = 0
        start: cython.Py_ssize_t
        for i in range(self.count):
            if self.slots[i] < 0:
                literal: bytes = self.literals[i]
                total += len(literal)
                continue
            size = rows.raw_size(row, self.slots[i])
            if size < 0:  # its length is known only when it is printed
                start = out.begin()
                self.write(out, rows, row)
                return out.finish(start)
            total += size
        out.byte(36)  # $
        out.number(total)
        out.byte(13)
        out.byte(10)
        self.write(out, rows, row)
        out.byte(13)
        return out.byte(10)


@cython.cclass
class Key:
    """A key; ``exposed``: row data could lead it into hasync's own namespace, so each one is looked at."""

    def __init__(self, parts: program.Parts) -> None:
        prefix = parts[0] if parts and isinstance(parts[0], bytes) else b""
        self.template = Template(parts)
        self.exposed = RESERVED_PREFIX.startswith(prefix)

    def add(
        self, out: Output, rows: Rows, row: cython.Py_ssize_t, nulls: cython.bint, reserved: cython.bint
    ) -> cython.bint:
        """Append the key as an argument; False when it is none: it holds NULL, or is reserved.

        ``nulls`` and ``reserved`` say whether that is counted.
        """
        buffer: Buffer = out.buffer
        start: cython.Py_ssize_t = buffer.at
        text: cython.Py_ssize_t
        if self.template.absent(rows, row):
            if nulls:
                out.null_keys += 1
            return False
        if not self.exposed:
            self.template.argument(buffer, rows, row)
            return True
        text = buffer.begin()
        text = buffer.at
        self.template.write(buffer, rows, row)
        if buffer.begins_with(text, RESERVED_PREFIX):
            buffer.at = start
            if reserved:
                out.reserved_keys += 1
            return False
        buffer.finish(start)
        return True


@cython.cclass
class Write:
    """One write of an effect: a delete, a string (``value``), or a hash (``names``, ``values``)."""

    def __init__(self, write: program.Write) -> None:
        old_key = None if isinstance(write, program.Delete) else write.old_key
        ttl_ms = None if isinstance(write, program.Delete) else write.ttl_ms
        self.key = Key(write.key)
        self.kind = _kind(write)
        self.moves = old_key is not None
        self.old_key = Key(old_key or ())
        self.differ = _numbers(write.differ if isinstance(write, program.Delete) else ())
        self.value = Template(write.value if isinstance(write, program.PutString) else ())
        self.ttl = None if ttl_ms is None else b"$%d\r\n%d\r\n" % (len(str(ttl_ms)), ttl_ms)
        fields = write.fields if isinstance(write, program.PutHash) else ()
        self.names = [b"$%d\r\n%b\r\n" % (len(name), name) for name, _ in fields]
        self.values = [Template(parts) for _, parts in fields]

    @property
    def leaves_keys(self) -> bool:
        """Whether an update may leave an old key behind, which is deleted in front of all writes of its event."""
        return bool(self.moves)

    def insert(self, out: Output, rows: Rows, row: cython.Py_ssize_t) -> cython.int:
        """Append the commands for one row; old keys that are left go into the output's ``moved``."""
        if self.moves and self.key_moved(rows, row):
            self.leave_old(out, rows, row)
        if self.kind == _STRING:
            return self.put_string(out, rows, row)
        if self.kind == _HASH:
            return self.put_hash(out, rows, row)
        if len(self.differ) and not differs(self.differ, rows, row):
            return 0
        out.into(_DELETES, _DELETES_MOST)
        if self.key.add(out, rows, row, False, True):
            out.arguments += 1
            out.commands += 1
        return 0

    def put_string(self, out: Output, rows: Rows, row: cython.Py_ssize_t) -> cython.int:
        """Append SET, or the delete that stands for a NULL value."""
        buffer: Buffer = out.buffer
        start: cython.Py_ssize_t
        if self.value.absent(rows, row):
            out.into(_DELETES, _DELETES_MOST)
            if self.key.add(out, rows, row, True, True):
                out.arguments += 1
                out.commands += 1
            return 0
        if self.ttl is None:
            out.into(_SETS, _SETS_MOST)
            if not self.key.add(out, rows, row, True, True):
                return 0
            self.value.argument(buffer, rows, row)
            out.arguments += 1
            out.commands += 1
            return 0
        out.into(_WHOLE, _WHOLE_MOST)
        start = buffer.at
        self.whole(out, 5, b"$3\r\nSET\r\n", 1)
        if not self.key.add(out, rows, row, True, True):
            buffer.at = start
            out.commands -= 1
            return 0
        self.value.argument(buffer, rows, row)
        buffer.put(b"$2\r\nPX\r\n")
        return buffer.put(self.ttl)

    def whole(self, out: Output, elements: cython.Py_ssize_t, verb: bytes, bit: cython.int) -> cython.int:
        """Append the head of a complete command."""
        buffer: Buffer = out.buffer
        buffer.byte(42)  # *
        buffer.number(elements)
        buffer.byte(13)
        buffer.byte(10)
        buffer.put(verb)
        out.verbs |= bit
        out.commands += 1
        return 0

    def put_hash(self, out: Output, rows: Rows, row: cython.Py_ssize_t) -> cython.int:
        """Append HSET for what there is, HDEL for what is NULL, PEXPIRE for a lifetime."""
        buffer: Buffer = out.buffer
        nulls: cython.Py_ssize_t = 0
        total: cython.Py_ssize_t = len(self.names)
        start: cython.Py_ssize_t
        i: cython.Py_ssize_t
        for i in range(total):
            value: Template = self.values[i]
            if value.absent(rows, row):
                nulls += 1
        out.into(_WHOLE, _WHOLE_MOST)
        start = buffer.at
        if nulls < total:
            self.whole(out, 2 + 2 * (total - nulls), b"$4\r\nHSET\r\n", 2)
        else:
            self.whole(out, 2 + nulls, b"$4\r\nHDEL\r\n", 4)
        if not self.key.add(out, rows, row, True, True):
            buffer.at = start
            out.commands -= 1
            return 0
        self.fields(out, rows, row, nulls < total)
        if 0 < nulls < total:
            self.whole(out, 2 + nulls, b"$4\r\nHDEL\r\n", 4)
            self.key.template.argument(buffer, rows, row)
            self.fields(out, rows, row, False)
        if self.ttl is not None:
            self.whole(out, 3, b"$7\r\nPEXPIRE\r\n", 8)
            self.key.template.argument(buffer, rows, row)
            buffer.put(self.ttl)
        return 0

    def fields(self, out: Output, rows: Rows, row: cython.Py_ssize_t, present: cython.bint) -> cython.int:
        """Append the fields that are there with their values, or the names of those that are NULL."""
        i: cython.Py_ssize_t
        for i in range(len(self.names)):
            value: Template = self.values[i]
            if value.absent(rows, row) == present:
                continue
            out.buffer.put(self.names[i])
            if present:
                value.argument(out.buffer, rows, row)
        return 0

    def key_moved(self, rows: Rows, row: cython.Py_ssize_t) -> cython.bint:
        """Whether the old key may be another than the new one: a column of it changed."""
        new: Template = self.key.template
        old: Template = self.old_key.template
        i: cython.Py_ssize_t
        for i in range(new.count):
            if new.slots[i] >= 0 and not rows.same(row, new.slots[i], old.slots[i]):
                return True
        return False

    def leave_old(self, out: Output, rows: Rows, row: cython.Py_ssize_t) -> cython.int:
        """Keep the old key for deletion, unless the new one is printed the same."""
        buffer: Buffer = out.buffer
        start: cython.Py_ssize_t = buffer.at
        middle: cython.Py_ssize_t
        if self.old_key.add(out, rows, row, False, False):
            middle = buffer.at
            self.key.add(out, rows, row, False, False)
            if buffer.at - middle != middle - start or not buffer.same(start, middle, middle - start):
                old = _argument(buffer, start, middle)
                if old not in out.fresh:  # else another row of this statement has just moved there
                    out.moved.append(old)
                if buffer.at > middle:
                    out.fresh.add(_argument(buffer, middle, buffer.at))
        buffer.at = start
        return 0


def _argument(buffer: Buffer, start: cython.Py_ssize_t, end: cython.Py_ssize_t) -> bytes:
    """Return the text of an argument: what is between its length and its line end."""
    return buffer.slice(start, end - 2).partition(b"\r\n")[2]


@cython.cfunc
def differs(pairs: cython.int[::1], rows: Rows, row: cython.Py_ssize_t) -> cython.bint:
    """Whether one of the columns changed, as its text says."""
    i: cython.Py_ssize_t
    for i in range(0, len(pairs), 2):
        if not rows.same(row, pairs[i], pairs[i + 1]) and rows.value(row, pairs[i]) != rows.value(row, pairs[i + 1]):
            return True
    return False


@cython.cclass
class Effect:
    """One rule."""

    def __init__(self, effect: program.Effect) -> None:
        self.changed = _numbers(effect.changed)
        self.writes = [Write(write) for write in effect.writes]
        self.moves = any(write.leaves_keys for write in self.writes)

    def run(self, out: Output, rows: Rows, first: cython.Py_ssize_t, last: cython.Py_ssize_t) -> cython.int:
        """Append the commands for these rows; deletes of keys that were left come first."""
        row: cython.Py_ssize_t
        i: cython.Py_ssize_t
        count: cython.Py_ssize_t = len(self.writes)
        mark = out.mark() if self.moves else None
        for row in range(first, last):
            if len(self.changed) and not differs(self.changed, rows, row):
                continue
            for i in range(count):
                write: Write = self.writes[i]
                write.insert(out, rows, row)
        if out.moved:
            out.put_moved(mark)
        return 0


@cython.cclass
class Effects:
    """What a table's rules do with one operation. ``target``: the number its rows are tallied under."""

    def __init__(self, effects: Iterable[program.Effect], *, by_row: bool, target: int) -> None:
        self.effects = [Effect(effect) for effect in effects]
        self.by_row = by_row and len(self.effects) > 1
        self.target = target

    def put(self, out: Output, rows: Rows, first: int, last: int) -> None:
        """See :meth:`run`."""
        self.run(out, rows, first, last)

    def run(self, out: Output, rows: Rows, first: cython.Py_ssize_t, last: cython.Py_ssize_t) -> cython.int:
        """Append the commands for rows ``first`` to ``last`` (exclusive). Raises ValueError, IndexError (damaged)."""
        row: cython.Py_ssize_t
        i: cython.Py_ssize_t
        count: cython.Py_ssize_t = len(self.effects)
        out.tally(self.target, last - first)
        if not self.by_row:
            for i in range(count):
                effect: Effect = self.effects[i]
                effect.run(out, rows, first, last)
            return 0
        for row in range(first, last):
            for i in range(count):
                one: Effect = self.effects[i]
                one.run(out, rows, row, row + 1)
        return 0
