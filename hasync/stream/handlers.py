"""Handlers: Python functions from row changes to Redis commands, for what a rule cannot say.

A handler writes nothing itself. What it returns goes into the same atomic step as the
position, so its effect, a counter too, happens exactly once. It must depend on its
rows alone: a batch may be computed again after a fault.
"""

import importlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any, TypeVar

from hasync.errors import ConfigInvalid, HandlerFailed
from hasync.model.change import Column, Kind, Operation, Row, Table
from hasync.model.command import ALLOWED, Command
from hasync.model.names import nearest
from hasync.model.rule import RESERVED_PREFIX
from hasync.stream.writes import keys_of

Function = TypeVar("Function", bound=Callable[..., Any])

_NEEDS = "hasync_needs"
_CONVERSIONS: dict[Kind, Callable[[bytes], Any]] = {
    Kind.INTEGER: int,
    Kind.DECIMAL: lambda text: Decimal(text.decode()),
    Kind.FLOAT: float,
    Kind.TEXT: bytes.decode,
    Kind.BYTES: bytes,
    Kind.JSON: json.loads,
    Kind.TEMPORAL: bytes.decode,
    Kind.ENUM: bytes.decode,
    Kind.SET: bytes.decode,
    Kind.BIT: lambda text: int.from_bytes(text, "big"),
}


def needs(*columns: str) -> Callable[[Function], Function]:
    """Declare the columns that a handler reads, so that only those are decoded; undeclared, all are."""

    def mark(function: Function) -> Function:
        setattr(function, _NEEDS, columns)
        return function

    return mark


class Layout:
    """Where the columns of one image are in its row tuples, and how to read them. One per table and image."""

    __slots__ = ("names", "places", "table")

    def __init__(self, table: Table, selected: Sequence[int], declared: Sequence[str] | None = None) -> None:
        """``selected``: column numbers in the tuples' order; ``declared``: the names to show, None for all."""
        shown = None if declared is None else {name.lower() for name in declared}
        self.table = table.path
        self.places: dict[str, tuple[int, Column]] = {}
        names = []
        for place, column in enumerate(table.columns[number] for number in selected):
            if shown is None or column.name.lower() in shown:
                names.append(column.name)
                self.places[column.name.lower()] = self.places[column.name] = (place, column)
        self.names = tuple(names)


class RowImage(Mapping[str, Any]):
    """One image of a row: column name → Python value, None for NULL, converted when it is read.

    int, Decimal, float, str, bytes; JSON is parsed, BIT an int, ENUM and SET their
    text, dates and times the text that SELECT shows. Names compare without regard to case.
    """

    __slots__ = ("_layout", "_row")

    def __init__(self, layout: Layout, row: Row) -> None:
        self._layout = layout
        self._row = row

    def __getitem__(self, name: str) -> Any:
        """Convert the column's value. Raises KeyError, and HandlerFailed for a value that is not of its kind."""
        place, column = self._find(name)
        value = self._row[place]
        try:
            return None if value is None else _CONVERSIONS[column.kind](value)
        except (ValueError, ArithmeticError):
            where = f"{self._layout.table}.{column.name}"
            # Without its cause: that one quotes the value.
            raise HandlerFailed(f"a value of column {where} is not {column.kind.value}") from None

    def raw(self, name: str) -> bytes | None:
        """Return the bytes that SELECT would show, None for NULL."""
        return self._row[self._find(name)[0]]

    def _find(self, name: str) -> tuple[int, Column]:
        places = self._layout.places
        found = places.get(name) or places.get(name.lower())
        if found is None:
            raise KeyError(f"no column {name!r} in this image of {self._layout.table}; {nearest(name, self)}")
        return found

    def __contains__(self, name: object) -> bool:
        """Whether the image has the column."""
        return isinstance(name, str) and name.lower() in self._layout.places

    def __iter__(self) -> Iterator[str]:
        """Name the columns, in the table's order."""
        return iter(self._layout.names)

    def __len__(self) -> int:
        """Count the columns."""
        return len(self._layout.names)

    def __repr__(self) -> str:
        """Name the columns only: row values do not belong in logs (I12)."""
        return f"<row image of {self._layout.table}: {', '.join(self)}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChange:
    """One changed row, as a handler sees it. ``old`` is empty for an insert, ``new`` for a delete."""

    schema: str
    table: str
    operation: Operation
    old: Mapping[str, Any]
    new: Mapping[str, Any]

    @property
    def row(self) -> Mapping[str, Any]:
        """The newest image there is: ``new``, for a delete ``old``."""
        return self.old if self.operation is Operation.DELETE else self.new


NO_IMAGE: Mapping[str, Any] = MappingProxyType({})
"""The old image of an insert, the new one of a delete."""

Handler = Callable[[Iterable[RowChange]], Iterable[Command]]


def needed_columns(handler: Handler) -> tuple[str, ...] | None:
    """Return what :func:`needs` declared, None when nothing was."""
    columns: tuple[str, ...] | None = getattr(handler, _NEEDS, None)
    return columns


def load_handler(address: str) -> Handler:
    """Import ``package.module:function``.

    Raises ConfigInvalid when the module cannot be imported, or has no such function.
    """
    module_name, _, name = address.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or module_name
        raise _unusable(address, f"there is no module {missing!r} in this instance", _INSTALL) from error
    except Exception as error:
        raise _unusable(
            address, f"importing {module_name!r} raised {type(error).__name__}: {error}", _INSTALL
        ) from error
    if not hasattr(module, name):
        functions = [known for known, value in vars(module).items() if callable(value) and not known.startswith("_")]
        raise _unusable(address, f"module {module_name!r} has no {name!r}", nearest(name, functions) or _INSTALL)
    handler = getattr(module, name)
    if not callable(handler) or isinstance(handler, type):
        raise _unusable(address, f"{name!r} is not a function but of type {type(handler).__name__}", "name a function")
    function: Handler = handler
    return function


_INSTALL = "install its package in the image of every instance, or correct the address"


def _unusable(address: str, what: str, remedy: str) -> ConfigInvalid:
    problem = f"handler {address!r}: {what}; {remedy}"
    return ConfigInvalid(problem, problems=(problem,))


def commands_of(address: str, handler: Handler, table: Table, changes: Sequence[RowChange]) -> list[Command]:
    """Call the handler and check what it returns. Raises HandlerFailed, which never holds a row's value."""
    operation = changes[0].operation
    try:
        returned = handler(changes)
        commands = None if isinstance(returned, str | bytes | Mapping) else list(returned)
    except HandlerFailed as failure:
        raise _failed(address, table, operation, failure.message) from None
    except (Exception, SystemExit) as error:  # noqa: BLE001 - foreign code may raise anything; it is mapped here
        # Without its cause: its text may hold values of the row.
        raise _failed(address, table, operation, f"it raised {type(error).__name__} {_place_of(error)}") from None
    if commands is None:
        raise _failed(address, table, operation, f"it returned a {type(returned).__name__}")
    for command in commands:
        if what := _junk(command):
            raise _failed(address, table, operation, what)
    return commands


def _junk(command: object) -> str:
    """Say what is wrong with something a handler returned; empty for a command."""
    if not isinstance(command, tuple) or {*map(type, command)} - {bytes}:
        return f"it returned a {type(command).__name__} among its commands"
    trait = ALLOWED.get(command[0]) if command else None
    if trait is None:
        return "it returned a command that a stream may not use"
    if len(command) - 1 < trait.least_arguments:
        return f"it returned {command[0].decode()} with too few arguments"
    if any(key.startswith(RESERVED_PREFIX) for key in keys_of(command)):
        return f"it returned {command[0].decode()} for a key of hasync itself"
    return ""


def _place_of(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return ""
    return f"in {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"


def _failed(address: str, table: Table, operation: Operation, what: str) -> HandlerFailed:
    message = f"handler {address!r} failed on {operation.value} of {table.path}: {what}"
    return HandlerFailed(message, hint="a handler returns a list of hasync.command(...), or yields them")
