"""Compares every key in Redis with what the database demands. Pure: no server is asked here."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from demo.content import Content, Entry
from demo.handlers import CHANGES_KEY, STATUS_KEY, orders_key
from demo.ledger import Facts

CACHED = b"cached by a client"
"""What clients put under a cache key; it may go, but never change."""

PRODUCT_TTL_MS = 3_600_000
"""``ttl: 1h`` of ``stream.yaml``."""


class Kind(StrEnum):
    """How Redis can be wrong."""

    LOST = "lost"
    DOUBLED = "doubled"
    STALE = "stale"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One difference. ``amount``: how much it counts (increments lost or doubled, else 1)."""

    kind: Kind
    key: str
    what: str
    amount: int = 1

    def __str__(self) -> str:
        """One line of the report."""
        return f"{self.kind.value}: {self.key}: {self.what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What must be in Redis, and nothing else: by key, exact strings, counters, hashes, hashes of counters."""

    strings: Mapping[bytes, bytes]
    counters: Mapping[bytes, int]
    hashes: Mapping[bytes, Mapping[bytes, bytes]]
    tallies: Mapping[bytes, Mapping[bytes, int]]
    gone: frozenset[bytes]

    @classmethod
    def of(cls, facts: Facts) -> "Demand":
        """Project the facts of MySQL as ``stream.yaml`` and the handler say."""
        return cls(
            strings=_balances(facts) | dict.fromkeys(facts.seeded - facts.touched, CACHED),
            counters={orders_key(user).encode(): count for user, count in facts.orders_by_user.items()},
            hashes={b"product:%d" % key: _fields(columns) for key, columns in facts.products.items()},
            tallies={
                STATUS_KEY.encode(): _encoded(facts.orders_by_status),
                CHANGES_KEY.encode(): _encoded(facts.order_changes),
            },
            gone=facts.touched,
        )

    @property
    def keys(self) -> frozenset[bytes]:
        """All keys that may be in Redis."""
        return frozenset((*self.strings, *self.counters, *self.hashes, *self.tallies))


def compare(demand: Demand, content: Content) -> list[Finding]:
    """Return all differences, none when Redis is exactly as demanded."""
    findings: list[Finding] = []
    for key, value in demand.strings.items():
        findings += _string(key, value, content.get(key))
    for key, count in _with_idle_counters(demand, content).items():
        findings += _counter(_name(key), count, content.get(key))
    for key, fields in demand.hashes.items():
        findings += _hash(key, fields, content.get(key))
    for key, counts in demand.tallies.items():
        findings += _tally(key, counts, content.get(key))
    findings += _unwanted(demand, content)
    return findings


def tally(demand: Demand, content: Content, source: str) -> str:
    """Say in one line what the keys in Redis are, so that their number explains itself."""
    beside = content.keys() - demand.keys
    idle = sum(_is_counter(key) and content[key].number == 0 for key in beside)
    there = len(content.keys() & demand.keys)
    return (
        f"{len(content)} keys in Redis: {there} of the {len(demand.keys)} that {source} demands,"
        f" {idle} counters of users without orders left (0, they may stay), {len(beside) - idle} others"
    )


def total(findings: list[Finding], kind: Kind) -> int:
    """Sum the amounts of one kind."""
    return sum(finding.amount for finding in findings if finding.kind is kind)


def _balances(facts: Facts) -> dict[bytes, bytes]:
    return {b"user:balance:%d" % uid: b"%d" % balance for uid, balance in facts.balances.items() if balance is not None}


def _fields(columns: Mapping[str, str | None]) -> dict[bytes, bytes]:
    return {name.encode(): value.encode() for name, value in columns.items() if value is not None}


def _encoded(counts: Mapping[str, int]) -> dict[bytes, int]:
    return {name.encode(): count for name, count in counts.items()}


def _with_idle_counters(demand: Demand, content: Content) -> dict[bytes, int]:
    """Add the counters of users without orders, which must be 0: all their orders were cancelled or moved."""
    idle = {key: 0 for key in content if _is_counter(key)}
    return idle | dict(demand.counters)


def _is_counter(key: bytes) -> bool:
    return key.startswith(orders_key("").encode())


def _string(key: bytes, value: bytes, entry: Entry | None) -> Iterator[Finding]:
    if entry is None:
        yield Finding(kind=Kind.LOST, key=_name(key), what=f"missing, should be {_name(value)!r}")
    elif entry.value != value:
        yield Finding(kind=Kind.STALE, key=_name(key), what=f"is {entry}, should be {_name(value)!r}")


def _counter(name: str, count: int, entry: Entry | None) -> Iterator[Finding]:
    """Compare a counter; an absent one counts as 0, since increments that cancel out are never sent."""
    found = 0 if entry is None else entry.number
    if found is None:
        yield Finding(kind=Kind.STALE, key=name, what=f"is {entry}, no counter")
    elif found < count:
        yield Finding(kind=Kind.LOST, key=name, what=f"is {found}, should be {count}", amount=count - found)
    elif found > count:
        yield Finding(kind=Kind.DOUBLED, key=name, what=f"is {found}, should be {count}", amount=found - count)


def _hash(key: bytes, fields: Mapping[bytes, bytes], entry: Entry | None) -> Iterator[Finding]:
    if entry is None:
        yield Finding(kind=Kind.LOST, key=_name(key), what="missing")
        return
    if not 0 < entry.ttl_ms <= PRODUCT_TTL_MS:
        yield Finding(kind=Kind.STALE, key=_name(key), what=f"expires in {entry.ttl_ms} ms, should within 1 h")
    found = entry.fields
    for field in sorted(fields.keys() | found.keys()):
        yield from _field(f"{_name(key)}.{_name(field)}", fields.get(field), found.get(field))


def _field(name: str, value: bytes | None, found: bytes | None) -> Iterator[Finding]:
    if found is None and value is not None:
        yield Finding(kind=Kind.LOST, key=name, what=f"missing, should be {_name(value)!r}")
    elif found != value:
        should = "not be there" if value is None else f"be {_name(value)!r}"
        yield Finding(kind=Kind.STALE, key=name, what=f"is {_name(found or b'')!r}, should {should}")


def _tally(key: bytes, counts: Mapping[bytes, int], entry: Entry | None) -> Iterator[Finding]:
    found = {} if entry is None else entry.fields
    for field in sorted(counts.keys() | found.keys()):
        value = found.get(field)
        yield from _counter(
            f"{_name(key)}.{_name(field)}", counts.get(field, 0), None if value is None else Entry(value=value)
        )


def _unwanted(demand: Demand, content: Content) -> Iterator[Finding]:
    for key in content.keys() - demand.keys:
        if not _is_counter(key):
            why = "a committed change made it invalid" if key in demand.gone else "nothing in the database demands it"
            yield Finding(kind=Kind.STALE, key=_name(key), what=f"should be gone: {why}")


def _name(text: bytes) -> str:
    return text.decode(errors="backslashreplace")
