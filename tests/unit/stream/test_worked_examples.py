"""The four worked examples of the product's scope, row by row, under the config of the README."""

from hasync.model.change import Operation
from tests.unit.stream.rows import Stream, commands, deleted, table

TABLES = """
  order_db.user_balance:
    - {on: [update], when_changed: [balance], set: {key: "user:balance:{uid}", value: "{balance}"}}
  test.users:
    - {delete: ["user:{id}", "user:username:{old.username}", "user:email:{old.email}"]}
  test.orders:
    - {delete: ["order:{id}", "user:{user_id}:orders", "user:{user_id}:order:stats"]}
  test.products:
    - {hash: {key: "product:{id}", fields: [name, price, stock]}, ttl: 1h}
"""

BALANCE = Stream(TABLES, table("order_db.user_balance", "uid", "username", "balance", "update_time"))
USERS = Stream(TABLES, table("test.users", "id", "username", "email", "created_at"))
ORDERS = Stream(TABLES, table("test.orders", "id", "user_id", "amount"))
PRODUCTS = Stream(TABLES, table("test.products", "id", "name", "price", "stock"))

ACCOUNT = {"uid": 10086, "username": "ann", "balance": 0, "update_time": "2026-01-01 00:00:00"}
BOB = {"id": 7, "username": "bob", "email": "bob@example.com", "created_at": "2026-01-01"}
ORDER = {"id": 1, "user_id": 70, "amount": "9.90"}
PRODUCT = {"id": 3, "name": "Tea", "price": "4.50", "stock": 12}


def test_raised_balance_is_set() -> None:
    """Example 1: UPDATE ... SET balance = balance + 10000 WHERE uid = 10086."""
    change = BALANCE.update((ACCOUNT, {**ACCOUNT, "balance": 10000}))
    assert commands(change) == [(b"SET", b"user:balance:10086", b"10000")]


def test_update_that_leaves_balance_alone_writes_nothing() -> None:
    """Example 1: another column of the row changed."""
    assert commands(BALANCE.update((ACCOUNT, {**ACCOUNT, "update_time": "2026-01-02 00:00:00"}))) == []


def test_inserted_and_deleted_balance_write_nothing() -> None:
    """Example 1: the rule is about updates."""
    assert commands(BALANCE.insert(ACCOUNT), BALANCE.delete(ACCOUNT)) == []


def test_balance_rule_decodes_only_what_it_needs() -> None:
    """Example 1: uid and balance of both images."""
    plan = BALANCE.rules.select(BALANCE.layout)
    assert plan is not None
    assert (plan.before, plan.after) == ((0, 2), (0, 2))
    assert [operation for operation, steps in plan.steps.items() if steps] == [Operation.UPDATE]


def test_any_change_deletes_user_by_id() -> None:
    """Example 2: insert and an update of other columns delete user:{id} alone."""
    assert deleted(USERS.insert(BOB)) == {b"user:7"}
    assert deleted(USERS.update((BOB, {**BOB, "created_at": "2026-02-02"}))) == {b"user:7"}


def test_renamed_user_deletes_key_of_old_username() -> None:
    """Example 2: the old value's key, not the new one's; the email did not change."""
    assert deleted(USERS.update((BOB, {**BOB, "username": "rob"}))) == {b"user:7", b"user:username:bob"}


def test_changed_email_deletes_key_of_old_email() -> None:
    """Example 2: likewise for the email."""
    change = USERS.update((BOB, {**BOB, "email": "rob@example.com"}))
    assert deleted(change) == {b"user:7", b"user:email:bob@example.com"}


def test_deleted_user_deletes_all_its_keys() -> None:
    """Example 2: any change deletes user:{id}; the row's own values are old values now."""
    assert deleted(USERS.delete(BOB)) == {b"user:7", b"user:username:bob", b"user:email:bob@example.com"}


def test_any_change_of_order_deletes_its_three_keys() -> None:
    """Example 3: insert, update, delete alike."""
    keys = {b"order:1", b"user:70:orders", b"user:70:order:stats"}
    assert deleted(ORDERS.insert(ORDER)) == keys
    assert deleted(ORDERS.update((ORDER, {**ORDER, "amount": "1"}))) == keys
    assert deleted(ORDERS.delete(ORDER)) == keys


def test_orders_of_one_user_delete_each_key_once_per_batch() -> None:
    """Example 3: many orders of a user in a batch, the user's keys once."""
    changes = [ORDERS.insert(*({**ORDER, "id": number} for number in range(50))), ORDERS.update((ORDER, ORDER))]
    keys = deleted(*changes)
    assert keys == {b"user:70:orders", b"user:70:order:stats", *(b"order:%d" % number for number in range(50))}


def test_order_moved_to_another_user_deletes_keys_of_both() -> None:
    """Example 3: the plain {user_id} reads both images of an update."""
    change = ORDERS.update((ORDER, {**ORDER, "user_id": 71}))
    assert deleted(change) == {
        b"order:1",
        b"user:70:orders",
        b"user:70:order:stats",
        b"user:71:orders",
        b"user:71:order:stats",
    }


def test_product_is_mirrored_with_lifetime() -> None:
    """Example 4: one hash with a TTL, on insert and on update."""
    expected = [
        (b"HSET", b"product:3", b"name", b"Tea", b"price", b"4.50", b"stock", b"12"),
        (b"PEXPIRE", b"product:3", b"3600000"),
    ]
    assert commands(PRODUCTS.insert(PRODUCT)) == expected
    assert commands(PRODUCTS.update(({**PRODUCT, "stock": 13}, PRODUCT))) == expected


def test_deleted_product_is_removed() -> None:
    """Example 4: a delete removes the hash, also when the same batch wrote it before."""
    assert commands(PRODUCTS.insert(PRODUCT), PRODUCTS.delete(PRODUCT)) == [(b"UNLINK", b"product:3")]


def test_other_tables_are_not_decoded() -> None:
    """A table that no rule names is not selected."""
    assert USERS.rules.select(table("test.carts", "id")) is None
