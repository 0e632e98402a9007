"""What is told when a transaction cannot be followed: each with its remedy. ``where`` is event type and place."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from struct import error as StructError  # noqa: N812 - the name says more than "error"

from hasync.binlog.frames import REMEDIES, STATEMENT_REMEDY, Event
from hasync.binlog.remedies import RESET
from hasync.binlog.statements import first_word
from hasync.errors import PositionLost, SourceRefused

DAMAGE = (ValueError, IndexError, StructError, OverflowError, RecursionError)
"""What reading bytes that make no sense ends in."""

_BOUNDARY = f"move the stream to the beginning of a transaction, mysqlbinlog shows where they are: {RESET}"


@contextmanager
def located(where: Callable[[], str]) -> Iterator[None]:
    """Let every error say at which event it came up, and make one of damage. ``where``: event type, file, offset."""
    try:
        yield
    except DAMAGE as why:
        raise damaged(where(), why) from why
    except (SourceRefused, PositionLost) as refused:
        here = where()
        if here not in refused.message:
            refused.message = f"{here}: {refused.message}"
        raise


def damaged(where: str, why: Exception) -> SourceRefused:
    """Return the error for an event whose bytes make no sense; ``where``: its type, file and begin."""
    return SourceRefused(
        f"{where} cannot be read: {why}",
        hint="report this with the output of mysqlbinlog -vvv for that place",
    )


def unknown(event: Event, where: str) -> SourceRefused:
    """Return the error for an event type that may hold rows."""
    return SourceRefused(
        f"cannot follow {where}: it may hold rows that would be lost",
        hint=REMEDIES.get(event.type, "report the server's version and this event's type"),
    )


def statement(sql: bytes, where: str) -> SourceRefused:
    """Return the error for rows that were changed by statement."""
    return SourceRefused(
        f"{where} holds the statement {first_word(sql)} instead of rows, they would be lost", hint=STATEMENT_REMEDY
    )


def inside_from_the_start(where: str) -> PositionLost:
    """Return the error for a dump that began inside a transaction."""
    return PositionLost(
        f"{where} belongs to a transaction that began before the place where reading began", hint=_BOUNDARY
    )


def without_table_map(where: str) -> PositionLost:
    """Return the error for rows of a table that was not described."""
    return PositionLost(f"{where} has no table map: reading began inside a statement", hint=_BOUNDARY)


def nested(where: str) -> SourceRefused:
    """Return the error for a transaction that begins before the last one ended."""
    return SourceRefused(f"{where} begins a transaction inside another", hint="report this")


def without_commit(place: object) -> SourceRefused:
    """Return the error for a transaction that the server never finished, part of which was handed over."""
    return SourceRefused(
        f"the transaction at {place} ends without COMMIT, but part of it was handed over",
        hint=f"compare the tables with Redis, then move the stream behind it: {RESET}",
    )


def fewer_rows(place: object, missing: int) -> PositionLost:
    """Return the error for a transaction with fewer rows than were applied of it."""
    return PositionLost(
        f"the transaction at {place} has {missing} rows less than were applied of it",
        hint=f"this server's history differs: compare the tables with Redis and choose a new place: {RESET}",
    )


def handed_over(where: str) -> SourceRefused:
    """Return the error for a savepoint that takes back what was applied."""
    return SourceRefused(
        f"{where} takes back rows of a large transaction that were handed over in pieces",
        hint="raise batch.max_rows (at most 1000000) and batch.max_bytes (at most 67108864) over the size of that "
        "transaction, then 'hasync config apply'",
    )


def never_set(where: str) -> SourceRefused:
    """Return the error for an unknown savepoint."""
    return SourceRefused(f"{where} rolls back to a savepoint that was never set", hint="report this")
