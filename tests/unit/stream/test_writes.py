"""What is left of a batch's writes does to Redis exactly what all of them in order would have done."""

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hasync.model.command import Command, command
from hasync.stream.writes import UNLINK_KEYS, WriteSet, bytes_of

Hash = dict[bytes, bytes]
Apply = Callable[["Redis", WriteSet], None]


class Redis:
    """As much of Redis as the commands here need: strings, hashes, sets, lifetimes, messages; time stands still."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes | Hash | frozenset[bytes]] = {}
        self.lifetimes: dict[bytes, int] = {}
        self.messages: list[Command] = []

    def state(self) -> object:
        return self.values, self.lifetimes, self.messages

    def run(self, *commands: Command) -> None:
        for each in commands:
            getattr(self, "_" + each[0].decode().lower())(*each[1:])

    def _drop(self, key: bytes) -> None:
        self.values.pop(key, None)
        self.lifetimes.pop(key, None)

    def _unlink(self, *keys: bytes) -> None:
        for key in keys:
            self._drop(key)

    _del = _unlink

    def _set(self, key: bytes, value: bytes, *options: bytes) -> None:
        if b"NX" in options and key in self.values:
            return
        lifetime = self.lifetimes.get(key) if b"KEEPTTL" in options else None
        if b"PX" in options:
            lifetime = int(options[options.index(b"PX") + 1])
            if lifetime <= 0:
                return  # refused: invalid expire time
        self._drop(key)
        self.values[key] = value
        if lifetime:
            self.lifetimes[key] = lifetime

    def _hset(self, key: bytes, *pairs: bytes) -> None:
        fields = self.values.get(key, {})
        if isinstance(fields, dict):
            self.values[key] = {**fields, **dict(zip(pairs[::2], pairs[1::2], strict=True))}

    def _hdel(self, key: bytes, *names: bytes) -> None:
        fields = self.values.get(key)
        if isinstance(fields, dict):
            left = {name: value for name, value in fields.items() if name not in names}
            if left:
                self.values[key] = left
            else:
                self._drop(key)

    def _incrby(self, key: bytes, step: bytes) -> None:
        value = self.values.get(key, b"0")
        if isinstance(value, bytes) and value.lstrip(b"-").isdigit():
            self.values[key] = b"%d" % (int(value) + int(step))

    def _append(self, key: bytes, text: bytes) -> None:
        value = self.values.get(key, b"")
        if isinstance(value, bytes):
            self.values[key] = value + text

    def _sadd(self, key: bytes, *members: bytes) -> None:
        value = self.values.get(key, frozenset())
        if isinstance(value, frozenset):
            self.values[key] = value | set(members)

    def _pexpire(self, key: bytes, lifetime: bytes, *options: bytes) -> None:
        if key not in self.values or (b"NX" in options and key in self.lifetimes):
            return
        if int(lifetime) > 0:
            self.lifetimes[key] = int(lifetime)
        else:
            self._drop(key)

    def _persist(self, key: bytes) -> None:
        self.lifetimes.pop(key, None)

    def _publish(self, *message: bytes) -> None:
        self.messages.append(message)


KEYS = st.sampled_from([b"k1", b"k2"])
TEXTS = st.sampled_from([b"1", b"20", b"x", b""])
FIELDS = st.sampled_from([b"f", b"g", b"h"])
LIFETIMES = st.one_of(st.none(), st.integers(1, 9))


def set_(key: bytes, value: bytes, ttl_ms: int | None) -> Apply:
    def apply(redis: Redis, writes: WriteSet) -> None:
        redis.run((b"SET", key, value, *([b"PX", b"%d" % ttl_ms] if ttl_ms else [])))
        writes.set(key, value, ttl_ms)

    return apply


def delete(keys: list[bytes]) -> Apply:
    def apply(redis: Redis, writes: WriteSet) -> None:
        redis.run((b"DEL", *keys))
        writes.delete_all([None, *keys])

    return apply


def hash_(key: bytes, fields: dict[bytes, bytes | None], ttl_ms: int | None) -> Apply:
    def apply(redis: Redis, writes: WriteSet) -> None:
        for name, value in fields.items():
            if value is not None:
                redis.run((b"HSET", key, name, value))
        for name, value in fields.items():
            if value is None:
                redis.run((b"HDEL", key, name))
        if ttl_ms:
            redis.run((b"PEXPIRE", key, b"%d" % ttl_ms))
        writes.hash(key, dict(fields), ttl_ms)

    return apply


def plain(each: Command) -> Apply:
    def apply(redis: Redis, writes: WriteSet) -> None:
        redis.run(each)
        writes.command(each)

    return apply


COMMANDS = st.one_of(
    st.tuples(st.just(b"INCRBY"), KEYS, st.sampled_from([b"1", b"5"])),
    st.tuples(st.just(b"APPEND"), KEYS, TEXTS),
    st.tuples(st.just(b"SADD"), KEYS, TEXTS),
    st.tuples(st.just(b"HSET"), KEYS, FIELDS, TEXTS),
    st.tuples(st.just(b"HDEL"), KEYS, FIELDS),
    st.tuples(st.just(b"PEXPIRE"), KEYS, st.sampled_from([b"3", b"7", b"0", b"-1"])),
    st.tuples(st.just(b"PEXPIRE"), KEYS, st.sampled_from([b"4", b"0"]), st.just(b"NX")),
    st.tuples(st.just(b"PERSIST"), KEYS),
    st.tuples(st.just(b"SET"), KEYS, TEXTS),
    st.tuples(st.just(b"SET"), KEYS, TEXTS, st.sampled_from([b"NX", b"KEEPTTL"])),
    st.tuples(st.just(b"SET"), KEYS, TEXTS, st.just(b"PX"), st.sampled_from([b"8", b"0", b"-1"])),
    st.tuples(st.just(b"DEL"), KEYS, KEYS),
    st.tuples(st.just(b"UNLINK"), KEYS),
    st.tuples(st.just(b"PUBLISH"), KEYS, TEXTS),
)
HASHES = st.dictionaries(FIELDS, st.one_of(st.none(), TEXTS), min_size=1)
OPERATIONS = st.one_of(
    st.builds(set_, KEYS, TEXTS, LIFETIMES),
    st.builds(delete, st.lists(KEYS, min_size=1)),
    st.builds(hash_, KEYS, HASHES, LIFETIMES),
    st.builds(hash_, KEYS, HASHES, LIFETIMES),
    st.builds(plain, COMMANDS),
)
STATES = st.lists(OPERATIONS, max_size=4)


@given(before=STATES, operations=st.lists(OPERATIONS, max_size=12))
@example([hash_(b"k1", {b"f": b"1"}, 5)], [hash_(b"k1", {b"f": None}, None), hash_(b"k1", {b"f": b"2"}, None)])
@example([], [plain((b"SET", b"k1", b"1")), plain((b"INCRBY", b"k1", b"1")), plain((b"INCRBY", b"k1", b"1"))])
@example([], [set_(b"k1", b"1", None), plain((b"PEXPIRE", b"k1", b"0")), plain((b"PEXPIRE", b"k1", b"7"))])
@example([], [plain((b"INCRBY", b"k1", b"1")), plain((b"SET", b"k1", b"x", b"PX", b"0"))])
def test_merged_writes_equal_all_writes_in_order(before: list[Apply], operations: list[Apply]) -> None:
    """Whatever was in Redis before, and whatever the interleaving of kinds and keys."""
    in_order, merged, writes = Redis(), Redis(), WriteSet()
    for apply in before:
        apply(in_order, WriteSet())
        apply(merged, WriteSet())
    for apply in operations:
        apply(in_order, writes)
    merged.run(*writes.commands())
    assert merged.state() == in_order.state()


def test_last_write_of_a_key_is_the_only_one() -> None:
    """A row updated a hundred times in a batch costs one SET."""
    writes = WriteSet()
    for number in range(100):
        writes.set(b"k", b"%d" % number)
    assert writes.commands() == [(b"SET", b"k", b"99")]


def test_updates_of_one_hash_become_one_hset() -> None:
    """Also where columns turn NULL and back, and where the lifetime is renewed each time."""
    writes = WriteSet()
    for value in (b"1", None, b"3"):
        writes.hash(b"h", {b"a": b"x", b"b": value}, 1000)
    assert writes.commands() == [(b"HSET", b"h", b"a", b"x", b"b", b"3"), (b"PEXPIRE", b"h", b"1000")]


def test_hash_after_delete_keeps_both_in_order() -> None:
    """Fields of the deleted hash must not shine through."""
    writes = WriteSet()
    writes.delete(b"h")
    writes.hash(b"h", {b"a": b"1"})
    assert writes.commands() == [(b"UNLINK", b"h"), (b"HSET", b"h", b"a", b"1")]


def test_increments_are_never_merged() -> None:
    """Each happens once, so each is sent."""
    writes = WriteSet()
    for _ in range(3):
        writes.command(command("INCRBY", "n", 1))
    assert writes.commands() == [(b"INCRBY", b"n", b"1")] * 3


def test_repeated_lifetimes_become_one() -> None:
    """The last plain one counts; a conditional one is kept in its place."""
    writes = WriteSet()
    for lifetime in (b"10", b"20"):
        writes.command((b"EXPIRE", b"k", lifetime))
    writes.command((b"EXPIRE", b"k", b"30", b"GT"))
    assert writes.commands() == [(b"EXPIRE", b"k", b"20"), (b"EXPIRE", b"k", b"30", b"GT")]


def test_many_deletes_go_out_in_chunks() -> None:
    """No UNLINK grows without bound."""
    writes = WriteSet()
    writes.delete_all(b"%d" % number for number in range(2 * UNLINK_KEYS + 1))
    assert [len(each) - 1 for each in writes.commands()] == [UNLINK_KEYS, UNLINK_KEYS, 1]


def test_message_survives_delete_of_key_with_its_channels_name() -> None:
    """A channel is no key."""
    writes = WriteSet()
    writes.command(command("PUBLISH", "k", "hello"))
    writes.delete(b"k")
    assert writes.commands() == [(b"UNLINK", b"k"), (b"PUBLISH", b"k", b"hello")]
    assert len(writes) == 2


@pytest.mark.parametrize(("commands", "size"), [([], 0), ([(b"SET", b"k", b"v")], 5), ([(b"A",), (b"BC", b"")], 3)])
def test_size_counts_all_arguments(commands: list[Command], size: int) -> None:
    """Bytes of what is sent, without the protocol's framing."""
    assert bytes_of(commands) == size
