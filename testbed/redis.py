"""A throw-away Redis, and replicas of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol

import redis

from testbed.servers import Server
from testbed.trees import redis_server
from testbed.waiting import wait_until

Settings = Mapping[str, str | int]


class Address(Protocol):
    """Anything with a host and a port: a server, or a proxy in front of one."""

    @property
    def host(self) -> str:
        """Where it listens."""

    @property
    def port(self) -> int:
        """Where it listens."""


class Redis(Server):
    """A Redis server, which forgets everything when it stops, unless `options` say `appendonly: yes`."""

    defaults: ClassVar[Settings] = {
        "save": "",
        "appendonly": "no",
        "protected-mode": "no",
        "repl-diskless-sync-delay": 0,
    }

    def __init__(
        self,
        workdir: Path,
        *,
        name: str = "redis",
        options: Settings | None = None,
        replica_of: Address | None = None,
        password: str | None = None,
    ) -> None:
        """Take a place below `workdir`, without starting anything.

        Args:
            options: as in redis.conf; they override `defaults`.
            replica_of: the primary, or a proxy in front of it; it must run when this one is started.
            password: what clients, and the replicas of this server, must give.
        """
        super().__init__(workdir, name=name)
        self.password = password
        self._replica_of = replica_of
        secret = {"requirepass": password, "masterauth": password} if password else {}
        self.options = {**self.defaults, **secret, **(options or {})}

    def _prepare(self) -> None:
        (self.directory / "redis-server").symlink_to(redis_server())  # the program looks at its name
        place = {"bind": self.host, "port": self.port, "dir": self.directory}
        lines = [f'{name} "{value}"' for name, value in {**place, **self.options}.items()]
        if self._replica_of is not None:
            lines.append(f"replicaof {self._replica_of.host} {self._replica_of.port}")
        (self.directory / "redis.conf").write_text("\n".join(lines) + "\n")

    def _command(self) -> list[str]:
        return [str(self.directory / "redis-server"), str(self.directory / "redis.conf")]

    def _ready(self) -> bool:
        try:
            info = self.info("replication")
        except (redis.RedisError, OSError):
            return False
        return bool(info["role"] == "master" or info["master_link_status"] == "up")

    def client(self, **settings: Any) -> "redis.Redis":
        """Return a new redis-py client without retries of its own; close it, or use it as a context manager."""
        known = {"host": self.host, "port": self.port, "password": self.password, "socket_timeout": 5}
        return redis.Redis(**{**known, "retry": None, **settings})

    def command(self, *words: str | bytes | float) -> Any:
        """Run one command on a connection of its own and return the answer."""
        with self.client() as client:
            return client.execute_command(*words)

    def info(self, section: str) -> dict[str, Any]:
        """Return one section of INFO."""
        with self.client(socket_timeout=1) as client:
            return dict(client.info(section))

    def promote(self) -> None:
        """Make a replica a primary, with what it has."""
        self.command("REPLICAOF", "NO", "ONE")

    def follow(self, primary: Address) -> None:
        """Make this server a replica: it drops its data and copies the primary's."""
        self.command("REPLICAOF", primary.host, primary.port)
        wait_until(f"{self.name} follows {primary.host}:{primary.port}", self._ready)

    def wait_in_sync(self, primary: "Redis", timeout_s: float = 10.0) -> None:
        """Wait until this replica has everything the primary has now.

        Raises:
            DeadlineError: It has not after `timeout_s` seconds.
        """
        goal = primary.info("replication")["master_repl_offset"]
        wait_until(
            f"{self.name} has what {primary.name} has",
            lambda: self.info("replication")["slave_repl_offset"] >= goal,
            timeout_s=timeout_s,
        )
