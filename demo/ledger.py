"""What MySQL says: the tables as they are, and the ledger that its triggers kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything the audit must know of MySQL, read in one snapshot.

    ``rows``: row changes that the workload committed. ``balances``: by uid, the last
    balance that an update set. ``seeded``: cache keys that were put into Redis;
    ``touched``: those that a committed change made invalid. ``orders_by_user``,
    ``orders_by_status``: orders there are; ``order_changes``: changes there were, by
    operation. ``products``: columns by id, as ``SELECT`` prints them, None for NULL.
    """

    rows: int = 0
    balances: Mapping[int, int | None] = field(default_factory=dict)
    seeded: frozenset[bytes] = frozenset()
    touched: frozenset[bytes] = frozenset()
    orders_by_user: Mapping[int, int] = field(default_factory=dict)
    orders_by_status: Mapping[str, int] = field(default_factory=dict)
    order_changes: Mapping[str, int] = field(default_factory=dict)
    products: Mapping[int, Mapping[str, str | None]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, order=True)
class BinlogEnd:
    """How far the server has written; comparable within one server."""

    file_number: int
    pos: int

    @classmethod
    def of(cls, file: str, pos: int) -> "BinlogEnd":
        """Compare files by the number at the end of their name."""
        return cls(int(file.rpartition(".")[2]), pos)


def read(connection: Any) -> Facts:
    """Read the facts through an open PyMySQL connection, all from one snapshot."""
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        facts = Facts(
            rows=_pairs(cursor, "SELECT 'rows', COUNT(*) FROM ledger.changes")["rows"],
            balances=_pairs(cursor, "SELECT uid, balance FROM ledger.balances"),
            seeded=_keys(cursor, "seeded"),
            touched=_keys(cursor, "touched"),
            orders_by_user=_pairs(cursor, "SELECT user_id, COUNT(*) FROM test.orders GROUP BY user_id"),
            orders_by_status=_pairs(cursor, "SELECT status, COUNT(*) FROM test.orders GROUP BY status"),
            order_changes=_pairs(
                cursor, "SELECT operation, COUNT(*) FROM ledger.changes WHERE tbl = 'orders' GROUP BY operation"
            ),
            products=_products(cursor),
        )
        connection.rollback()
        return facts


def _pairs(cursor: Any, query: str) -> dict[Any, Any]:
    cursor.execute(query)
    return dict(cursor.fetchall())


def _keys(cursor: Any, table: str) -> frozenset[bytes]:
    cursor.execute(f"SELECT cache_key FROM ledger.{table}")
    return frozenset(key for (key,) in cursor.fetchall())


def _products(cursor: Any) -> dict[int, dict[str, str | None]]:
    cursor.execute("SELECT id, name, CAST(price AS CHAR), CAST(stock AS CHAR) FROM test.products")
    return {key: {"name": name, "price": price, "stock": stock} for key, name, price, stock in cursor.fetchall()}
