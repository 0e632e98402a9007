"""A throw-away MariaDB."""

from pathlib import Path
from typing import ClassVar

from testbed.sql import ACCOUNTS, Options, SqlServer, arguments, as_root
from testbed.templates import run, template
from testbed.trees import mariadb_version, program

SMALL: Options = {"innodb-log-file-size": "16M", "innodb-buffer-pool-size": "64M"}
# The installer runs without grant tables, and leaves root without a password on 127.0.0.1.
SETUP = f"""
DELETE FROM mysql.global_priv WHERE User = '' OR (User = 'root' AND Host <> 'localhost');
FLUSH PRIVILEGES;
{ACCOUNTS}"""


class MariaDb(SqlServer):
    """A MariaDB server (10.11 on Debian 12)."""

    flavor: ClassVar[str] = "mariadb"
    defaults: ClassVar[Options] = {
        **SMALL,
        "log-bin": "mysql-bin",
        "binlog-format": "ROW",
        "binlog-row-metadata": "FULL",
        "binlog-row-image": "FULL",
        "gtid-strict-mode": "ON",
        "innodb-flush-log-at-trx-commit": 2,
        "sync-binlog": 0,
        "skip-name-resolve": None,
    }

    def _template(self) -> Path:
        return template("mariadb", mariadb_version(), SETUP, repr(SMALL), build=build)

    def _server_command(self) -> list[str]:
        return [str(program("mariadbd")), "--no-defaults"]

    def gtid_set(self) -> str:
        """Return `@@gtid_binlog_pos`."""
        return str(self.sql("SELECT @@GLOBAL.gtid_binlog_pos")[0][0])

    def binlog_position(self) -> tuple[str, int]:
        """Return the current binlog file and the position of its end."""
        file, position, *_ = self.sql("SHOW MASTER STATUS")[0]
        return str(file), int(position)


def build(data: Path) -> None:
    """Initialise a data directory, with the accounts in it and its binlog still off."""
    accounts = data.with_name("accounts.sql")
    accounts.write_text(SETUP)
    options = {**SMALL, "datadir": data, "auth-root-authentication-method": "normal", "extra-file": accounts}
    # --force: the host's own name need not resolve; the accounts of that name are removed again anyway.
    install = [str(program("mariadb-install-db")), "--no-defaults", "--skip-test-db", "--force", *as_root()]
    run([*install, *arguments(options)], what="mariadb-install-db")
