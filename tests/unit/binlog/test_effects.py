"""What the codec writes straight from row images is what the rules' steps make of the same rows."""

from collections.abc import Iterable, Sequence
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hasync.binlog.charsets import BINARY
from hasync.binlog.codec.output import Output
from hasync.binlog.rowplan import Images, Wanted
from hasync.binlog.tablemap import ColumnLayout
from hasync.binlog.types import Code, Extent
from hasync.model.change import Change, Column, Kind, Operation, Row, RowChanges, Table
from hasync.model.command import Command, Packed
from hasync.model.config import parse
from hasync.stream.plan import TablePlan, project
from hasync.stream.rules import Rules

HEAD = """
version: 1
source: {hosts: ["mysql-0:3306"], user: hasync, password: "env:MYSQL_PASSWORD"}
redis: {url: "redis://redis:6379/0"}
tables:
  app.t:
"""
COLUMNS = ("id", "name", "city")
TABLE = Table("app", "t", (Column("id", Kind.INTEGER), Column("name", Kind.TEXT), Column("city", Kind.TEXT)))
LAYOUT = (
    ColumnLayout(name="id", code=Code.LONG, meta=0),
    ColumnLayout(name="name", code=Code.VARCHAR, meta=20, collation=63),
    ColumnLayout(name="city", code=Code.VARCHAR, meta=300, collation=63),
)
EXTENTS = (Extent(0, 4), Extent(1, 0), Extent(2, 0))
RULES = (
    "{set: {key: 'u:{id}', value: '{name}'}}",
    "{set: {key: 'u:{name}', value: '{id}/{city}'}, ttl: 1m}",
    "{set: {key: 'u:{name}', value: '{id}'}, when_changed: [city]}",
    "{set: {key: '{name}', value: 'x{city}'}}",
    "{on: [update, delete], set: {key: 'o:{id}', value: '{old.name}>{new.name}'}}",
    "{on: [delete], set: {key: 'u:{id}', value: '{name}'}}",
    "{hash: {key: 'h:{id}', fields: [name, city]}}",
    "{hash: {key: 'h:{name}', fields: {c: '{city}', both: '{id}-{name}'}}, ttl: 5s}",
    "{delete: ['u:{id}', 'n:{old.name}', 'c:{new.city}']}",
    "{delete: ['u:{name}', 'x:{old.name}:{new.name}'], when_changed: [name]}",
    "{on: [insert], delete: ['u:{id}']}",
)

names = st.one_of(
    st.none(), st.sampled_from([b"a", b"b", b"hasync:{x}:state", b"hasync:{", b"100%", b"", b"\xc3\xa4\r\n"])
)
rows = st.tuples(st.integers(-3, 3).map(lambda number: b"%d" % number), names, names)
changes = st.one_of(
    st.tuples(st.just(Operation.INSERT), st.lists(rows.map(lambda row: (row,)), min_size=1, max_size=4)),
    st.tuples(st.just(Operation.DELETE), st.lists(rows.map(lambda row: (row,)), min_size=1, max_size=4)),
    st.tuples(st.just(Operation.UPDATE), st.lists(st.tuples(rows, rows), min_size=1, max_size=4)),
)
Event = tuple[Operation, Sequence[tuple[Row, ...]]]


def plan_of(rules: Sequence[str]) -> TablePlan:
    plan = Rules(parse(HEAD + "".join(f"    - {rule}\n" for rule in rules))).select(TABLE)
    assert plan is not None
    return plan


def image(row: Row) -> bytes:
    number, name, city = row
    assert number is not None
    nulls = (name is None) << 1 | (city is None) << 2
    short = b"" if name is None else pack("<B", len(name)) + name
    long = b"" if city is None else pack("<H", len(city)) + city
    return bytes((nulls,)) + pack("<i", int(number)) + short + long


def written(plan: TablePlan, events: Iterable[Event]) -> tuple[Change, ...]:
    """Return what the codec makes of the events' images."""
    output = Output()
    for operation, event in events:
        bitmaps = b"\7" * len(event[0])
        wanted = Wanted(TABLE, plan, LAYOUT, {63: BINARY})
        reading = Images(extents=EXTENTS, operation=operation, bitmaps=bitmaps).plan(wanted)
        data = b"".join(image(row) for pair in event for row in pair)
        count = reading.read(b"?" + data + b"?", (1, 1 + len(data)))
        reading.put(output, 0, count)
        output.end_statement()
        output.mark()
    return output.take(output.mark())


def stepped(plan: TablePlan, events: Iterable[Event]) -> list[RowChanges]:
    """Return the events as objects, for the steps."""
    found = []
    for operation, event in events:
        before = [tuple(pair[0][number] for number in plan.before) for pair in event]
        after = [tuple(pair[-1][number] for number in plan.after) for pair in event]
        has_before, has_after = operation is not Operation.INSERT, operation is not Operation.DELETE
        found.append(RowChanges(TABLE, operation, plan, before if has_before else (), after if has_after else ()))
    return found


class Store:
    """As much of Redis as the commands need: strings and hashes with their lifetimes."""

    def __init__(self) -> None:
        self.keys: dict[bytes, tuple[bytes | dict[bytes, bytes], bytes | None]] = {
            b"u:1": (b"old", None),
            b"h:1": ({b"name": b"old"}, b"7"),
        }

    def run(self, commands: Iterable[Command | Packed]) -> None:
        for command in commands:
            for verb, *arguments in command.unpacked() if isinstance(command, Packed) else (command,):
                getattr(self, verb.decode().lower())(*arguments)

    def set(self, key: bytes, value: bytes, *ttl: bytes) -> None:
        self.keys[key] = (value, ttl[1] if ttl else None)

    def mset(self, *pairs: bytes) -> None:
        assert pairs, "Redis refuses MSET without arguments, and with it the batch"
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            self.set(key, value)

    def unlink(self, *keys: bytes) -> None:
        assert keys, "Redis refuses UNLINK without arguments, and with it the batch"
        for key in keys:
            self.keys.pop(key, None)

    def hset(self, key: bytes, *pairs: bytes) -> None:
        fields, ttl = self.keys.get(key, ({}, None))
        assert isinstance(fields, dict)
        self.keys[key] = ({**fields, **dict(zip(pairs[::2], pairs[1::2], strict=True))}, ttl)

    def hdel(self, key: bytes, *gone: bytes) -> None:
        fields, ttl = self.keys.get(key, ({}, None))
        assert isinstance(fields, dict)
        left = {name: value for name, value in fields.items() if name not in gone}
        self.keys.pop(key, None)
        if left:
            self.keys[key] = (left, ttl)

    def pexpire(self, key: bytes, ttl: bytes) -> None:
        if key in self.keys:
            self.keys[key] = (self.keys[key][0], ttl)


def stored(changes: Iterable[Change]) -> dict[bytes, object]:
    store = Store()
    store.run(project(changes).commands())
    return dict(store.keys)


@pytest.mark.parametrize("rule", RULES)
@given(events=st.lists(changes, min_size=1, max_size=4))
def test_one_rule_writes_the_same_from_images_as_from_rows(rule: str, events: list[Event]) -> None:
    """Keys, values, lifetimes, and what was skipped."""
    plan = plan_of([rule])
    native, reference = written(plan, events), stepped(plan, events)
    assert stored(native) == stored(reference)
    assert project(native).skipped == project(reference).skipped


@given(
    rules=st.lists(st.sampled_from(RULES[:6] + RULES[8:]), min_size=2, max_size=3, unique=True),
    events=st.lists(changes, max_size=4),
)
def test_rules_that_meet_on_keys_write_the_same_from_images_as_from_rows(rules: list[str], events: list[Event]) -> None:
    """Also when the last write to a key is another rule's."""
    plan = plan_of(rules)
    assert stored(written(plan, events)) == stored(stepped(plan, events))


def test_rows_that_swap_keys_in_several_events_of_a_statement_keep_them() -> None:
    """A key that a row of the statement has just moved to is not deleted when another row leaves it."""
    plan = plan_of(["{set: {key: 's:{name}', value: '{id}'}}", "{delete: ['s:x:{id}']}"])
    swap = [((b"1", b"a", None), (b"1", b"b", None)), ((b"2", b"b", None), (b"2", b"a", None))]
    output = Output()
    for pair in swap:  # one event each
        reading = Images(extents=EXTENTS, operation=Operation.UPDATE, bitmaps=b"\7\7").plan(
            Wanted(TABLE, plan, LAYOUT, {63: BINARY})
        )
        data = b"".join(image(row) for row in pair)
        reading.put(output, 0, reading.read(data, (0, len(data))))
    output.end_statement()
    store = Store()
    store.run([(b"SET", b"s:a", b"1"), (b"SET", b"s:b", b"2")])
    store.run(project(output.take(output.mark())).commands())
    assert (store.keys[b"s:a"], store.keys[b"s:b"]) == ((b"2", None), (b"1", None))


def test_row_that_moves_on_in_a_later_statement_leaves_nothing_behind() -> None:
    """What a statement moved to may be left by the next one."""
    plan = plan_of(["{set: {key: 's:{name}', value: '{id}'}}"])
    moves = [((b"1", b"a", None), (b"1", b"b", None)), ((b"1", b"b", None), (b"1", b"c", None))]
    keys = stored(written(plan, [(Operation.UPDATE, [move]) for move in moves]))
    assert (b"s:b" in keys, b"s:c" in keys) == (False, True)


def test_row_without_a_key_writes_no_command() -> None:
    """An MSET without arguments would be refused, and every batch after it."""
    for rule in ("{set: {key: 'u:{name}', value: '{id}'}}", "{delete: ['u:{name}']}"):
        changes = written(plan_of([rule]), [(Operation.INSERT, [((b"1", None, None),)])])
        assert project(changes).commands() == []
