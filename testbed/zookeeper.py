"""A throw-away ZooKeeper: one server, or an ensemble."""

import re
import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import ClassVar, Self

from testbed.certificates import Certificate
from testbed.ports import PortLease
from testbed.servers import Server
from testbed.trees import program, zookeeper_classpath
from testbed.waiting import wait_until

JVM = [
    "-Xmx128m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-Dzookeeper.forceSync=no",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
]
MAIN = "org.apache.zookeeper.server.quorum.QuorumPeerMain"


class ZooKeeper(Server):
    """One ZooKeeper server: alone, or (made by `Ensemble`) a member.

    Sessions last from two to twenty ticks, 1 to 10 s, unless `options` set min- and maxSessionTimeout (ms).
    """

    defaults: ClassVar[Mapping[str, str | int]] = {
        "tickTime": 500,
        "initLimit": 20,
        "syncLimit": 8,
        "admin.enableServer": "false",
        "4lw.commands.whitelist": "*",
        "maxClientCnxns": 0,
    }

    def __init__(
        self,
        workdir: Path,
        *,
        name: str = "zookeeper",
        number: int = 1,
        options: Mapping[str, str | int] | None = None,
        tls: Certificate | None = None,
    ) -> None:
        """Take a place below `workdir`, without starting anything.

        Args:
            number: the server's id in its ensemble.
            options: as in zoo.cfg; they override `defaults`.
            tls: the server's certificate; it then takes encrypted connections only. Clients may show one of the
                same authority, which is an identity then, and must where ``ssl.clientAuth`` is ``need``.
        """
        super().__init__(workdir, name=name)
        self.number = number
        self.tls = tls
        self.options = {**self.defaults, **_tls_options(tls), **(options or {})}
        self.members: Sequence[ZooKeeper] = ()
        self._quorum, self._election = PortLease(), PortLease()

    @property
    def hosts(self) -> str:
        """The connect string."""
        return self.address

    @property
    def membership(self) -> str:
        """This server's line in every member's configuration."""
        return f"server.{self.number}={self.host}:{self._quorum.port}:{self._election.port}"

    def _prepare(self) -> None:
        data = self.directory / "data"
        data.mkdir()
        (data / "myid").write_text(f"{self.number}\n")
        secure = "secureClientPort" if self.tls else "clientPort"
        place = {"dataDir": data, secure: self.port, f"{secure}Address": self.host}
        lines = [f"{name}={value}" for name, value in {**place, **self.options}.items()]
        lines += [member.membership for member in self.members]
        (self.directory / "zoo.cfg").write_text("\n".join(lines) + "\n")

    def _command(self) -> list[str]:
        return [
            str(program("java")),
            *JVM,
            "-cp",
            zookeeper_classpath(netty=self.tls is not None),
            MAIN,
            str(self.directory / "zoo.cfg"),
        ]

    def _ready(self) -> bool:
        return self.mode() is not None

    def four_letters(self, word: str) -> str:
        """Return the answer to a four letter word: ruok, srvr, mntr, cons, dump, wchs.

        Raises:
            OSError: The server does not answer within a second.
        """
        with self._dial() as connection:
            connection.sendall(word.encode())
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()

    def _dial(self) -> socket.socket:
        plain = socket.create_connection((self.host, self.port), timeout=1)
        if self.tls is None:
            return plain
        try:
            return self.tls.client_context().wrap_socket(plain, server_hostname=self.host)
        except OSError:
            plain.close()
            raise

    def mode(self) -> str | None:
        """Return "standalone", "leader" or "follower", None while the server does not serve."""
        try:
            found = re.search(r"^Mode: (\w+)$", self.four_letters("srvr"), re.MULTILINE)
        except OSError:
            return None
        return found[1] if found else None

    def wipe(self) -> None:
        """Remove all data of a stopped server, as a lost disk would; it starts empty."""
        shutil.rmtree(self.directory / "data" / "version-2", ignore_errors=True)

    def close(self) -> None:
        """Kill the server, remove its data and give its ports back."""
        super().close()
        self._quorum.close()
        self._election.close()


def _tls_options(tls: Certificate | None) -> Mapping[str, str | int]:
    if tls is None:
        return {}
    return {
        "serverCnxnFactory": "org.apache.zookeeper.server.NettyServerCnxnFactory",
        "ssl.keyStore.type": "PEM",
        "ssl.keyStore.location": str(tls.both),
        "ssl.trustStore.type": "PEM",
        "ssl.trustStore.location": str(tls.authority),
        "ssl.clientAuth": "want",
        "authProvider.1": "org.apache.zookeeper.server.auth.X509AuthenticationProvider",
    }


class Ensemble:
    """Several ZooKeeper servers that elect a leader among themselves; serves as long as most of them run."""

    def __init__(self, workdir: Path, *, size: int = 3, options: Mapping[str, str | int] | None = None) -> None:
        self.members = [
            ZooKeeper(workdir, name=f"zookeeper-{number}", number=number, options=options)
            for number in range(1, size + 1)
        ]
        for member in self.members:
            member.members = self.members

    @property
    def hosts(self) -> str:
        """The connect string, all members in it."""
        return ",".join(member.address for member in self.members)

    @property
    def leader(self) -> ZooKeeper:
        """The member that leads; waits for an election that is under way."""
        return wait_until("the ensemble has a leader", self._leader)

    @property
    def followers(self) -> list[ZooKeeper]:
        """The members that follow."""
        return [member for member in self.members if member.mode() == "follower"]

    def _leader(self) -> ZooKeeper | None:
        return next((member for member in self.members if member.mode() == "leader"), None)

    def start(self) -> Self:
        """Start all members and return when each has found its part.

        Raises:
            StartError: One ended, or did not answer in time.
        """
        for member in self.members:
            member.launch()
        for member in self.members:
            member.wait_ready()
        return self

    def stop(self) -> None:
        """Shut all members down."""
        for member in self.members:
            member.stop()

    def kill(self) -> None:
        """SIGKILL all members."""
        for member in self.members:
            member.kill()

    def close(self) -> None:
        """Kill all members, remove their data and give their ports back."""
        with ExitStack() as stack:
            for member in self.members:
                stack.callback(member.close)

    def __iter__(self) -> Iterator[ZooKeeper]:
        """Go through the members, in the order of their numbers."""
        return iter(self.members)

    def __enter__(self) -> Self:
        """Start all members."""
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        """Kill all members and remove their data."""
        self.close()
