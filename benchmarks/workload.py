"""The workloads: which rows go into the binlog, what a rule makes of each, and what Redis must hold afterwards.

What Redis must hold is written as SQL, so that MySQL itself says what each row's key and value are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Words = tuple[str, ...]
"""A Redis command; each word is an SQL expression over the table's columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One table, one rule. The first column is the primary key and counts the rows from 0 in the binlog's order.

    Args:
        values: what row number ``i`` is inserted with, one SQL expression per column.
        event_rows: rows of each transaction, which is one INSERT and one rows event.
        rule: as in the ``tables`` of a stream's config.
        commands: the row's effect as plain Redis commands.
        question: what the audit asks Redis for the row; ``reply``: what Redis must answer, words or a number.
        before: commands that must have run for the row before a contender starts.
        keys_left: keys that a row leaves in Redis.
    """

    name: str
    table: str
    columns: str
    values: str
    event_rows: int
    rule: Mapping[str, Any]
    commands: tuple[Words, ...]
    question: Words
    reply: Words | int
    before: tuple[Words, ...] = ()
    keys_left: int = 1

    @property
    def row_number(self) -> str:
        """The column that counts the rows."""
        return self.columns.split()[0]


def _word(text: str) -> str:
    return f"'{text}'"


def _set(key: str, value: str) -> dict[str, Any]:
    return {"commands": ((_word("SET"), key, value),), "question": (_word("GET"), key), "reply": (value,)}


def _balance(name: str, *, event_rows: int) -> Workload:
    return Workload(
        name=name,
        table="user_balance",
        columns="uid INT NOT NULL PRIMARY KEY, username VARCHAR(50), balance INT, update_time DATETIME",
        values="i, CONCAT('user', i), i * 7919 MOD 1000003, TIMESTAMP '2025-01-01 00:00:00' + INTERVAL i SECOND",
        event_rows=event_rows,
        rule={"set": {"key": "user:balance:{uid}", "value": "{balance}"}},
        **_set("CONCAT('user:balance:', uid)", "balance"),
    )


WIDE_COLUMNS = 50
_WIDE_TYPES = (
    ("INT", "i + {n}"),
    ("VARCHAR(32)", "CONCAT('text of column {n}: ', i)"),
    ("BIGINT", "i * 1000003 + {n}"),
    ("DATETIME", "TIMESTAMP '2025-01-01 00:00:00' + INTERVAL i SECOND"),
    ("DECIMAL(12,2)", "(i * 7919 + {n}) / 100"),
    ("VARCHAR(32)", "CONCAT('more of column {n}: ', i)"),
    ("TINYINT", "(i + {n}) MOD 128"),
)


def _wide() -> Workload:
    kinds = [(n, *_WIDE_TYPES[n % len(_WIDE_TYPES)]) for n in range(1, WIDE_COLUMNS)]
    return Workload(
        name="wide",
        table="profile",
        columns=", ".join(["id INT NOT NULL PRIMARY KEY", *(f"c{n} {kind}" for n, kind, _ in kinds)]),
        values=", ".join(["i", *(value.format(n=n) for n, _, value in kinds)]),
        event_rows=10,
        rule={"set": {"key": "profile:{id}", "value": "{c7}:{c33}"}},
        **_set("CONCAT('profile:', id)", "CONCAT(c7, ':', c33)"),
    )


_ORDER_KEYS = (
    "CONCAT('order:', id)",
    "CONCAT('user:', user_id, ':orders')",
    "CONCAT('user:', user_id, ':order:stats')",
)


def _deletes() -> Workload:
    """Return the workload of a cache that is invalidated; no two rows share a key, and each key is there before."""
    return Workload(
        name="deletes",
        table="orders",
        columns="id INT NOT NULL PRIMARY KEY, user_id INT, amount DECIMAL(12,2), status VARCHAR(20), created DATETIME",
        values="i, i * 7919 MOD 1000003, i / 100, 'paid', TIMESTAMP '2025-01-01 00:00:00' + INTERVAL i SECOND",
        event_rows=10,
        rule={"delete": ["order:{id}", "user:{user_id}:orders", "user:{user_id}:order:stats"]},
        commands=tuple((_word("DEL"), key) for key in _ORDER_KEYS),
        question=(_word("EXISTS"), *_ORDER_KEYS),
        reply=0,
        before=tuple((_word("SET"), key, _word("cached")) for key in _ORDER_KEYS),
        keys_left=0,
    )


def _hashes() -> Workload:
    fields = ("name", "price", "stock")
    key = "CONCAT('product:', id)"
    return Workload(
        name="hashes",
        table="products",
        columns="id INT NOT NULL PRIMARY KEY, name VARCHAR(100), price DECIMAL(10,2), stock INT, update_time DATETIME",
        values="i, CONCAT('product number ', i), (i * 7919 MOD 1000003) / 100, i MOD 5000, "
        "TIMESTAMP '2025-01-01 00:00:00' + INTERVAL i SECOND",
        event_rows=10,
        rule={"hash": {"key": "product:{id}", "fields": list(fields)}},
        commands=((_word("HSET"), key, *(word for name in fields for word in (_word(name), name))),),
        question=(_word("HMGET"), key, *map(_word, fields)),
        reply=fields,
    )


BULK = _balance("bulk", event_rows=10)
LARGE = _balance("large", event_rows=0)
LATENCY = _balance("latency", event_rows=1)
WORKLOADS = {
    workload.name: workload for workload in (BULK, _balance("one_row", event_rows=1), _wide(), _deletes(), _hashes())
}
ALL = {**WORKLOADS, LARGE.name: LARGE, LATENCY.name: LATENCY}
