"""The workload's transactions: what a shop does, and what readers of binlogs stumble over.

Each is a function that runs statements of one transaction; the client commits or rolls
back after it. Tables are touched in the same order everywhere (accounts, users,
orders, products) and rows in ascending order, so that deadlocks stay rare.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from demo.holdings import Holdings
from demo.schema import HOT_UID

STATUSES = ("new", "paid", "packed", "sent", "done", "zurück", "返品")


@dataclass(slots=True, kw_only=True)
class Desk:
    """What a transaction works with: an open cursor, the client's rows, its dice. ``rows`` counts what it changed."""

    cursor: Any
    holdings: Holdings
    random: Random
    rows: int = 0

    def run(self, statement: str, *arguments: object) -> None:
        """Execute one statement."""
        self.rows += self.cursor.execute(statement, arguments or None)

    def insert(self, table: str, rows: Iterable[Sequence[object]]) -> None:
        """Insert rows with one statement."""
        rows = list(rows)
        if rows:
            marks = ", ".join("(" + ", ".join(["%s"] * len(row)) + ")" for row in rows)
            self.run(f"INSERT INTO {table} VALUES {marks}", *(value for row in rows for value in row))

    def update(self, table: str, assignment: str, key: str, keys: Sequence[int], *arguments: object) -> None:
        """Update the rows with these keys with one statement."""
        if keys:
            self.run(f"UPDATE {table} SET {assignment} WHERE {key} IN %s", *arguments, keys)

    def delete(self, table: str, key: str, keys: Sequence[int]) -> None:
        """Delete the rows with these keys with one statement."""
        if keys:
            self.run(f"DELETE FROM {table} WHERE {key} IN %s", keys)

    def price(self) -> str:
        """Draw a price."""
        return f"{self.random.randrange(1, 100_000)}.{self.random.randrange(100):02}"

    def order(self, user_id: int) -> tuple[object, ...]:
        """Make a row of test.orders."""
        note = self.random.choice((None, "", "liefern bis 18 Uhr", "門の前", "x" * 190))
        return (self.holdings.new("orders"), user_id, "new", self.price(), note)

    def product(self) -> tuple[object, ...]:
        """Make a row of test.products."""
        return (self.holdings.new("products"), self.holdings.title(), self.price(), self.random.randrange(1000))


Transaction = Callable[[Desk], None]


# ------------------------------------------------------------- order_db.user_balance


def deposit(desk: Desk) -> None:
    """Run the first worked example's statement, on the account that every client writes."""
    desk.update("order_db.user_balance", "balance = balance + 10000", "uid", [HOT_UID])


def pay(desk: Desk) -> None:
    """Move money between two accounts."""
    accounts = desk.holdings.some("accounts", 2)
    for uid, sign in zip(accounts, (-1, 1), strict=False):
        desk.update("order_db.user_balance", "balance = balance + %s", "uid", [uid], sign * desk.random.randrange(100))


def interest(desk: Desk) -> None:
    """Change several balances with one statement; some lose theirs altogether for a moment."""
    accounts = desk.holdings.some("accounts", 8)
    desk.update("order_db.user_balance", "balance = 0", "uid", accounts[:1])
    desk.update("order_db.user_balance", "balance = balance * 2 + 1, update_time = NOW()", "uid", accounts)
    desk.update("order_db.user_balance", "balance = MOD(balance, 1000000)", "uid", accounts)


def leave_balance_alone(desk: Desk) -> None:
    """Update everything but the balance, and then nothing at all: neither may write to Redis."""
    accounts = desk.holdings.some("accounts", 3)
    desk.update("order_db.user_balance", "username = %s, update_time = NULL", "uid", accounts, desk.holdings.title())
    desk.update("order_db.user_balance", "balance = balance", "uid", accounts)


def renumber_account(desk: Desk) -> None:
    """Change an account's key, with and without a new balance."""
    for uid, more in zip(desk.holdings.take("accounts", 2), (0, 1), strict=False):
        fresh = desk.holdings.new("accounts")
        desk.update("order_db.user_balance", "uid = %s, balance = balance + %s", "uid", [uid], fresh, more)


def open_and_close_accounts(desk: Desk) -> None:
    """Insert some accounts and delete another."""
    desk.insert("order_db.user_balance", [(desk.holdings.new("accounts"), None, 0, None) for _ in range(3)])
    desk.delete("order_db.user_balance", "uid", desk.holdings.take("accounts"))


# ------------------------------------------------------------------------ test.users


def register(desk: Desk) -> None:
    """Insert one to four users with one statement; some have no address."""
    ids = [desk.holdings.new("users") for _ in range(desk.random.randrange(1, 5))]
    desk.insert(
        "test.users",
        [(key, desk.holdings.username(key), desk.holdings.email(key) if key % 5 else None, "", 0) for key in ids],
    )


def rename(desk: Desk) -> None:
    """Change a user's name, address, or both."""
    name = desk.holdings.spare_name()
    columns = desk.random.choice((("username",), ("email",), ("username", "email")))
    values = {"username": desk.holdings.username(name), "email": desk.holdings.email(name)}
    assignment = ", ".join(f"{column} = %s" for column in columns)
    desk.update("test.users", assignment, "id", desk.holdings.some("users"), *(values[column] for column in columns))


def visit(desk: Desk) -> None:
    """Change neither name nor address of some users."""
    bio = desk.random.choice((None, "líne\nbreak", "🦊" * 30))
    desk.update("test.users", "visits = visits + 1, bio = %s", "id", desk.holdings.some("users", 2), bio)


def forget_user(desk: Desk) -> None:
    """Give up an address, give a user another id, and delete a third."""
    desk.update("test.users", "email = NULL", "id", desk.holdings.some("users"))
    for user_id in desk.holdings.take("users"):
        desk.update("test.users", "id = %s", "id", [user_id], desk.holdings.new("users"))
    desk.delete("test.users", "id", desk.holdings.take("users"))


# ----------------------------------------------------------------------- test.orders


def place_orders(desk: Desk) -> None:
    """Insert one to six orders of one user with one statement."""
    for user_id in desk.holdings.some("users"):
        desk.insert("test.orders", [desk.order(user_id) for _ in range(desk.random.randrange(1, 7))])


def advance_orders(desk: Desk) -> None:
    """Set the same status for several orders with one statement; some have it already."""
    desk.update("test.orders", "status = %s", "id", desk.holdings.some("orders", 6), desk.random.choice(STATUSES))


def move_orders(desk: Desk) -> None:
    """Give orders to another user."""
    for user_id in desk.holdings.some("users"):
        desk.update("test.orders", "user_id = %s", "id", desk.holdings.some("orders", 3), user_id)


def cancel_orders(desk: Desk) -> None:
    """Delete several orders with one statement, and change the id of another."""
    desk.delete("test.orders", "id", desk.holdings.take("orders", 3))
    for order_id in desk.holdings.take("orders"):
        desk.update("test.orders", "id = %s, note = NULL", "id", [order_id], desk.holdings.new("orders"))


def change_mind(desk: Desk) -> None:
    """Undo half of a transaction at a savepoint: only the first and the last order may count."""
    user_id = desk.random.choice(desk.holdings.some("users", 5))
    first, undone, last = (desk.order(user_id) for _ in range(3))
    desk.insert("test.orders", [first])
    changed = desk.rows
    desk.run("SAVEPOINT before_change")
    desk.insert("test.orders", [undone])
    desk.update("test.orders", "status = 'lost'", "id", desk.holdings.some("orders", 3))
    desk.update("test.users", "visits = visits + 100", "id", [user_id])
    desk.run("ROLLBACK TO SAVEPOINT before_change")
    desk.rows = changed
    desk.insert("test.orders", [last])


# --------------------------------------------------------------------- test.products


def stock_up(desk: Desk) -> None:
    """Insert one to five products with one statement."""
    desk.insert("test.products", [desk.product() for _ in range(desk.random.randrange(1, 6))])


def sell(desk: Desk) -> None:
    """Take several products from stock with one statement."""
    desk.update("test.products", "stock = stock - 1", "id", desk.holdings.some("products", 5))


def reprice(desk: Desk) -> None:
    """Change name and price of one product; write another one over (INSERT … ON DUPLICATE KEY UPDATE)."""
    products = desk.holdings.some("products", 2)
    title, price = desk.holdings.title(), desk.price()
    desk.update("test.products", "name = %s, price = %s", "id", products[:1], title, price)
    for key in products[1:]:
        desk.run("INSERT INTO test.products VALUES (%s, 'a', 1, 1) ON DUPLICATE KEY UPDATE price = price + 0.25", key)


def replace_product(desk: Desk) -> None:
    """Delete a product, replace one (REPLACE deletes and inserts), and change the id of a third."""
    desk.delete("test.products", "id", desk.holdings.take("products"))
    for key in desk.holdings.some("products"):
        desk.run("REPLACE INTO test.products VALUES (%s, %s, %s, 7)", key, desk.holdings.title(), desk.price())
    for key in desk.holdings.take("products"):
        desk.update("test.products", "id = %s", "id", [key], desk.holdings.new("products"))


def shop_day(desk: Desk) -> None:
    """Touch all four tables in one transaction, one row several times."""
    pay(desk)
    visit(desk)
    place_orders(desk)
    advance_orders(desk)
    sell(desk)
    sell(desk)


MIX: tuple[tuple[Transaction, int], ...] = (
    (deposit, 8),
    (pay, 8),
    (interest, 3),
    (leave_balance_alone, 4),
    (renumber_account, 2),
    (open_and_close_accounts, 2),
    (register, 8),
    (rename, 8),
    (visit, 4),
    (forget_user, 3),
    (place_orders, 12),
    (advance_orders, 8),
    (move_orders, 6),
    (cancel_orders, 5),
    (change_mind, 4),
    (stock_up, 4),
    (sell, 6),
    (reprice, 5),
    (replace_product, 3),
    (shop_day, 6),
)
"""How often each transaction is drawn, by weight."""


def draw(random: Random) -> Transaction:
    """Draw one transaction of the mix."""
    transactions, weights = zip(*MIX, strict=True)
    chosen: Transaction = random.choices(transactions, weights)[0]
    return chosen
