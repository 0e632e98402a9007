"""Transactions at a steady rate, made inside MySQL, so that the clients take nothing from the instances."""

import threading
from typing import Any, Final, Self

from testbed import SqlServer

ROWS: Final = 500
BURST_S: Final = 0.01

SCHEMA: Final = f"""
CREATE DATABASE load_test;
CREATE TABLE load_test.counter (id INT PRIMARY KEY, n INT NOT NULL);
CREATE TABLE load_test.going (one INT PRIMARY KEY, yes INT NOT NULL);
SET SESSION cte_max_recursion_depth = {ROWS + 1};
INSERT INTO load_test.counter
    WITH RECURSIVE ids (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM ids WHERE id < {ROWS}) SELECT id, 1 FROM ids;
"""

# One UPDATE is one transaction of one row: RAND() in its WHERE would be drawn anew for each row it looks at.
# The sleep is what is left of each hundredth of a second; what a busy server owes is made up for, up to a second of it.
PROCEDURE: Final = f"""
CREATE PROCEDURE load_test.run(burst INT)
BEGIN
    DECLARE done INT; DECLARE which INT; DECLARE left_s DOUBLE; DECLARE due DOUBLE DEFAULT UNIX_TIMESTAMP(SYSDATE(6));
    WHILE (SELECT yes FROM load_test.going) DO
        SET done = 0, due = due + {BURST_S};
        WHILE done < burst DO
            SET which = 1 + FLOOR(RAND() * {ROWS});
            UPDATE load_test.counter SET n = n + 1 WHERE id = which;
            SET done = done + 1;
        END WHILE;
        SET left_s = due - UNIX_TIMESTAMP(SYSDATE(6));
        IF left_s > 0 THEN DO SLEEP(left_s); END IF;
        IF left_s < -1 THEN SET due = due - left_s - 1; END IF;
    END WHILE;
END
"""


class Load:
    """The load, for the length of a ``with``. ``total``: transactions committed, once it is over."""

    def __init__(self, database: SqlServer, *, per_s: int) -> None:
        """Prepare the tables; ``per_s``: transactions per second."""
        self._database = database
        self._burst = max(1, round(per_s * BURST_S))
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)
        self.error: Exception | None = None
        database.script(SCHEMA)
        database.sql(PROCEDURE)

    def _run(self) -> None:
        try:
            self._database.sql("CALL load_test.run(%s)", (self._burst,))
        except Exception as error:  # noqa: BLE001 - shown in the main thread
            self.error = error

    def __enter__(self) -> Self:
        """Begin."""
        self._database.sql("INSERT INTO load_test.going VALUES (1, 1)")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and wait until the last one is committed."""
        self._database.sql("UPDATE load_test.going SET yes = 0")
        self._thread.join(30)

    @property
    def committed(self) -> int:
        """Transactions committed so far."""
        return sum(self.demanded().values()) - ROWS

    def demanded(self) -> dict[int, int]:
        """Return for each row how often it was changed, the insert included."""
        rows: list[tuple[Any, ...]] = self._database.sql("SELECT id, n FROM load_test.counter")
        return {int(row[0]): int(row[1]) for row in rows}
