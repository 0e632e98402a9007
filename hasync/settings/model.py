"""The settings themselves: names, defaults, bounds and how they depend on each other."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from hasync.errors import ConfigInvalid
from hasync.model.cluster import NAME
from hasync.model.names import Endpoint
from hasync.model.secret import SecretReference

PREFIX = "HASYNC_"

_ZOOKEEPER_PORT = 2181
_ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - compared with, not listened on


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _reference(value: object) -> SecretReference:
    return value if isinstance(value, SecretReference) else SecretReference.parse(value)


def _server(value: str) -> str:
    return str(Endpoint.parse(value, default_port=_ZOOKEEPER_PORT))


def _matching(pattern: str, words: str) -> AfterValidator:
    def check(value: str) -> str:
        if re.fullmatch(pattern, value):
            return value
        raise ValueError(words)

    return AfterValidator(check)


def _some(values: tuple[str, ...]) -> tuple[str, ...]:
    if values:
        return values
    raise ValueError("names none")


def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    twice = sorted({value for value in values if values.count(value) > 1})
    if twice:
        raise ValueError(f"named twice: {', '.join(twice)}")
    return values


Name = Annotated[
    str,
    _matching(NAME.pattern, "a name is 1 to 63 letters, digits, '_', '.' and '-', beginning with a letter or digit"),
]
"""A znode's name and a metric's label; no slash, no brace (the state key's hash tag)."""

Reference = Annotated[SecretReference, BeforeValidator(_reference)]
"""Where a secret is: ``env:NAME`` or ``file:/path``."""

_Host = Annotated[str, AfterValidator(_server)]
_Path = Annotated[str, _matching(r"(/[A-Za-z0-9._-]+)+", "a znode is written /name or /name/name")]


_Reader = Annotated[str, _matching(r"(digest|x509|ip|sasl):.+", "a reader is written scheme:identity")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ZookeeperTls(_Part):
    """TLS towards ZooKeeper; the servers' certificates and host names are always verified."""

    ca: Path
    """PEM file of the authority that signed the servers' certificates; no other is trusted."""
    cert: Path | None = None
    """PEM file of this instance's certificate, where the servers ask for one; needs ``key``."""
    key: Path | None = None
    """PEM file of the certificate's private key; needs ``cert``."""
    key_password: Reference | None = Field(default=None, examples=["file:/run/secrets/zookeeper_key_password"])
    """Where the password of an encrypted ``key`` is: a reference (``env:NAME``, ``file:/path``)."""


class Zookeeper(_Part):
    """The ensemble that elects and keeps configs and positions."""

    hosts: Annotated[tuple[_Host, ...], BeforeValidator(_split), AfterValidator(_some), AfterValidator(_distinct)] = (
        Field(default=("127.0.0.1:2181",), examples=["zk-0:2181,zk-1:2181,zk-2:2181"])
    )
    """Servers of the ensemble, ``host`` or ``host:port``, separated by commas; all of them, not only one."""
    root: _Path = "/hasync"
    """Znode under which everything of this deployment lives; must be the same on all instances."""
    session_timeout_s: float = Field(default=10.0, ge=2, le=60)
    """A leader that is cut off is replaced after this time. Less is a faster takeover and more false alarms.
    The ensemble may grant another one (``minSessionTimeout``, ``maxSessionTimeout``); the granted one counts."""
    connect_timeout_s: float = Field(default=15.0, gt=0, le=300)
    """How long a command, or the first connection of ``hasync run``, waits for the ensemble."""
    auth: Reference | None = Field(default=None, examples=["env:ZOOKEEPER_AUTH", "file:/run/secrets/zookeeper_auth"])
    """Where the digest identity is: a reference (``env:NAME``, ``file:/path``) to ``user:password``.
    Use TLS with it. Read anew when it changes; several lines are several identities, to rotate a password."""
    readers: Annotated[tuple[_Reader, ...], BeforeValidator(_split)] = Field(
        default=(), examples=["x509:CN=status,digest:status:HASH"]
    )
    """Identities that may read everything here and change nothing (a status page, an auditor), ``scheme:identity``
    separated by commas; the same on all instances. For ``digest`` the identity is ``user:hash``."""
    open_tree: Literal["auto", "refuse", "warn"] = "auto"
    """What ``hasync run`` does when anybody who reaches ZooKeeper may change the tree. ``auto``: refuse to start when
    this instance has an identity (``auth``, or a certificate), else warn."""
    tls: ZookeeperTls | None = None


class Http(_Part):
    """Probes, metrics and the status page, on one port: no secret and no row value, but no password asked either."""

    host: str = Field(default="127.0.0.1", min_length=1)
    """Address to listen on; in a container ``0.0.0.0`` or the pod's own address."""
    port: int = Field(default=9187, ge=0, le=65535)
    """TCP port; 0 takes any free one, which the log and ``status`` then name."""
    advertise: str = ""
    """Host at which the other instances reach this port. Empty: ``host``, or this host's name where that is all
    addresses. In Kubernetes the pod's own address, because its name cannot be looked up."""
    admin_token: Reference | None = Field(
        default=None, examples=["env:HASYNC_SECRET_ADMIN", "file:/run/secrets/hasync_admin"]
    )
    """Where the token is that allows switchover, pause and resume over this port (docs/status-page.md): a reference
    (``env:NAME``, ``file:/path``) to at least 16 characters, read anew for each request. Empty: the port changes
    nothing. Without TLS in front, the token travels in the open."""

    def address(self, hostname: str, port: int) -> str:
        """Return ``host:port`` at which others reach this port; ``port`` is the one in use."""
        host = self.advertise or (hostname if self.host in _ANY_ADDRESS else self.host)
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Log(_Part):
    """Log lines, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severity to log. Drivers log warnings and worse at any level (kazoo's debug lines hold credentials)."""
    format: Literal["auto", "json", "console"] = "auto"
    """``auto``: for people on a terminal, JSON otherwise."""


class Retry(_Part):
    """Waiting for MySQL, Redis and ZooKeeper to come back: exponential, with full jitter."""

    multiplier_s: float = Field(default=0.1, gt=0, le=60)
    """Longest first wait; doubles with each attempt. At most ``retry.max_s``."""
    max_s: float = Field(default=5.0, gt=0, le=300)
    """Longest wait between two attempts, and so the longest a healed server stands unused."""
    degraded_after_s: float = Field(default=30.0, gt=0, le=3600)
    """A stream that could not work for so long says it is degraded (log, metric, readiness)."""
    step_down_after_s: float = Field(default=120.0, gt=0, le=86400)
    """A leader that could not work for so long lets another instance try. At least ``retry.degraded_after_s``."""


class Rebalance(_Part):
    """Spreading leaders evenly over the instances, by handing over one stream at a time."""

    enabled: bool = True
    """``false``: this instance hands over none of its streams for balance; operators still can."""
    after_s: float = Field(default=30.0, ge=0, le=3600)
    """How long another instance must have been there before this one hands it a stream: one that comes and
    goes is given none."""
    pause_s: float = Field(default=1.0, ge=0.1, le=600)
    """How long no leader may have changed anywhere before the next stream is handed over."""


class Supervisor(_Part):
    """The parent of ``hasync run``: replaces a worker that died or hangs, and closes its ZooKeeper session at once."""

    heartbeat_s: float = Field(default=5.0, ge=0.5, le=300)
    """A worker that is silent for so long (stopped, starved, deadlocked) is killed; others then lead at once."""
    stall_s: float = Field(default=20.0, ge=1, le=3600)
    """A worker one of whose loops has not turned for so long is killed: an endless handler, say.
    More than the longest batch takes."""
    restart_min_s: float = Field(default=0.5, gt=0, le=60)
    """Longest wait before the first restart after a crash; doubles with each crash in a row, with full jitter."""
    restart_max_s: float = Field(default=30.0, gt=0, le=3600)
    """Longest wait before a restart."""
    healthy_s: float = Field(default=60.0, gt=0, le=86400)
    """A worker that lived for so long ends a row of crashes."""
    give_up_after: int = Field(default=10, ge=0, le=1000)
    """So many crashes in a row end ``hasync run`` with exit code 70; 0: it never gives up."""


class Drills(_Part):
    """Failover drills (docs/drills.md): faults that instances inflict on themselves when an operator asks."""

    enabled: bool = False
    """``true``: this instance carries out what ``hasync drill`` asks of it, up to killing its own worker;
    else it refuses. Whoever can write to ZooKeeper can then ask."""


class Settings(BaseSettings):
    """Settings of one instance; immutable. Made by :func:`load`, or directly in a test.

    The constructor reads no environment and no file: what is not given has its default.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
        enable_decoding=False,
    )

    member_id: Name
    """This instance's name among its like, unique and the same after a restart. Default: the host's name."""
    streams: Annotated[tuple[Name, ...], BeforeValidator(_split), AfterValidator(_distinct)] = Field(
        default=(), examples=["orders,users"]
    )
    """Streams that this instance stands ready to lead, separated by commas."""
    weight: int = Field(default=1, ge=0, le=100)
    """This instance's share of the streams: one of weight 2 leads twice as many as one of weight 1, one of
    weight 0 only what no other can."""
    zookeeper: Zookeeper = Zookeeper()
    http: Http = Http()
    log: Log = Log()
    retry: Retry = Retry()
    supervisor: Supervisor = Supervisor()
    rebalance: Rebalance = Rebalance()
    drills: Drills = Drills()
    acknowledge_every_s: float = Field(default=0.2, gt=0, le=10)
    """How often the position goes to ZooKeeper. Costs no safety: Redis holds the exact one."""
    heartbeat_s: float = Field(default=1.0, gt=0, le=30)
    """How often an idle MySQL is made to send a sign of life. Less than ``zookeeper.session_timeout_s``."""
    redis_timeout_s: float = Field(default=1.5, gt=0, le=30)
    """Longest wait for one answer of Redis. Less than ``zookeeper.session_timeout_s``, or a leader
    could be replaced while it waits."""
    shutdown_timeout_s: float = Field(default=20.0, gt=0, le=600)
    """Longest orderly hand-over on SIGTERM; more than ``redis_timeout_s``, less than Kubernetes'
    ``terminationGracePeriodSeconds`` or systemd's ``TimeoutStopSec``."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read nothing but the constructor's arguments; :func:`load` reads the rest, from what it was given."""
        return (init_settings,)

    @model_validator(mode="after")
    def _relate(self) -> Self:
        broken = list(_broken_relations(self))
        if broken:
            raise ValueError("\n".join(broken))
        return self

    @property
    def live_within_s(self) -> float:
        """Oldest heartbeat of a stream's loop that still counts as alive, in seconds.

        Twice the session timeout: a leader is replaced long before it is restarted, so a
        probe never turns a slow server into a restart storm.
        """
        return 2 * self.zookeeper.session_timeout_s

    def require_streams(self) -> tuple[str, ...]:
        """Return the streams. Raises ConfigInvalid when there is none: ``hasync run`` would do nothing."""
        if not self.streams:
            problem = "HASYNC_STREAMS (streams): is empty; name at least one stream, e.g. HASYNC_STREAMS=orders,users"
            raise ConfigInvalid("no stream to run", problems=(problem,), hint="set HASYNC_STREAMS")
        return self.streams


def _broken_relations(settings: Settings) -> Iterator[str]:
    session_s = settings.zookeeper.session_timeout_s
    retry, tls = settings.retry, settings.zookeeper.tls
    for path, value in (("redis_timeout_s", settings.redis_timeout_s), ("heartbeat_s", settings.heartbeat_s)):
        if value >= session_s:
            yield (
                f"{variable(path)} ({path}): {value:g} must be less than zookeeper.session_timeout_s = {session_s:g}; "
                f"lower it to {session_s / 3:.2g}, or raise {variable('zookeeper.session_timeout_s')}"
            )
    for low, high, low_s, high_s in (
        ("retry.multiplier_s", "retry.max_s", retry.multiplier_s, retry.max_s),
        ("retry.degraded_after_s", "retry.step_down_after_s", retry.degraded_after_s, retry.step_down_after_s),
        ("redis_timeout_s", "shutdown_timeout_s", settings.redis_timeout_s, settings.shutdown_timeout_s),
        *_supervisor_relations(settings.supervisor),
    ):
        if low_s > high_s:
            yield (
                f"{variable(low)} ({low}): {low_s:g} is more than {high} = {high_s:g}; "
                f"lower it or raise {variable(high)}"
            )
    if tls and (tls.cert is None) != (tls.key is None):
        there, missing = ("cert", "key") if tls.cert else ("key", "cert")
        yield (
            f"{variable(f'zookeeper.tls.{missing}')} (zookeeper.tls.{missing}): "
            f"is missing though zookeeper.tls.{there} is set; give both or neither"
        )


def _supervisor_relations(supervisor: Supervisor) -> Iterator[tuple[str, str, float, float]]:
    yield (
        "supervisor.restart_min_s",
        "supervisor.restart_max_s",
        supervisor.restart_min_s,
        supervisor.restart_max_s,
    )
    yield "supervisor.heartbeat_s", "supervisor.stall_s", supervisor.heartbeat_s, supervisor.stall_s


def fields(model: type[BaseModel] = Settings, parents: tuple[str, ...] = ()) -> Iterator[tuple[str, FieldInfo]]:
    """Yield every setting as its path (``http.port``) and pydantic's description of it."""
    for name, field in model.model_fields.items():
        part = _part(field)
        if part:
            yield from fields(part, (*parents, name))
        else:
            yield ".".join((*parents, name)), field


def _part(field: FieldInfo) -> type[_Part] | None:
    kinds = [field.annotation, *getattr(field.annotation, "__args__", ())]
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, _Part)), None)


def variable(path: str) -> str:
    """Return the environment variable of a setting: ``HASYNC_HTTP__PORT`` for ``http.port``."""
    return PREFIX + path.replace(".", "__").upper()
