"""A throw-away Redis, and replicas of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol

import redis

from testbed.certificates import Certificate
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
        username: str | None = None,
        tls: Certificate | None = None,
    ) -> None:
        """Take a place below `workdir`, without starting anything.

        Args:
            options: as in redis.conf; they override `defaults`.
            replica_of: the primary, or a proxy in front of it; it must run when this one is started.
            password: what clients, and the replicas of this server, must give.
            username: whose the password is, where `options` name an aclfile with that user; None: the default user.
            tls: the server's certificate; it then takes encrypted connections only.
        """
        super().__init__(workdir, name=name)
        self.password = password
        self.username = username
        self.tls = tls
        self._replica_of = replica_of
        secret = {"requirepass": password, "masterauth": password} if password and not username else {}
        self.options = {**self.defaults, **secret, **(options or {})}

    def _prepare(self) -> None:
        (self.directory / "redis-server").symlink_to(redis_server())  # the program looks at its name
        place = {"bind": self.host, "dir": self.directory, **self._ports()}
        lines = [f'{name} "{value}"' for name, value in {**place, **self.options}.items()]
        if self._replica_of is not None:
            lines.append(f"replicaof {self._replica_of.host} {self._replica_of.port}")
        (self.directory / "redis.conf").write_text("\n".join(lines) + "\n")

    def _ports(self) -> Mapping[str, str | int]:
        if self.tls is None:
            return {"port": self.port}
        files = {"tls-cert-file": self.tls.cert, "tls-key-file": self.tls.key, "tls-ca-cert-file": self.tls.authority}
        ports: Settings = {"port": 0, "tls-port": self.port, "tls-auth-clients": "optional", "tls-replication": "yes"}
        return {**ports, **{name: str(file) for name, file in files.items()}}

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
        known: dict[str, Any] = {"host": self.host, "port": self.port, "username": self.username, "socket_timeout": 5}
        known["password"] = self.password
        return redis.Redis(**{**known, **_client_tls(self.tls), "retry": None, **settings})

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


def _client_tls(tls: Certificate | None) -> dict[str, Any]:
    if tls is None:
        return {}
    if not tls.sound:
        return {"ssl": True, "ssl_cert_reqs": "none", "ssl_check_hostname": False}
    shown = {"ssl_certfile": str(tls.cert), "ssl_keyfile": str(tls.key)}
    return {"ssl": True, "ssl_ca_certs": str(tls.authority), "ssl_check_hostname": True, **shown}


class Sentinel(Server):
    """A Redis Sentinel that watches one primary under the name ``main``."""

    defaults: ClassVar[Settings] = {"down-after-milliseconds": 1000, "failover-timeout": 4000, "parallel-syncs": 1}

    def __init__(
        self,
        workdir: Path,
        *,
        primary: Address,
        name: str = "sentinel",
        quorum: int = 2,
        options: Settings | None = None,
        password: str | None = None,
    ) -> None:
        """Take a place below `workdir`, without starting anything.

        Args:
            primary: who is watched; it must run when this one is started.
            quorum: how many Sentinels must agree that it is down.
            options: of ``sentinel OPTION main VALUE``; they override `defaults`.
            password: what clients must give.
        """
        super().__init__(workdir, name=name)
        self.password = password
        self._primary = primary
        self._quorum = quorum
        self.options = {**self.defaults, **(options or {})}

    def _prepare(self) -> None:
        (self.directory / "redis-sentinel").symlink_to(redis_server())  # the program looks at its name
        lines = [f"bind {self.host}", f"port {self.port}", f'dir "{self.directory}"', "protected-mode no"]
        lines += [f'requirepass "{self.password}"'] if self.password else []
        lines += [f"sentinel monitor main {self._primary.host} {self._primary.port} {self._quorum}"]
        lines += [f"sentinel {option} main {value}" for option, value in self.options.items()]
        (self.directory / "sentinel.conf").write_text("\n".join(lines) + "\n")

    def _command(self) -> list[str]:
        return [str(self.directory / "redis-sentinel"), str(self.directory / "sentinel.conf")]

    def _ready(self) -> bool:
        try:
            return bool(self.command("PING"))
        except (redis.RedisError, OSError):
            return False

    def command(self, *words: str) -> Any:
        """Run one command on a connection of its own and return the answer."""
        known: dict[str, Any] = {"host": self.host, "port": self.port, "password": self.password, "socket_timeout": 1}
        with redis.Redis(**{**known, "retry": None}) as client:
            return client.execute_command(*words)

    def primary(self) -> tuple[str, int]:
        """Return whom it takes for the primary."""
        host, port = self.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main")
        return host.decode(), int(port)

    def companions(self) -> tuple[int, int]:
        """Return how many replicas and how many other Sentinels it has found."""
        fields = self.command("SENTINEL", "MASTER", "main")
        return int(fields[b"num-slaves"]), int(fields[b"num-other-sentinels"])
