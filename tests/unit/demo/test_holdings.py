"""What a client believes to be in the tables follows its commits, and fresh keys are seeded before they are used."""

from collections.abc import Iterable
from random import Random

from demo.holdings import Holdings


class Seeds:
    """Remembers the cache keys that were seeded."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def __call__(self, keys: Iterable[str]) -> None:
        """Take keys as the real one does."""
        self.keys += keys


def holdings(seeds: Seeds, first: Iterable[int] = ()) -> Holdings:
    """Return the holdings of client 2."""
    return Holdings(client=2, first=first, random=Random(1), seed=seeds)


def test_every_fresh_key_is_seeded_before_it_is_used() -> None:
    """Only then must whoever deletes the key do so after it was put there."""
    seeds = Seeds()
    mine = holdings(seeds)
    for _ in range(50):
        mine.prepare()
        order, user, name = mine.new("orders"), mine.new("users"), mine.spare_name()
        mine.committed()
        wanted = {f"order:{order}", f"user:{user}", f"user:{user}:orders", f"user:username:{mine.username(name)}"}
        assert wanted <= set(seeds.keys)
    assert len(seeds.keys) == len(set(seeds.keys))


def test_rows_are_known_only_after_the_commit() -> None:
    """A transaction does not pick what it has just made, and a rolled-back one leaves nothing."""
    mine = holdings(Seeds())
    lost = mine.new("products")
    mine.rolled_back()
    kept = mine.new("products")
    assert mine.some("products") == []
    mine.committed()
    assert mine.some("products", 5) == [kept]
    assert lost != kept


def test_taken_rows_come_back_when_the_transaction_rolls_back() -> None:
    """Otherwise the tables would seem to run empty."""
    mine = holdings(Seeds(), first=[1, 2, 3])
    assert mine.take("users", 3) == [1, 2, 3]
    assert mine.some("users", 3) == []
    mine.rolled_back()
    assert mine.some("users", 3) == [1, 2, 3]
    mine.take("users", 3)
    mine.committed()
    assert mine.some("users", 3) == []


def test_names_fit_their_columns() -> None:
    """Username is VARCHAR(50), email VARCHAR(120)."""
    mine = holdings(Seeds())
    for number in range(20_000_000, 20_000_100):
        assert len(mine.username(number)) <= 50
        assert len(mine.email(number)) <= 120
