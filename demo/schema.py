"""The demo's tables and its first rows, on MySQL and MariaDB alike."""

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

HOT_UID = 10086
"""The account of the first worked example; all clients write it."""

FIRST_USERS = 240
"""Users and accounts that exist before the stream begins; most of them are never touched."""

_LEDGER_TABLES = ("changes", "balances", "touched")


def statements(script: str) -> Iterator[str]:
    """Split a script as the mysql client does: at the delimiter, which ``DELIMITER`` lines change."""
    delimiter, lines = ";", list[str]()
    for line in script.splitlines():
        if line.upper().startswith("DELIMITER "):
            delimiter = line.split()[1]
        elif line.rstrip().endswith(delimiter):
            lines.append(line.rstrip().removesuffix(delimiter))
            yield "\n".join(lines).strip()
            lines = []
        elif lines or not line.startswith("--"):
            lines.append(line)


def create(connection: Any) -> None:
    """Make the schema and the first rows; the ledger begins empty after them.

    ``connection`` is an open PyMySQL connection of an account that may do everything.
    """
    with connection.cursor() as cursor:
        for statement in statements(_script()):
            cursor.execute(statement)
        _fill(cursor)
        connection.commit()
        for table in _LEDGER_TABLES:
            cursor.execute(f"TRUNCATE TABLE ledger.{table}")


def first_user_ids() -> range:
    """Return the ids of the users, and the uids of the accounts, that exist from the start."""
    return range(1, FIRST_USERS + 1)


def first_names(user_id: int) -> tuple[str, str]:
    """Return the username and the email address that a first user starts with."""
    return f"first-{user_id}", f"first-{user_id}@example.org"


def _script() -> str:
    return files("demo").joinpath("schema.sql").read_text(encoding="utf-8")


def _fill(cursor: Any) -> None:
    ids = first_user_ids()
    cursor.executemany(
        "INSERT INTO order_db.user_balance VALUES (%s, %s, 0, NOW())",
        [(HOT_UID, "xiaoming"), *((uid, first_names(uid)[0]) for uid in ids)],
    )
    cursor.executemany(
        "INSERT INTO test.users (id, username, email) VALUES (%s, %s, %s)",
        [(user_id, *first_names(user_id)) for user_id in ids],
    )
