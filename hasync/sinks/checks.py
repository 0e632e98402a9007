"""What ``hasync doctor`` and a standby's preflight look at on a Redis server. Nothing is written."""

from collections.abc import Callable, Mapping, Sequence

import orjson
from redis.exceptions import AuthenticationError, RedisError

from hasync.errors import HasyncError
from hasync.model.check import Check
from hasync.model.command import Command
from hasync.model.state import SinkState, state_key
from hasync.ports import Clock
from hasync.sinks.endpoint import RedisEndpoint
from hasync.sinks.exchange import EXEC, MULTI, Exchange, Reply
from hasync.sinks.faults import code_of, describe, mapped, remedy_of
from hasync.sinks.redis import claim_key

_OLDEST = (6, 0)
_NOT_TOLD = "INFO is not permitted, so this was not looked at"

Facts = Mapping[str, str]


def redis_checks(
    endpoint: RedisEndpoint, *, stream: str, clock: Clock, samples: Sequence[Command] = ()
) -> tuple[Check, ...]:
    """Look at the server and return what was found, the connection first.

    ``samples`` are commands as the stream's rules will send them, with keys as they
    will be: permission for each is tried by queueing it in a transaction that is then
    discarded. Never raises for what a server does; called from: any thread.
    """
    exchange = Exchange(endpoint, clock, client_name="hasync-doctor")
    claim = claim_key(stream).encode()
    claiming: tuple[Command, ...] = ((b"GET", claim), (b"SET", claim, b"0"), (b"DEL", claim))
    try:
        exchange.open()
        key = state_key(stream)
        found = [_reachable(endpoint, exchange, key), *_server(exchange)]
        found.append(_permissions(exchange, key, (*claiming, *samples), endpoint.username or "default"))
        found += [_name(exchange), _state(exchange, key)]
    except HasyncError as error:
        return (Check(name="redis.reachable", ok=False, detail=error.message, remedy=remedy_of(error)),)
    finally:
        exchange.close()
    return tuple(found)


def _check(name: str, ok: bool, detail: str, remedy: str, *, warning: bool = False) -> Check:
    """Return a check that asks for its remedy only when it is not ``ok``."""
    return Check(name=name, ok=ok, detail=detail, remedy="" if ok else remedy, warning=warning and not ok)


def _reachable(endpoint: RedisEndpoint, exchange: Exchange, key: str) -> Check:
    (reply,) = exchange.ask(((b"GET", key.encode()),))
    if isinstance(reply, AuthenticationError):
        raise mapped(reply, "GET")
    return Check(name="redis.reachable", ok=True, detail=f"{endpoint.name} answers")


def _server(exchange: Exchange) -> list[Check]:
    info, role, save = exchange.ask(((b"INFO",), (b"ROLE",), (b"CONFIG", b"GET", b"save")))
    facts = _facts(info)
    checks: tuple[Callable[[Facts], Check], ...] = (_version, _cluster, _eviction)
    return [_role(role), *(check(facts) for check in checks), _persistence(facts, save)]


def _facts(info: Reply) -> Facts:
    lines = info.decode(errors="replace").splitlines() if isinstance(info, bytes) else []
    return dict(line.split(":", 1) for line in lines if ":" in line)


def _role(reply: Reply) -> Check:
    if isinstance(reply, RedisError):
        remedy = "grant +role, so that hasync waits for a primary instead of failing at the first write"
        return Check(name="redis.role", ok=False, warning=True, detail=f"ROLE: {describe(reply)}", remedy=remedy)
    kind = reply[0].decode()
    return _check("redis.role", kind == "master", f"role is {kind}", "point redis.url at the primary")


def _version(facts: Facts) -> Check:
    text = facts.get("redis_version", "")
    if not text:
        return Check(name="redis.version", ok=False, warning=True, detail=_NOT_TOLD, remedy="grant +info")
    number = tuple(int(part) for part in text.split(".")[:2] if part.isdigit())
    return _check("redis.version", number >= _OLDEST, text, "use Redis 6.0 or later")


def _cluster(facts: Facts) -> Check:
    on = facts.get("cluster_enabled", "0") != "0"
    detail = "cluster mode is on" if on else "cluster mode is off"
    return _check("redis.cluster", not on, detail, "use a single primary with replicas")


def _eviction(facts: Facts) -> Check:
    policy = facts.get("maxmemory_policy", "")
    if not policy:
        return Check(name="redis.eviction", ok=False, warning=True, detail=_NOT_TOLD, remedy="grant +info")
    limit = facts.get("maxmemory_human", "0B").strip()
    detail = f"maxmemory-policy {policy}, maxmemory {'none' if limit == '0B' else limit}"
    remedy = "set maxmemory-policy noeviction: an evicted state key halts the stream, an evicted row goes unnoticed"
    return _check("redis.eviction", policy == "noeviction", detail, remedy, warning=True)


def _persistence(facts: Facts, save: Reply) -> Check:
    if facts.get("aof_enabled", "0") != "0":
        return Check(name="redis.persistence", ok=True, detail="append-only file is on")
    remedy = "set appendonly yes: after a crash hasync replays what Redis lost, but readers see old values until then"
    if isinstance(save, list) and not (len(save) == 2 and save[1]):
        detail = "neither AOF nor RDB: a restart empties Redis, and on_missing_state decides"
    else:
        detail = "no append-only file: a restart goes back to the last snapshot, and the stream rewinds to it"
    return Check(name="redis.persistence", ok=False, warning=True, detail=detail, remedy=remedy)


def _name(exchange: Exchange) -> Check:
    (reply,) = exchange.ask(((b"CLIENT", b"SETNAME", b"hasync-doctor"),))
    refused = isinstance(reply, RedisError)
    detail = "connections have no name in CLIENT LIST" if refused else "connections are named in CLIENT LIST"
    return _check("redis.client_name", not refused, detail, "grant +client|setname", warning=True)


def _permissions(exchange: Exchange, key: str, samples: Sequence[Command], user: str) -> Check:
    """Queue each command in a transaction and discard it: Redis checks permission when it queues."""
    state = key.encode()
    plain: list[Command] = [(b"WATCH", state), (b"GET", state), (b"TYPE", state), MULTI, EXEC, (b"UNWATCH",)]
    queued: list[Command] = [(b"SET", state, b""), *samples]
    commands = [*plain, MULTI, *queued, (b"DISCARD",)]
    replies = zip(commands, exchange.ask(commands), strict=True)
    denied = [(command, reply) for command, reply in replies if isinstance(reply, RedisError)]
    if not denied:
        return Check(name="redis.permissions", ok=True, detail=f"all {len(commands)} commands tried are permitted")
    missing = dict.fromkeys(_right(command, reply, key) for command, reply in denied)
    detail = "; ".join(f"{_shown(command)}: {describe(reply)}" for command, reply in denied)
    remedy = f"ACL SETUSER {user} {' '.join(filter(None, missing))}"
    return Check(name="redis.permissions", ok=False, detail=detail, remedy=remedy)


def _shown(command: Command) -> str:
    return b" ".join(command[:2]).decode(errors="backslashreplace")


def _right(command: Command, reply: RedisError, key: str) -> str:
    """Return what ACL SETUSER has to add; empty for the echo of another refusal (EXECABORT, EXEC without MULTI)."""
    if code_of(reply) != "NOPERM":
        return ""
    if "run the" in str(reply) or len(command) < 2:
        return f"+{command[0].decode().lower()}"
    name = command[1].decode(errors="backslashreplace")
    return "~hasync:*" if name.startswith(key.partition("{")[0]) else f"~{name.rstrip('0123456789')}*"


def _state(exchange: Exchange, key: str) -> Check:
    (raw,) = exchange.ask(((b"GET", key.encode()),))
    if raw is None:
        return Check(name="redis.state", ok=True, detail=f"{key}: none yet")
    try:
        state = SinkState.from_json(orjson.loads(raw))
    except (ValueError, TypeError, AttributeError):
        remedy = "run the release that wrote it, or remove the key and choose a start position"
        return Check(name="redis.state", ok=False, detail=f"{key} is not readable by this release", remedy=remedy)
    detail = f"{key}: epoch {state.epoch}, batch {state.seq}, at {state.position or 'no position yet'}"
    return Check(name="redis.state", ok=True, detail=detail)
