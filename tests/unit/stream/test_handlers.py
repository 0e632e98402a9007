"""Handlers: what they see, what they may return, and how each mistake is told without a row's value."""

import sys
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from hasync.errors import ConfigInvalid, HandlerFailed
from hasync.model.change import Kind, Operation
from hasync.model.command import Command, command
from hasync.stream.handlers import RowChange, load_handler, needs
from hasync.stream.rules import Rules
from tests.unit.stream.rows import Stream, commands, config, table

LAYOUT = table("app.t", "id", "Name", "price", "tags", id=Kind.INTEGER, price=Kind.DECIMAL, tags=Kind.JSON)
ROW = {"id": 1, "Name": "sec\u00fcret", "price": "4.50", "tags": '{"a": [1, null]}'}
TABLES = '  app.t:\n    - {handler: "acme:h"}\n'


def with_handler(handler: Callable[[Iterable[RowChange]], Any], tables: str = TABLES) -> Stream:
    return Stream(tables, LAYOUT, {"acme:h": handler})


def test_handler_turns_rows_into_commands_of_the_batch() -> None:
    """Generators and lists alike; the rows of an event come together, in order."""

    def handler(changes: Iterable[RowChange]) -> Iterator[Command]:
        yield command("INCRBY", "sum", sum(change.row["id"] for change in changes))

    stream = with_handler(handler)
    assert commands(stream.insert(ROW, {**ROW, "id": 41})) == [(b"INCRBY", b"sum", b"42")]


def test_handler_sees_both_images_as_python_values() -> None:
    """Typed by the column's kind, looked up without regard to case."""
    seen: list[RowChange] = []

    def handler(changes: Iterable[RowChange]) -> list[Command]:
        seen.extend(changes)
        return []

    stream = with_handler(handler)
    commands(stream.insert(ROW), stream.update((ROW, {**ROW, "price": None})), stream.delete(ROW))
    inserted, updated, removed = seen
    assert (inserted.schema, inserted.table, inserted.operation) == ("app", "t", Operation.INSERT)
    assert dict(inserted.new) == {"id": 1, "Name": "sec\u00fcret", "price": Decimal("4.50"), "tags": {"a": [1, None]}}
    assert dict(inserted.old) == dict(removed.new) == {}
    assert (updated.old["PRICE"], updated.new["price"]) == (Decimal("4.50"), None)
    assert removed.old["name"] == removed.row["Name"] == "sec\u00fcret"
    assert "NAME" in updated.old
    assert "nam" not in updated.old
    assert len(updated.new) == 4


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Kind.INTEGER, b"18446744073709551615", 2**64 - 1),
        (Kind.DECIMAL, b"-0.10", Decimal("-0.10")),
        (Kind.FLOAT, b"1e-05", 1e-05),
        (Kind.TEXT, "\U0001f600".encode(), "\U0001f600"),
        (Kind.BYTES, b"\x00\xff", b"\x00\xff"),
        (Kind.JSON, b'"text"', "text"),
        (Kind.TEMPORAL, b"0000-00-00 00:00:00", "0000-00-00 00:00:00"),
        (Kind.ENUM, b"paid", "paid"),
        (Kind.SET, b"a,b", "a,b"),
        (Kind.BIT, b"\x01\x02", 258),
    ],
)
def test_value_of_each_kind(kind: Kind, text: bytes, value: object) -> None:
    """What SELECT shows, as Python means it."""
    seen: list[Any] = []
    layout = table("app.t", "v", v=kind)

    def handler(changes: Iterable[RowChange]) -> list[Command]:
        seen.extend(change.new["v"] for change in changes)
        return []

    stream = Stream(TABLES, layout, {"acme:h": handler})
    commands(stream.insert({"v": text}))
    assert seen == [value]
    assert type(seen[0]) is type(value)


def test_needs_limits_what_is_decoded_and_seen() -> None:
    """Undeclared columns are not there, even where another rule needs them."""
    seen: list[list[str]] = []

    @needs("ID")
    def handler(changes: Iterable[RowChange]) -> list[Command]:
        seen.extend(list(change.row) for change in changes)
        return []

    stream = with_handler(handler, TABLES + '    - {on: [insert], delete: ["k:{price}"]}\n')
    commands(stream.insert(ROW))
    plan = stream.rules.select(LAYOUT)
    assert plan is not None
    assert (plan.before, plan.after, seen) == ((0,), (0, 2), [["id"]])


def test_needs_of_a_missing_column_are_refused_by_name() -> None:
    """The same message as for a template, with the handler's name."""
    stream = with_handler(needs("nam")(lambda changes: []))
    with pytest.raises(ConfigInvalid, match=r"handler acme:h.*no column 'nam'; did you mean 'Name'"):
        stream.rules.select(LAYOUT)


def test_handler_honours_on_and_when_changed() -> None:
    """Rows that do not count never reach it, and without any it is not called."""
    calls: list[int] = []
    options = '  app.t:\n    - {handler: "acme:h", on: [update], when_changed: [price]}\n'

    def handler(changes: Iterable[RowChange]) -> list[Command]:
        calls.append(len(list(changes)))
        return []

    stream = with_handler(handler, options)
    cheaper = {**ROW, "price": "1.00"}
    commands(
        stream.insert(ROW), stream.update((ROW, ROW)), stream.update((ROW, ROW), (ROW, cheaper)), stream.delete(ROW)
    )
    assert calls == [1]


BESIDE = '  app.t:\n    - {set: {key: "k:{price}", value: "x"}}\n    - {handler: "acme:h"}\n'


def test_handler_that_meets_another_rule_sees_row_by_row() -> None:
    """So that the last write of a key is the one of the document's order."""
    stream = with_handler(lambda changes: [command("DEL", "j", f"k:{change.row['id']}") for change in changes], BESIDE)
    first, second = {**ROW, "id": 1, "price": 2}, {**ROW, "id": 3, "price": 1}
    assert sorted(commands(stream.insert(first, second))) == [
        (b"SET", b"k:1", b"x"),
        (b"SET", b"k:2", b"x"),
        (b"UNLINK", b"j", b"k:3"),
    ]


def test_handler_with_keys_of_its_own_sees_all_rows_of_an_event() -> None:
    """It may then sum up, whatever rules stand beside it."""
    stream = with_handler(lambda changes: [command("INCRBY", "sum", len(list(changes)))], BESIDE)
    rows = [{**ROW, "id": number, "price": number} for number in range(3)]
    assert (b"INCRBY", b"sum", b"3") in commands(stream.insert(*rows))
    assert len(commands(stream.insert(*rows))) == 4


def _raises(changes: Iterable[RowChange]) -> list[Command]:
    raise RuntimeError(next(iter(changes)).row["Name"])


def _exits(changes: Iterable[RowChange]) -> list[Command]:
    sys.exit(3)


def _late(changes: Iterable[RowChange]) -> Iterator[Command]:
    yield command("INCR", "n")
    raise ValueError(next(iter(changes)).row["Name"])


def _misspells(changes: Iterable[RowChange]) -> list[Command]:
    return [command("INCR", next(iter(changes)).row["idd"])]


@pytest.mark.parametrize(
    ("handler", "why"),
    [
        (_raises, "RuntimeError in .*test_handlers.py:[0-9]+"),
        (_exits, "SystemExit"),
        (_late, "ValueError"),
        (_misspells, "KeyError"),
        (lambda changes: None, "TypeError"),
        (lambda changes: "INCR", "returned a str"),
        (lambda changes: b"INCR", "returned a bytes"),
        (lambda changes: {"INCR": 1}, "returned a dict"),
        (lambda changes: command("INCR", "n"), "returned a bytes among"),
        (lambda changes: ["INCR n"], "returned a str among"),
        (lambda changes: [(b"SET", "k", b"v")], "returned a tuple among"),
        (lambda changes: [()], "may not use"),
        (lambda changes: [(b"FLUSHALL", b"x")], "may not use"),
        (lambda changes: [(b"SET", b"k")], "SET with too few"),
        (lambda changes: [command("DEL", "k", "hasync:{s}:state")], "DEL for a key of hasync"),
        (lambda changes: [command("SET", "hasync:{s}:state", "1")], "SET for a key of hasync"),
        (lambda changes: [change.row["Name"] for change in changes], "returned a str among"),
    ],
)
def test_broken_handler_fails_with_its_name_and_no_value(
    handler: Callable[[Iterable[RowChange]], Any], why: str
) -> None:
    """Handler, table, operation and place; never what the row holds, not in the cause either."""
    stream = with_handler(handler)
    with pytest.raises(HandlerFailed, match=why) as caught:
        commands(stream.insert(ROW))
    assert "handler 'acme:h' failed on insert of app.t" in str(caught.value)
    assert "sec\u00fcret" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_value_that_is_not_of_its_kind_is_named_by_column() -> None:
    """The codec promised a number."""
    stream = with_handler(lambda changes: [change.row["id"] for change in changes])
    with pytest.raises(HandlerFailed, match=r"a value of column app\.t\.id is not integer") as caught:
        commands(stream.insert({**ROW, "id": "forty"}))
    assert "forty" not in str(caught.value)


def test_row_image_does_not_show_values_when_printed() -> None:
    """A handler that logs its row must not leak it by accident."""
    seen: list[str] = []

    def handler(changes: Iterable[RowChange]) -> list[Command]:
        seen.extend(map(repr, changes))
        return []

    commands(with_handler(handler).insert(ROW))
    assert "4.50" not in seen[0]
    assert "app.t: id, Name, price, tags" in seen[0]


@pytest.fixture
def acme(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A package of handlers, as a user installs one."""
    module = ModuleType("acme_handlers")
    module.on_audit = lambda changes: []  # type: ignore[attr-defined]
    module.LIMIT = 5  # type: ignore[attr-defined]
    module.Audit = type("Audit", (), {})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "acme_handlers", module)
    return module


def test_handler_is_loaded_by_its_address(acme: ModuleType) -> None:
    """package.module:function."""
    assert load_handler("acme_handlers:on_audit") is acme.on_audit


@pytest.mark.usefixtures("acme")
@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("acme_missing.handlers:on_audit", "there is no module 'acme_missing'.*install its package"),
        ("acme_handlers:on_audits", "has no 'on_audits'; did you mean 'on_audit'"),
        ("acme_handlers:LIMIT", "not a function but of type int"),
        ("acme_handlers:Audit", "not a function but of type type"),
        ("tests.unit.stream.unimportable:handle", "raised ZeroDivisionError"),
    ],
)
def test_handler_that_cannot_be_loaded_is_a_config_problem(address: str, why: str) -> None:
    """Found when the rules are built, before the first row."""
    with pytest.raises(ConfigInvalid, match=why) as caught:
        Rules(config(f'  app.t:\n    - {{handler: "{address}"}}\n'))
    assert len(caught.value.problems) == 1


def test_handler_of_the_documentation_counts_orders() -> None:
    """The example runs as it stands there."""
    text = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text()
    example = (
        text.split("```python\n")[1].split("```")[0].replace("from hasync import", "from hasync.stream.handlers import")
    )
    names: dict[str, Any] = {}
    exec(example.replace("command, ", ""), {"command": command}, names)  # noqa: S102 - our own documentation
    layout = table("app.orders", "user_id", "amount", user_id=Kind.INTEGER, amount=Kind.INTEGER)
    tables = '  app.orders:\n    - {handler: "acme:h"}\n'
    stream = Stream(tables, layout, {"acme:h": names["on_order"]})
    assert commands(stream.update(({"user_id": 1, "amount": 5}, {"user_id": 2, "amount": 7}))) == [
        (b"INCRBY", b"spent:1", b"-5"),
        (b"INCRBY", b"spent:2", b"7"),
    ]
