"""How a batch may be repeated, and what in it Redis would refuse."""

import pytest
from redis.exceptions import ResponseError

from hasync.errors import SinkRefused
from hasync.model.command import ALLOWED, Command, Repeat, command
from hasync.model.position import Flavor, Position
from hasync.sinks.batch import Batch

HERE = Position(flavor=Flavor.MYSQL, server_uuid="u1", file="binlog.000001", pos=4)
SET, DEL = command("SET", "k", "1"), command("DEL", "k")
HSET, INCRBY, XADD = command("HSET", "k", "f", "1"), command("INCRBY", "k", 1), command("XADD", "k", "*", "f", "1")
PUBLISH, HDEL = command("PUBLISH", "k", "1"), command("HDEL", "k", "f")


def batch(*commands: Command) -> Batch:
    return Batch.of(commands, HERE)


@pytest.mark.parametrize(
    ("commands", "repeat"),
    [
        ((), Repeat.SAFE),
        ((SET, DEL), Repeat.SAFE),
        ((SET, HSET), Repeat.REPEATABLE),
        ((INCRBY, HSET, SET), Repeat.ONCE),
        ((PUBLISH,), Repeat.ONCE),
    ],
)
def test_batch_is_as_repeatable_as_its_most_delicate_command(commands: tuple[Command, ...], repeat: Repeat) -> None:
    """One INCRBY makes the whole batch one that must not be applied twice."""
    assert batch(*commands).repeat is repeat


@pytest.mark.parametrize("verb", [b"FLUSHALL", b"EVAL", b"set"])
def test_command_that_a_stream_may_not_use_is_refused(verb: bytes) -> None:
    """A handler that got a strange command past its checks is stopped before Redis sees it."""
    with pytest.raises(SinkRefused, match=verb.decode()):
        batch(SET, (verb, b"k"))


@pytest.mark.parametrize(
    ("commands", "held", "refused"),
    [
        ((INCRBY,), b"none", False),
        ((INCRBY,), b"string", False),
        ((INCRBY,), b"hash", True),
        ((SET, INCRBY), b"hash", False),
        ((DEL, XADD), b"hash", False),
        ((INCRBY, XADD), b"none", True),
        ((SET, XADD), b"none", True),
        ((HSET, INCRBY), b"none", True),
        ((HDEL, INCRBY), b"hash", False),
        ((PUBLISH,), b"hash", False),
    ],
)
def test_types_are_followed_through_the_batch(commands: tuple[Command, ...], held: bytes, refused: bool) -> None:
    """A key's type is what Redis will find when the command's turn comes, not what it is now."""
    subject = batch(*commands)
    if refused:
        with pytest.raises(SinkRefused, match="nothing of the batch was applied"):
            subject.check_types({b"k": held})
    else:
        subject.check_types({b"k": held})


def test_typed_keys_are_named_once() -> None:
    """Keys that SET and DEL alone touch need no question."""
    subject = batch(SET, INCRBY, INCRBY, command("HSET", "h", "f", "1"), command("DEL", "x"))
    assert subject.typed_keys() == (b"k", b"h")


def test_refusal_names_verb_key_place_and_code_but_no_value() -> None:
    """The operator learns where to look; the row's value stays out of the log (I12)."""
    subject = batch(SET, command("HSET", "user:7", "ssn", "123-45-6789"))
    refusal = subject.refusal([b"OK", ResponseError("WRONGTYPE Operation against a key"), b"OK"])
    assert refusal is not None
    error = subject.refused(*refusal, "it is repeated")
    assert error.message == "Redis refused HSET 'user:7' (command 2 of 2) with WRONGTYPE; it is repeated"
    assert "123-45" not in str(error)
    assert error.hint


def test_error_of_the_state_write_is_not_taken_for_a_command_of_the_batch() -> None:
    """The reply after the batch's own belongs to the state."""
    assert batch(SET).refusal([b"OK", ResponseError("ERR no")]) is None


def test_same_batch_is_known_by_place_and_commands() -> None:
    """A retry offers equal commands at the same place; anything else is another batch."""
    other = Position(flavor=Flavor.MYSQL, server_uuid="u1", file="binlog.000001", pos=5)
    assert batch(SET, DEL).same_as(Batch.of([SET, DEL], HERE))
    assert not batch(SET, DEL).same_as(batch(SET))
    assert not batch(SET).same_as(Batch.of((SET,), other))


def test_every_allowed_type_is_one_that_redis_names() -> None:
    """TYPE answers with these words, so a trait that spells one otherwise would refuse good batches."""
    assert {trait.type for trait in ALLOWED.values()} <= {"", "string", "hash", "set", "zset", "list", "stream"}
