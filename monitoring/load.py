"""A shop: orders and carts that come, change and go, made inside MySQL so that the clients cost nothing."""

import threading
from typing import Final, Self

from testbed import SqlServer

STREAMS: Final = ("orders", "carts")

SCHEMA: Final = """
CREATE DATABASE shop;
CREATE TABLE shop.orders (id INT PRIMARY KEY, user_id INT NOT NULL, total DECIMAL(10, 2) NOT NULL);
CREATE TABLE shop.carts (id INT PRIMARY KEY, items INT NOT NULL);
CREATE TABLE shop.visits (id INT PRIMARY KEY AUTO_INCREMENT, at DATETIME NOT NULL);
CREATE TABLE shop.going (one INT PRIMARY KEY, yes INT NOT NULL);
"""

RULES: Final = {
    "orders": '{hash: {key: "order:{id}", fields: [user_id, total]}}',
    "carts": '{set: {key: "cart:{id}", value: "{items}"}}',
}

# Bursts of a tenth of a second, larger and smaller in turn: a flat line shows nothing.
PROCEDURE: Final = """
CREATE PROCEDURE shop.run()
BEGIN
    DECLARE turn INT DEFAULT 0; DECLARE done INT; DECLARE next_id INT DEFAULT 0;
    WHILE (SELECT yes FROM shop.going) DO
        SET done = 0, turn = turn + 1;
        WHILE done < 20 + 15 * SIN(turn / 40) DO
            SET done = done + 1, next_id = next_id + 1;
            INSERT INTO shop.orders VALUES (next_id, next_id % 97, next_id / 3);
            UPDATE shop.orders SET total = total + 1 WHERE id = next_id - 5;
            DELETE FROM shop.orders WHERE id = next_id - 500;
            REPLACE INTO shop.carts VALUES (next_id % 300, done);
            IF done % 4 = 0 THEN INSERT INTO shop.visits (at) VALUES (NOW()); END IF;
        END WHILE;
        DO SLEEP(0.1);
    END WHILE;
END
"""


def config_of(stream: str, *, source: str, user: str, redis: str) -> str:
    """Return a stream's config; each writes to a Redis database of its own."""
    return (
        f'version: 1\nsource: {{hosts: ["{source}"], user: {user}, password: "env:MYSQL_PASSWORD", start: latest}}\n'
        f'redis: {{url: "redis://{redis}/{STREAMS.index(stream)}"}}\n'
        f"tables:\n  shop.{stream}:\n    - {RULES[stream]}\n"
    )


class Shop:
    """The load, for the length of a ``with``."""

    def __init__(self, database: SqlServer) -> None:
        """Make the tables."""
        self._database = database
        self._thread = threading.Thread(target=self._run, name="shop", daemon=True)
        self.error: Exception | None = None
        database.script(SCHEMA)
        database.sql(PROCEDURE)

    def _run(self) -> None:
        try:
            self._database.sql("CALL shop.run()")
        except Exception as error:  # noqa: BLE001 - a thread's top frame: shown in the main one
            self.error = error

    def __enter__(self) -> Self:
        """Open."""
        self._database.sql("INSERT INTO shop.going VALUES (1, 1)")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close, and wait until the last one is served."""
        self._database.sql("UPDATE shop.going SET yes = 0")
        self._thread.join(30)
