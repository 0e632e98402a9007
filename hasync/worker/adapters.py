"""From settings and a stream's config to the adapters that do the work."""

import threading
import zlib
from collections.abc import Callable
from typing import Literal, Protocol

from hasync.binlog.connection import Login
from hasync.binlog.connection import Tls as SourceTls
from hasync.binlog.source import BinlogSource
from hasync.model.config import SourceConfig, StreamConfig
from hasync.model.secret import Secrets
from hasync.model.state import SinkState
from hasync.model.tls import Verify
from hasync.ports import ChangeSource, Clock, Sink
from hasync.retry import Retrier, RetryObserver
from hasync.settings import Settings
from hasync.sinks.endpoint import RedisEndpoint
from hasync.sinks.redis import RedisSink, ignore_fencing
from hasync.term.watcher import Compiled
from hasync.worker.gates import GatedSink, GatedSource, Gates
from hasync.worker.sessions import optional

SOURCE_TLS_MODES: dict[str, Literal["verified", "authority", "required"]] = {
    "full": "verified",
    "ca": "authority",
    "none": "required",
}

SERVER_ID_BASE = 1 << 31
"""Replica server ids of hasync lie in the upper half, away from those that people give."""


def server_id(root: str, stream: str) -> int:
    """Return the replica server id of a stream: the same on all instances.

    MySQL ends the older of two dumps with one server id, so a successor's first
    connect cuts off a zombie's dump as well.
    """
    return SERVER_ID_BASE | (zlib.crc32(f"hasync:{root}:{stream}".encode()) & (SERVER_ID_BASE - 1))


def build_source(
    config: StreamConfig, *, stream: str, settings: Settings, secrets: Secrets, clock: Clock
) -> ChangeSource:
    """Return the binlog source of a config, not yet open. Raises ConfigInvalid when a secret cannot be read."""
    source = config.source
    return BinlogSource(
        hosts=tuple(str(host) for host in source.hosts),
        user=source.user,
        password=optional(source.password, secrets),
        connect_timeout_s=source.connect_timeout.ms / 1000,
        heartbeat_s=settings.heartbeat_s,
        max_rows=config.batch.max_rows,
        max_bytes=config.batch.max_bytes,
        tls=_source_tls(source, secrets),
        server_id=server_id(settings.zookeeper.root, stream),
        clock=clock,
    )


def build_logins(config: StreamConfig, *, secrets: Secrets) -> tuple[Login, ...]:
    """Return the account on each of the source's hosts. Raises ConfigInvalid when a secret cannot be read."""
    source = config.source
    return tuple(
        Login(
            host=str(host),
            user=source.user,
            password=optional(source.password, secrets),
            connect_timeout_s=source.connect_timeout.ms / 1000,
            tls=_source_tls(source, secrets),
        )
        for host in source.hosts
    )


def _source_tls(source: SourceConfig, secrets: Secrets) -> SourceTls:
    tls = source.tls
    if tls is None:
        return SourceTls(mode="disabled")
    mode = SOURCE_TLS_MODES[tls.verify]
    password = optional(tls.key_password, secrets)
    return SourceTls(mode=mode, ca_file=tls.ca, cert_file=tls.cert, key_file=tls.key, key_password=password)


def build_endpoint(config: StreamConfig, *, settings: Settings, secrets: Secrets) -> RedisEndpoint:
    """Return where Redis is. Raises ConfigInvalid when a secret cannot be read."""
    redis = config.redis
    return RedisEndpoint(
        url=redis.url,
        username=redis.username or "",
        password=optional(redis.password, secrets),
        connect_timeout_s=min(settings.redis_timeout_s, 1.0),
        timeout_s=settings.redis_timeout_s,
        ca_file=(redis.tls.ca or "") if redis.tls else "",
        certificate_file=(redis.tls.cert or "") if redis.tls else "",
        key_file=(redis.tls.key or "") if redis.tls else "",
        key_password=optional(redis.tls.key_password if redis.tls else None, secrets),
        verify=Verify(redis.tls.verify) if redis.tls else Verify.FULL,
        sentinel_username=redis.sentinel_username or "",
        sentinel_password=optional(redis.sentinel_password, secrets),
    )


def build_sink(
    config: StreamConfig,
    *,
    stream: str,
    settings: Settings,
    secrets: Secrets,
    clock: Clock,
    on_fenced: Callable[[SinkState], None] = ignore_fencing,
) -> Sink:
    """Return the Redis sink of a config, not yet connected. Raises ConfigInvalid when a secret cannot be read."""
    return RedisSink(
        stream=stream,
        endpoint=build_endpoint(config, settings=settings, secrets=secrets),
        clock=clock,
        client_name=f"hasync-{settings.member_id}",
        on_fenced=on_fenced,
    )


class StreamAdapters:
    """:class:`hasync.term.leading.Adapters` of one stream on this instance."""

    def __init__(
        self,
        *,
        stream: str,
        settings: Settings,
        secrets: Secrets,
        clock: Clock,
        retries: RetryObserver,
        on_fenced: Callable[[SinkState], None],
        company: "Company",
        gates: Gates | None = None,
    ) -> None:
        """``gates``: what drills shut, None where they are not enabled."""
        self._gates = gates
        self._company = company
        self._stream = stream
        self._settings = settings
        self._secrets = secrets
        self._clock = clock
        self._retries = retries
        self._on_fenced = on_fenced

    def source(self, compiled: Compiled) -> ChangeSource:
        """Build the source. Raises ConfigInvalid when a secret cannot be read."""
        source = build_source(
            compiled.config, stream=self._stream, settings=self._settings, secrets=self._secrets, clock=self._clock
        )
        if self._gates is None:
            return source
        timeout_s = compiled.config.source.connect_timeout.ms / 1000
        return GatedSource(source, self._gates.mysql[self._stream], timeout_s=timeout_s)

    def sink(self, compiled: Compiled) -> Sink:
        """Build the sink. Raises ConfigInvalid when a secret cannot be read."""
        sink = build_sink(
            compiled.config,
            stream=self._stream,
            settings=self._settings,
            secrets=self._secrets,
            clock=self._clock,
            on_fenced=self._on_fenced,
        )
        if self._gates is None:
            return sink
        return GatedSink(sink, self._gates.redis[self._stream], timeout_s=self._settings.redis_timeout_s)

    def retry(self, stop: threading.Event) -> Retrier:
        """Build a retry owner whose waits end when ``stop`` is set."""
        retry = self._settings.retry
        return Retrier(
            stop=stop,
            clock=self._clock,
            observer=self._retries,
            multiplier_s=retry.multiplier_s,
            max_s=retry.max_s,
            give_up_after_s=retry.step_down_after_s,
        )

    def others_able(self) -> bool:
        """Whether another instance says that it could lead the stream now."""
        return self._company.others_able(self._stream)

    def better(self, contenders: Callable[[], tuple[str, ...]]) -> str:
        """Name a contender that should lead rather than this instance, empty for none."""
        return self._company.better(self._stream, contenders)


class Company(Protocol):
    """What this instance knows of the others. Called from: any thread; may be a moment old."""

    def others_able(self, stream: str) -> bool:
        """Whether another instance says that it could lead the stream."""

    def better(self, stream: str, contenders: Callable[[], tuple[str, ...]]) -> str:
        """Name a contender that should lead it rather than this one, empty for none."""
