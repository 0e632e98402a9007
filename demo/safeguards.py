"""What ``SECURE=1`` adds: TLS with verification everywhere, secrets in files, and just the rights that are needed."""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from testbed import Authority, Redis, SqlServer

ACCOUNTS: Final = Path(__file__).resolve().parent.parent / "docs" / "accounts"
USER: Final = "hasync"
SECRETS: Final = ("source", "redis", "zookeeper")

KEYS: Final = "~order:* ~product:* ~stats:* +incrby +hincrby"
"""The demo's keys beside ``user:*``, and the commands of its handler, which no rule announces."""

ADMIN: Final = "admin"


class Safeguards:
    """One run's authority, server certificate, passwords and accounts; the files lie in ``directory``."""

    def __init__(self, directory: Path) -> None:
        """Make the certificate and the passwords."""
        self._directory = directory / "safeguards"
        self._authority = Authority(self._directory)
        self.certificate = self._authority.issue("servers")
        self._passwords = {name: secrets.token_urlsafe(12) for name in SECRETS}
        self.admin_password = secrets.token_urlsafe(12)
        for name, password in self._passwords.items():
            self._file(name).write_text(f"{USER}:{password}" if name == "zookeeper" else password, encoding="utf-8")

    def _file(self, name: str) -> Path:
        return self._directory / f"{name}.secret"

    def acl_file(self) -> str:
        """Write Redis' users: hasync's own, and the demo's clients', who look at everything. Return the path."""
        path = self._directory / "users.acl"
        users = _filled("redis.acl", self._passwords["redis"]).rstrip("\n")
        admin = f"user {ADMIN} on >{self.admin_password} allkeys allchannels allcommands"
        path.write_text(f"{users} {KEYS}\n{admin}\n", encoding="utf-8")
        return str(path)

    def redis(self, directory: Path) -> Redis:
        """Return a Redis with these users, not started."""
        options = {"aclfile": self.acl_file()}
        return Redis(directory, tls=self.certificate, options=options, username=ADMIN, password=self.admin_password)

    def admit(self, source: SqlServer) -> None:
        """Replace the testbed's account by the one of docs/accounts."""
        source.sql("DROP USER IF EXISTS hasync")
        source.script(_filled(f"{source.flavor}.sql", self._passwords["source"]))

    def environment(self) -> Mapping[str, str]:
        """Return what instances and commands are given; no secret is in it."""
        return {
            "HASYNC_ZOOKEEPER__AUTH": f"file:{self._file('zookeeper')}",
            "HASYNC_ZOOKEEPER__TLS__CA": str(self._authority.file),
            "HASYNC_ZOOKEEPER__OPEN_TREE": "refuse",
        }

    def fortify(self, document: str) -> str:
        """Return a stream's config with TLS, and with references to the secrets."""
        tls = f'tls: {{ca: "{self._authority.file}"}}'
        source = f'{tls}\n  password: "file:{self._file("source")}"'
        redis = f'{tls}\n  username: {USER}\n  password: "file:{self._file("redis")}"\n  url: "rediss://'
        return document.replace('password: "env:MYSQL_PASSWORD"', source).replace('url: "redis://', redis)


def _filled(name: str, password: str) -> str:
    return (ACCOUNTS / name).read_text(encoding="utf-8").replace("CHANGE-ME", password)
