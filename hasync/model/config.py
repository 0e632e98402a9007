"""A stream's config: where it reads, where it writes, and what each table's changes do.

One YAML document per stream, kept in ZooKeeper. The models are frozen: a changed
config is another object. Every field says what it means; ``docs/configuration.md``
is the long form.
"""

import re
from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any, Literal, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    Field,
    PlainSerializer,
    PlainValidator,
    StrictBool,
    StrictStr,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from hasync.model import start
from hasync.model.document import invalid, load
from hasync.model.duration import Duration
from hasync.model.names import Endpoint, Fault, Faults, TablePattern, nearest
from hasync.model.position import Start, StartKind
from hasync.model.problem import problems
from hasync.model.redisurl import SENTINEL_SCHEMES, SentinelUrl
from hasync.model.resume import MissingStatePolicy
from hasync.model.rule import Part, Rule, Span
from hasync.model.secret import SecretReference

VERSION = 1
"""The version of the document that this release reads."""

MYSQL_PORT = 3306

MEMBERS = re.compile(r"[A-Za-z0-9_.*?-]{1,63}")
"""A member's id, or a pattern of ids."""


def _hosts(raw: object) -> tuple[Endpoint, ...]:
    if not isinstance(raw, list) or not raw:
        raise Fault("no list of servers", 'list at least one, ["mysql-0:3306"]')
    hosts = tuple(_host(text, at) for at, text in enumerate(raw))
    if repeated := [host for host, count in Counter(hosts).items() if count > 1]:
        raise Fault(f"{repeated[0]} is there twice", "name each server once")
    return hosts


def _host(raw: object, at: int) -> Endpoint:
    try:
        return Endpoint.parse(raw if isinstance(raw, str) else "", default_port=MYSQL_PORT)
    except Fault as fault:
        raise Fault(fault.what, fault.remedy, at=(at,)) from None


_URL_REMEDY = (
    "write redis://host:6379/0, rediss://host:6379/0 (TLS), unix:///path/to/socket?db=0 "
    "or redis+sentinel://host:26379,host:26379/name/0"
)


def _url(raw: object) -> str:
    if not isinstance(raw, str) or not SentinelUrl.is_one(raw) or "@" in raw:
        return _server_url(raw)
    SentinelUrl.parse(raw)
    return raw


def _server_url(raw: object) -> str:
    try:
        parts = urlsplit(raw) if isinstance(raw, str) else None
        port = parts.port if parts else None
    except ValueError:
        parts = None
    if parts is None:
        raise Fault("not a URL", _URL_REMEDY)
    if "@" in parts.netloc or "password" in parts.query or "username" in parts.query:
        raise Fault("credentials do not belong in the url", f"{_URL_REMEDY}, and the keys username, password: env:NAME")
    if parts.scheme not in ("redis", "rediss", "unix", *SENTINEL_SCHEMES):
        raise Fault(f"scheme {parts.scheme!r} is unknown", _URL_REMEDY)
    if parts.scheme == "unix":
        _check_socket(parts.path, parts.query)
    elif not parts.hostname or port == 0:
        raise Fault("no host, or no port that exists", _URL_REMEDY)
    elif parts.query or parts.fragment or not _is_database(parts.path.strip("/") or "0"):
        raise Fault("after the host comes only the database's number", _URL_REMEDY)
    return str(raw)


def _check_socket(path: str, query: str) -> None:
    if not path or (query and not (query.startswith("db=") and _is_database(query[3:]))):
        raise Fault("not the path of a socket", _URL_REMEDY)


def _is_database(text: str) -> bool:
    return text.isdigit() and len(text) <= 5


Policy = TypeVar("Policy", bound=StrEnum)
Hosts = Annotated[
    tuple[Endpoint, ...],
    PlainValidator(_hosts),
    PlainSerializer(lambda hosts: [str(host) for host in hosts]),
    WithJsonSchema({"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True}),
]
StartPlace = Annotated[Start, PlainValidator(start.read), PlainSerializer(start.written), WithJsonSchema(start.SCHEMA)]
Secret = Annotated[
    SecretReference,
    PlainValidator(SecretReference.parse),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "pattern": "^(env:[A-Za-z_][A-Za-z0-9_]*|file:/.+)$"}),
]
Url = Annotated[
    str, PlainValidator(_url), WithJsonSchema({"type": "string", "pattern": "^((rediss?)([+]sentinel)?|unix)://"})
]
Name = Annotated[StrictStr, Field(min_length=1, max_length=128)]


class TlsConfig(Part):
    """Encryption to a server, with the server's identity checked unless told otherwise."""

    ca: Name | None = Field(None, description="File of trusted certificates, instead of the system's.")
    cert: Name | None = Field(None, description="File of this client's certificate; needs key.")
    key: Name | None = Field(None, description="File of this client's private key; needs cert.")
    key_password: Secret | None = Field(None, description="Password of an encrypted key: env:NAME or file:/path.")
    verify: Literal["full", "ca", "none"] = Field(
        "full", description="full: trust chain and host name; ca: trust chain; none: encrypted, but to anybody."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.cert is None) != (self.key is None):
            raise Fault("cert and key go together", "give both or none")
        if self.key_password and not self.key:
            raise Fault("a password without its key", "add key, or drop key_password", at=("key_password",))
        if self.verify == "none" and self.ca:
            raise Fault("a ca that is never used, since verify is none", "drop one of the two")
        return self


class SourceConfig(Part):
    """The MySQL or MariaDB to read from."""

    hosts: Hosts = Field(description="host:port of the server, and of those that may take its place (GTID).")
    user: Name = Field(description="Account with REPLICATION SLAVE, REPLICATION CLIENT (MariaDB: BINLOG MONITOR).")
    password: Secret | None = Field(None, description="env:NAME or file:/path.")
    start: StartPlace = Field(
        Start(kind=StartKind.LATEST), description="Where a stream without any position begins; unused afterwards."
    )
    tls: TlsConfig | None = Field(None, description="Left out: unencrypted.")
    connect_timeout: Span = Field(Duration(5000), description="Longest wait for a connection, 100ms to 60s.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not Duration(100) <= self.connect_timeout <= Duration(60_000):
            raise Fault("out of bounds", "write 100ms to 60s", at=("connect_timeout",))
        return self


class RedisConfig(Part):
    """The Redis to write to."""

    url: Url = Field(
        description="redis://host:port/db, rediss:// for TLS, unix:///path/to/socket?db=0, "
        "or redis+sentinel://host:port,host:port/name/db (rediss+sentinel:// for TLS)."
    )
    username: Name | None = Field(None, description="Redis ACL user; 'default' when left out.")
    password: Secret | None = Field(None, description="env:NAME or file:/path.")
    tls: TlsConfig | None = Field(None, description="Details of TLS; needs a rediss:// url.")
    sentinel_username: Name | None = Field(None, description="The Sentinels' ACL user; 'default' when left out.")
    sentinel_password: Secret | None = Field(None, description="The Sentinels' password: env:NAME or file:/path.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.sentinel_username or self.sentinel_password) and not SentinelUrl.is_one(self.url):
            raise Fault("credentials for Sentinels, but the url names none", "drop them", at=("sentinel_password",))
        if self.sentinel_username and not self.sentinel_password:
            raise Fault("a username without password", "add sentinel_password: env:NAME", at=("sentinel_username",))
        if self.tls and not self.url.startswith(("rediss://", "rediss+sentinel://")):
            raise Fault("tls is given, but the url is not encrypted", "write rediss:// in the url", at=("tls",))
        if self.username and not self.password:
            raise Fault("a username without password", "add password: env:NAME", at=("username",))
        return self


class EmptiedTable(StrEnum):
    """What to do when TRUNCATE, DROP or a dropped partition removes rows of a table with rules."""

    HALT = "halt"
    CONTINUE = "continue"


def _bounded(low: int, high: int) -> Any:
    def check(raw: object) -> int:
        if not isinstance(raw, int) or isinstance(raw, bool) or not low <= raw <= high:
            raise Fault("out of bounds", f"write a whole number from {low} to {high}")
        return raw

    return PlainValidator(check), WithJsonSchema({"type": "integer", "minimum": low, "maximum": high})


Rows = Annotated[int, *_bounded(1, 1_000_000)]
Bytes = Annotated[int, *_bounded(1024, 64 * 1024 * 1024)]


class BatchConfig(Part):
    """How much goes to Redis in one atomic step; a smaller transaction is never cut (I6)."""

    max_rows: Rows = Field(5000, description="Row changes per batch. Redis answers nobody else while it applies one.")
    max_bytes: Bytes = Field(4 * 1024 * 1024, description="Binlog bytes per batch; bounds memory as well.")


def _members(raw: object) -> tuple[str, ...]:
    if not isinstance(raw, list) or not raw:
        raise Fault("no list of instances", "list at least one, [hasync-0, 'zone-a-*'], or leave the key out")
    for at, name in enumerate(raw):
        if not isinstance(name, str) or not MEMBERS.fullmatch(name):
            raise Fault(
                "no member id and no pattern of one",
                "letters, digits, '_', '.', '-', and * and ? as wildcards",
                at=(at,),
            )
    if repeated := [name for name, count in Counter(raw).items() if count > 1]:
        raise Fault(f"{repeated[0]!r} is there twice", "name each once")
    return tuple(raw)


MemberPatterns = Annotated[
    tuple[str, ...],
    PlainValidator(_members),
    PlainSerializer(list),
    WithJsonSchema({"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True}),
]


class PlacementConfig(Part):
    """Which instances lead the stream, by their member ids; all alike when left out."""

    pin: MemberPatterns = Field((), description="Only these ever lead it; * and ? are wildcards.")
    avoid: MemberPatterns = Field((), description="These lead it only while no other can; * and ? are wildcards.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if both := [name for name in self.avoid if name in self.pin]:
            raise Fault(f"{both[0]!r} is pinned to and avoided", "drop one of the two", at=("avoid",))
        return self


def _policy(policies: type[Policy]) -> Any:
    """Return pydantic's annotations for a choice of policies."""

    def check(raw: object) -> Policy:
        if raw not in list(policies):
            raise Fault("no such policy", f"write {' or '.join(policies)}; {nearest(str(raw), policies)}")
        return policies(str(raw))

    schema = WithJsonSchema({"enum": [str(policy.value) for policy in policies]})
    return PlainValidator(check), PlainSerializer(lambda policy: policy.value), schema


def _version(raw: object) -> int:
    if raw != VERSION or isinstance(raw, bool | float):
        raise Fault("this release does not read this version", f"write version: {VERSION}, or update hasync")
    return VERSION


class StreamConfig(Part):
    """One stream."""

    version: Annotated[int, PlainValidator(_version), WithJsonSchema({"const": VERSION})] = Field(
        description="Version of this document's form."
    )
    enabled: StrictBool = Field(default=True, description="false: the stream keeps its position and does nothing.")
    source: SourceConfig
    redis: RedisConfig
    on_missing_state: Annotated[MissingStatePolicy, *_policy(MissingStatePolicy)] = Field(
        MissingStatePolicy.HALT,
        description="Redis was flushed or is another one. halt: stop, a human decides; "
        "resume: go on at the position ZooKeeper has, what Redis lost stays lost.",
    )
    on_emptied_table: Annotated[EmptiedTable, *_policy(EmptiedTable)] = Field(
        EmptiedTable.HALT,
        description="TRUNCATE, DROP TABLE or a dropped partition removed rows of a table with rules, which the binlog "
        "does not name. halt: stop, their keys have to be deleted by hand; continue: go on, the keys stay.",
    )
    batch: BatchConfig = BatchConfig()
    placement: PlacementConfig = PlacementConfig()
    tables: dict[str, tuple[Rule, ...]] = Field(
        description="Rules by schema.table; * and ? are wildcards. All matching patterns count, in document order."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.tables:
            raise Fault("no tables", "name at least one, or set enabled: false to switch a stream off", at=("tables",))
        if faults := [fault for name, rules in self.tables.items() for fault in _table_faults(name, rules)]:
            raise Faults(faults)
        return self

    def rules_for(self, schema: str, table: str) -> list[tuple[str, int, Rule]]:
        """Return the rules of all patterns that match, in document order, as (pattern, number from 0, rule)."""
        return [
            (pattern, number, rule)
            for pattern, rules in self.tables.items()
            if TablePattern.parse(pattern).matches(schema, table)
            for number, rule in enumerate(rules)
        ]

    def has_rules_for(self, schema: str, table: str) -> bool:
        """Whether a pattern matches the table; ``*`` as table: whether one may match a table of the schema."""
        patterns = map(TablePattern.parse, self.tables)
        return any(pattern.matches(schema, pattern.table if table == "*" else table) for pattern in patterns)

    def to_document(self) -> dict[str, Any]:
        """Return the plain values of the document, defaults left out; :func:`parse` of it gives an equal config."""
        return {
            "version": self.version,
            **self.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={"version"}),
        }


def _table_faults(name: str, rules: tuple[Rule, ...]) -> Iterable[Fault]:
    try:
        TablePattern.parse(name)
    except Fault as fault:
        yield Fault(fault.what, fault.remedy, at=("tables", name))
    if not rules:
        yield Fault("a table without rules", "write at least one rule, or drop the table", at=("tables", name))
    for number, rule in enumerate(rules):
        at = ("tables", name, number)
        if rule in rules[:number]:
            yield Fault("the same rule twice", "drop one of them", at=at)
        kinds = {other.action for other in rules[:number] if rule.key and other.key and other.key.text == rule.key.text}
        if kinds - {rule.action}:
            yield Fault("one key written as a string and as a hash", "give one of them another key", at=at)


def parse(text: str | bytes) -> StreamConfig:
    """Read and check a config document.

    Raises ConfigInvalid whose ``problems`` name path, value and remedy of everything
    that is wrong with its form; what only a table's layout can tell is found by
    :class:`hasync.stream.rules.Rules`.
    """
    document = load(text)
    if "version" in document:
        _parsed_version(document["version"])
    try:
        return StreamConfig.model_validate(document)
    except ValidationError as error:
        raise invalid(*problems(error, StreamConfig)) from None  # the cause would print values


def _parsed_version(raw: object) -> None:
    """Refuse another version alone: all other faults would only follow from it."""
    try:
        _version(raw)
    except Fault as fault:
        raise invalid(f"version: {fault.what} (got {raw!r:.20}); {fault.remedy}") from None


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the document, for editors and `hasync config schema`."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **StreamConfig.model_json_schema(by_alias=True)}
