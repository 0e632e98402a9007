"""The four servers behind TLS, and how hasync dials each of them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hasync.binlog.connection import Login, Tls
from hasync.binlog.server import Server as SqlLink
from hasync.clock import SystemClock
from hasync.cluster.access import Tls as ZooKeeperTls
from hasync.cluster.session import ZooKeeperSession
from hasync.sinks.endpoint import RedisEndpoint
from hasync.sinks.exchange import Exchange
from testbed import Certificate, MariaDb, MySql, Redis, Server, ZooKeeper, wait_until

SESSION_S = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Whom a client trusts, and what it shows."""

    ca: Path
    shown: Certificate | None = None
    key_password: str = ""

    @property
    def cert(self) -> str:
        """Its certificate's file."""
        return str(self.shown.cert) if self.shown else ""

    @property
    def key(self) -> str:
        """Its key's file."""
        return str(self.shown.key) if self.shown else ""


def dial_sql(address: str, client: Client) -> None:
    """Connect as the leader's reader does, and ask one question."""
    files = {"ca_file": str(client.ca), "cert_file": client.cert or None, "key_file": client.key or None}
    tls = Tls(mode="verified", key_password=client.key_password, **files)
    SqlLink(Login(host=address, user="hasync", password="hasync", tls=tls)).close()


def dial_redis(address: str, client: Client) -> None:
    """Connect as the sink does, and ask one question."""
    endpoint = RedisEndpoint(
        url=f"rediss://{address}/0",
        ca_file=str(client.ca),
        certificate_file=client.cert,
        key_file=client.key,
        key_password=client.key_password,
    )
    exchange = Exchange(endpoint, SystemClock(), client_name="test")
    try:
        exchange.open()
        exchange.greet()
    finally:
        exchange.close()


def dial_zookeeper(address: str, client: Client) -> None:
    """Open a session."""
    tls = ZooKeeperTls(ca=str(client.ca), cert=client.cert, key=client.key, key_password=client.key_password)
    session = ZooKeeperSession(hosts=[address], clock=SystemClock(), session_timeout_s=SESSION_S, tls=tls)
    session.start()
    try:
        wait_until("it is connected, or known why not", lambda: session.confirmed or "last connect" in session.trouble)
        session.await_connected(0.01)
    finally:
        session.stop(5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of server: how it is started, how it is dialled, and how its settings are called in remedies."""

    start: Callable[[Path, Certificate | None], Server]
    dial: Callable[[str, Client], None]
    settings: str


KINDS = {
    "mysql": Kind(
        start=lambda place, tls: MySql(place, tls=tls, options=None if tls else {"tls-version": ""}),
        dial=dial_sql,
        settings="source.tls",
    ),
    "mariadb": Kind(start=lambda place, tls: MariaDb(place, tls=tls), dial=dial_sql, settings="source.tls"),
    "redis": Kind(start=lambda place, tls: Redis(place, tls=tls), dial=dial_redis, settings="redis.tls"),
    "zookeeper": Kind(
        start=lambda place, tls: ZooKeeper(place, tls=tls), dial=dial_zookeeper, settings="zookeeper.tls"
    ),
}
