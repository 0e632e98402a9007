"""GTID sets of both flavors against plain sets of transactions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hasync.model.gtid import MariadbGtidSet, MysqlGtidSet

A = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
B = "3e11fa47-71ca-11e1-9e33-c80aa9429563"
Transactions = set[tuple[str, int]]

GTIDS = st.tuples(st.sampled_from([A, B, f"{A}:blue", f"{B}:green_2"]), st.integers(1, 12))
SETS = st.sets(GTIDS, max_size=25)


def mysql(transactions: Transactions) -> MysqlGtidSet:
    return MysqlGtidSet.parse(",".join(f"{origin}:{number}" for origin, number in transactions))


def members(gtids: MysqlGtidSet) -> Transactions:
    return {
        (origin, number)
        for origin, spans in gtids.origins.items()
        for first, last in spans
        for number in range(first, last + 1)
    }


@given(SETS)
def test_mysql_set_holds_what_was_parsed_and_prints_what_it_parses(transactions: Transactions) -> None:
    """Round trip through the canonical text."""
    gtids = mysql(transactions)
    assert members(gtids) == transactions
    assert MysqlGtidSet.parse(str(gtids)) == gtids


@given(SETS, GTIDS)
def test_mysql_add_is_insertion(transactions: Transactions, gtid: tuple[str, int]) -> None:
    """Once, twice, in order or not."""
    grown = mysql(transactions).add(f"{gtid[0]}:{gtid[1]}")
    assert members(grown) == transactions | {gtid}
    assert grown.add(f"{gtid[0]}:{gtid[1]}") == grown == mysql(transactions | {gtid})


@given(SETS, SETS)
def test_mysql_covers_is_superset(one: Transactions, other: Transactions) -> None:
    """Of transactions, whatever the intervals look like."""
    assert mysql(one).covers(mysql(other)) is (one >= other)
    assert mysql(one | other).covers(mysql(other))


def test_mysql_text_is_canonical() -> None:
    """As the server prints it: sorted, joined, in lower case, the tags of a uuid behind its plain numbers."""
    text = f"{B}:3-5:4-9:11,\n {A.upper()}:7 , {A}:blue:1:2:green:5"
    assert str(MysqlGtidSet.parse(text)) == f"{A}:7:blue:1-2:green:5,{B}:3-9:11"
    assert str(MysqlGtidSet.parse("")) == ""


@pytest.mark.parametrize(
    "text", [A, f"{A}:", f"{A}:0", f"{A}:5-3", f"{A}:x y-", f"{A}:1--2", "3e11:1", "0-1-5", f"{A}:-5", f"{A}:1.5"]
)
def test_malformed_mysql_set_names_the_part(text: str) -> None:
    """Never read as something smaller than was meant."""
    with pytest.raises(ValueError, match="GTID"):
        MysqlGtidSet.parse(text)


DOMAINS = st.dictionaries(st.integers(0, 5), st.tuples(st.integers(1, 9), st.integers(1, 2**63)), max_size=5)


@given(DOMAINS)
def test_mariadb_set_prints_what_it_parses(domains: dict[int, tuple[int, int]]) -> None:
    """Round trip."""
    gtids = MariadbGtidSet(domains)
    assert MariadbGtidSet.parse(str(gtids)) == gtids


@given(DOMAINS, st.integers(0, 5), st.integers(1, 9), st.integers(1, 2**63))
def test_mariadb_add_replaces_the_domains_last(
    domains: dict[int, tuple[int, int]], domain: int, server: int, sequence: int
) -> None:
    """The last transaction of a domain stands for all before it."""
    grown = MariadbGtidSet(domains).add(f"{domain}-{server}-{sequence}")
    assert grown.domains == {**domains, domain: (server, sequence)}


@given(DOMAINS, DOMAINS)
def test_mariadb_covers_compares_sequences_by_domain(
    one: dict[int, tuple[int, int]], other: dict[int, tuple[int, int]]
) -> None:
    """The server that wrote it does not matter; a domain that is missing is behind."""
    expected = all(one.get(domain, (0, 0))[1] >= sequence for domain, (_, sequence) in other.items())
    assert MariadbGtidSet(one).covers(MariadbGtidSet(other)) is expected


@pytest.mark.parametrize("text", ["0-1", "0-1-x", f"{A}:1-5", "0-1-5,0-2-6", "-1-1-5", "0-1-5;1-1-5"])
def test_malformed_mariadb_set_names_the_part(text: str) -> None:
    """One transaction per domain, three numbers each."""
    with pytest.raises(ValueError, match="MariaDB"):
        MariadbGtidSet.parse(text)
