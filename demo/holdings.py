"""What one client knows to be in the tables, and names and numbers that nobody has used before.

Each client works on rows of its own, so that clients seldom wait for each other; the hot
account is everybody's. Nothing here takes part in the verdict: a client that is wrong
about a row only updates nothing.
"""

from collections.abc import Callable, Iterable
from random import Random

Seed = Callable[[Iterable[str]], None]
"""Puts cache keys into Redis, and notes them in MySQL's ledger."""

_BLOCK = 60
"""New numbers of each sort that are prepared at once."""

_LOW = 20
"""More than any transaction uses."""

_NAMES = (
    "Zoë", "Łukasz", "Наташа", "名前", "🦊 fox", "O'Brien", 'Q"uote', "back\\slash", "semi;colon",
    "{id}", "{{brace}}", "100%s", "نور", "tab\tstop", "Σίσυφος",
)  # fmt: skip
"""Names that break templates, quoting and encodings that are not quite right."""


class Holdings:
    """Rows that a client may change, and fresh keys; changed by one client's thread only."""

    def __init__(self, *, client: int, first: Iterable[int], random: Random, seed: Seed) -> None:
        self._client = client
        self._random = random
        self._seed = seed
        self._next = client * 10_000_000
        self._fresh: dict[str, list[int]] = {"users": [], "orders": []}
        first = list(first)
        self._rows: dict[str, list[int]] = {"users": first, "accounts": list(first), "orders": [], "products": []}
        self._staged: list[tuple[str, int]] = []
        self._taken: list[tuple[str, int]] = []

    def prepare(self) -> None:
        """Make sure that no transaction runs out of fresh keys. Not inside a transaction: seeding commits."""
        if len(self._fresh["users"]) < _LOW:
            numbers = self._numbers()
            self._fresh["users"] += numbers
            self._seed(key for number in numbers for key in self._user_keys(number))
        if len(self._fresh["orders"]) < _LOW:
            numbers = self._numbers()
            self._fresh["orders"] += numbers
            self._seed(f"order:{number}" for number in numbers)

    def new(self, table: str) -> int:
        """Return a key never used before; the row is known from the commit on."""
        fresh = self._fresh.get(table)
        key = fresh.pop(0) if fresh else self._number()
        self._staged.append((table, key))
        return key

    def spare_name(self) -> int:
        """Return a number whose :meth:`username` and :meth:`email` nobody has, for an existing user."""
        return self._fresh["users"].pop(0)

    def some(self, table: str, most: int = 1) -> list[int]:
        """Return up to ``most`` keys of rows that should exist, in ascending order."""
        rows = self._rows[table]
        return sorted(self._random.sample(rows, min(most, len(rows))))

    def take(self, table: str, most: int = 1) -> list[int]:
        """Return keys as :meth:`some` does, and forget them unless the transaction rolls back."""
        keys = self.some(table, most)
        for key in keys:
            self._rows[table].remove(key)
            self._taken.append((table, key))
        return keys

    def committed(self) -> None:
        """The transaction's new rows exist, the taken ones do not."""
        for table, key in self._staged:
            self._rows[table].append(key)
        self._staged, self._taken = [], []

    def rolled_back(self) -> None:
        """The transaction's new rows do not exist, the taken ones still do."""
        for table, key in self._taken:
            self._rows[table].append(key)
        self._staged, self._taken = [], []

    def username(self, user_id: int) -> str:
        """Return the name that a user with a fresh id takes; its cache key is seeded."""
        return f"{_NAMES[user_id % len(_NAMES)]}-{user_id}"

    def email(self, user_id: int) -> str:
        """Return the address that goes with the name."""
        return f"{self.username(user_id)}@example.org"

    def title(self) -> str | None:
        """Return a product's name: any, and now and then none at all."""
        return None if self._random.random() < 0.05 else self._random.choice(_NAMES)

    def _user_keys(self, user_id: int) -> tuple[str, ...]:
        return (
            f"user:{user_id}",
            f"user:username:{self.username(user_id)}",
            f"user:email:{self.email(user_id)}",
            f"user:{user_id}:orders",
            f"user:{user_id}:order:stats",
        )

    def _numbers(self) -> list[int]:
        return [self._number() for _ in range(_BLOCK)]

    def _number(self) -> int:
        self._next += 1
        return self._next
