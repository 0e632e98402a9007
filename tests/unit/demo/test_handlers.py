"""The demo's handler counts every row change exactly once."""

from demo.handlers import count_orders
from hasync.model.change import Operation
from hasync.stream.handlers import RowChange


def change(operation: Operation, old: dict[str, object], new: dict[str, object]) -> RowChange:
    """Return a row change of test.orders."""
    return RowChange(schema="test", table="orders", operation=operation, old=old, new=new)


def test_insert_move_and_cancel_become_increments() -> None:
    """Deltas of one batch are added up, and what cancels out is not sent."""
    placed = {"user_id": 1, "status": "new"}
    moved = {"user_id": 2, "status": "new"}
    commands = count_orders(
        [
            change(Operation.INSERT, {}, placed),
            change(Operation.UPDATE, placed, moved),
            change(Operation.INSERT, {}, placed),
        ]
    )
    assert sorted(commands) == [
        (b"HINCRBY", b"stats:changes", b"insert", b"2"),
        (b"HINCRBY", b"stats:changes", b"update", b"1"),
        (b"HINCRBY", b"stats:status", b"new", b"2"),
        (b"INCRBY", b"stats:orders:1", b"1"),
        (b"INCRBY", b"stats:orders:2", b"1"),
    ]


def test_cancelled_order_counts_down() -> None:
    """A delete has no new image."""
    commands = count_orders([change(Operation.DELETE, {"user_id": 1, "status": "返品"}, {})])
    assert sorted(commands) == [
        (b"HINCRBY", b"stats:changes", b"delete", b"1"),
        (b"HINCRBY", b"stats:status", "返品".encode(), b"-1"),
        (b"INCRBY", b"stats:orders:1", b"-1"),
    ]
