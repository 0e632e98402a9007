"""The audit finds exactly what is wrong: every planted loss, double and leftover, and nothing else."""

from collections.abc import Callable

import pytest

from demo.audit import CACHED, Demand, Finding, Kind, compare, tally, total
from demo.content import Content, Entry
from demo.ledger import Facts

HOUR_MS = 3_600_000

FACTS = Facts(
    rows=9,
    balances={10086: 10000, 7: None},
    seeded=frozenset({b"user:1", b"user:2", b"user:username:Zo\xc3\xab"}),
    touched=frozenset({b"user:2", b"user:username:Zo\xc3\xab", b"order:5"}),
    orders_by_user={3: 2},
    orders_by_status={"new": 1, "返品": 1},
    order_changes={"insert": 3, "delete": 1},
    products={9: {"name": "名前", "price": "19.90", "stock": "4"}, 10: {"name": None, "price": "0.05", "stock": "0"}},
)


def right() -> dict[bytes, Entry]:
    """What Redis holds when nothing is wrong."""
    return {
        b"user:balance:10086": Entry(value=b"10000"),
        b"user:1": Entry(value=CACHED),
        b"stats:orders:3": Entry(value=b"2"),
        b"stats:status": Entry(value={b"new": b"1", "返品".encode(): b"1", b"paid": b"0"}),
        b"stats:changes": Entry(value={b"insert": b"3", b"delete": b"1"}),
        b"product:9": Entry(value={b"name": "名前".encode(), b"price": b"19.90", b"stock": b"4"}, ttl_ms=HOUR_MS - 5),
        b"product:10": Entry(value={b"price": b"0.05", b"stock": b"0"}, ttl_ms=HOUR_MS),
    }


def audit(content: Content) -> list[Finding]:
    """Audit against FACTS."""
    return compare(Demand.of(FACTS), content)


def test_right_content_has_no_finding() -> None:
    """What MySQL demands, and only that, passes."""
    assert audit(right()) == []


def test_counter_back_at_zero_may_stay_or_be_absent() -> None:
    """A user whose orders were all cancelled has the counter 0; increments that cancel out leave none."""
    assert audit(right() | {b"stats:orders:4": Entry(value=b"0")}) == []


def test_line_of_the_audit_accounts_for_every_key() -> None:
    """More keys than the database demands look wrong unless the line says what they are."""
    content = right() | {b"stats:orders:4": Entry(value=b"0"), b"stats:orders:5": Entry(value=b"1")}
    del content[b"user:1"]
    assert tally(Demand.of(FACTS), content, "mariadb") == (
        "8 keys in Redis: 6 of the 7 that mariadb demands,"
        " 1 counters of users without orders left (0, they may stay), 1 others"
    )


def _without(key: bytes) -> Content:
    content = right()
    del content[key]
    return content


def _with(key: bytes, entry: Entry) -> Content:
    return right() | {key: entry}


@pytest.mark.parametrize(
    ("content", "kind", "key", "amount"),
    [
        (lambda: _without(b"user:balance:10086"), Kind.LOST, "user:balance:10086", 1),
        (lambda: _with(b"user:balance:10086", Entry(value=b"9999")), Kind.STALE, "user:balance:10086", 1),
        (lambda: _with(b"user:balance:10086", Entry(value={b"a": b"1"})), Kind.STALE, "user:balance:10086", 1),
        (lambda: _with(b"user:balance:7", Entry(value=b"")), Kind.STALE, "user:balance:7", 1),
        (lambda: _without(b"user:1"), Kind.LOST, "user:1", 1),
        (lambda: _with(b"user:2", Entry(value=CACHED)), Kind.STALE, "user:2", 1),
        (lambda: _with("user:username:Zoë".encode(), Entry(value=CACHED)), Kind.STALE, "user:username:Zoë", 1),
        (lambda: _with(b"order:5", Entry(value=b"x")), Kind.STALE, "order:5", 1),
        (lambda: _with(b"nobody", Entry(value=None)), Kind.STALE, "nobody", 1),
        (lambda: _without(b"stats:orders:3"), Kind.LOST, "stats:orders:3", 2),
        (lambda: _with(b"stats:orders:3", Entry(value=b"1")), Kind.LOST, "stats:orders:3", 1),
        (lambda: _with(b"stats:orders:3", Entry(value=b"5")), Kind.DOUBLED, "stats:orders:3", 3),
        (lambda: _with(b"stats:orders:3", Entry(value=b"two")), Kind.STALE, "stats:orders:3", 1),
        (lambda: _with(b"stats:orders:4", Entry(value=b"1")), Kind.DOUBLED, "stats:orders:4", 1),
        (
            lambda: _with(b"stats:changes", Entry(value={b"insert": b"3", b"delete": b"3"})),
            Kind.DOUBLED,
            "stats:changes.delete",
            2,
        ),
        (lambda: _with(b"stats:changes", Entry(value={b"insert": b"3"})), Kind.LOST, "stats:changes.delete", 1),
        (lambda: _without(b"product:9"), Kind.LOST, "product:9", 1),
        (lambda: _with(b"product:11", Entry(value={}, ttl_ms=5)), Kind.STALE, "product:11", 1),
    ],
)
def test_planted_fault_is_the_only_finding(content: Callable[[], Content], kind: Kind, key: str, amount: int) -> None:
    """One fault gives one finding of the right kind, at the right key, with the right weight."""
    (finding,) = audit(content())
    assert (finding.kind, finding.key, finding.amount) == (kind, key, amount)


@pytest.mark.parametrize(
    ("fields", "ttl_ms", "kind", "key"),
    [
        ({b"price": b"0.05"}, 5, Kind.LOST, "product:10.stock"),
        ({b"price": b"0.1", b"stock": b"0"}, 5, Kind.STALE, "product:10.price"),
        ({b"price": b"0.05", b"stock": b"0", b"name": b"old"}, 5, Kind.STALE, "product:10.name"),
        ({b"price": b"0.05", b"stock": b"0"}, -1, Kind.STALE, "product:10"),
        ({b"price": b"0.05", b"stock": b"0"}, HOUR_MS + 1, Kind.STALE, "product:10"),
    ],
)
def test_hash_is_compared_field_by_field_and_must_expire(
    fields: dict[bytes, bytes], ttl_ms: int, kind: Kind, key: str
) -> None:
    """A missing field is lost, a wrong or left-over one is stale, and so is a hash that outlives its TTL."""
    (finding,) = audit(_with(b"product:10", Entry(value=fields, ttl_ms=ttl_ms)))
    assert (finding.kind, finding.key) == (kind, key)


def test_empty_redis_loses_everything_that_is_demanded() -> None:
    """Losses add up: 1 balance, 1 cache key, 2 products, and every increment."""
    findings = audit({})
    assert total(findings, Kind.LOST) == 1 + 1 + 2 + 2 + 2 + 4
    assert total(findings, Kind.DOUBLED) == total(findings, Kind.STALE) == 0
