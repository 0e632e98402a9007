"""What Redis' errors mean, and that none of its words with values in them get through."""

import pytest
from redis._parsers.base import BaseParser

from hasync.errors import SinkRefused, SinkUnavailable
from hasync.sinks.faults import DROPPING, LASTING, PASSING, code_of, describe, mapped

UNKNOWN = "ERR unknown command 'SETT', with args beginning with: 'user:7' '123-45-6789' "
ABORTED = "EXECABORT Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'."


@pytest.mark.parametrize(
    ("reply", "code", "kind"),
    [
        ("OOM command not allowed when used memory > 'maxmemory'.", "OOM", SinkUnavailable),
        (ABORTED, "OOM", SinkUnavailable),
        ("READONLY You can't write against a read only replica.", "READONLY", SinkUnavailable),
        ("LOADING Redis is loading the dataset in memory", "LOADING", SinkUnavailable),
        ("MASTERDOWN Link with MASTER is down", "MASTERDOWN", SinkUnavailable),
        ("CLUSTERDOWN The cluster is down", "CLUSTERDOWN", SinkUnavailable),
        ("TRYAGAIN Multiple keys request during rehashing of slot", "TRYAGAIN", SinkUnavailable),
        ("BUSY Redis is busy running a script", "BUSY", SinkUnavailable),
        ("MISCONF Redis is configured to save RDB snapshots", "MISCONF", SinkUnavailable),
        ("NOREPLICAS Not enough good replicas to write.", "NOREPLICAS", SinkUnavailable),
        ("ERR max number of clients reached", "ERR", SinkUnavailable),
        ("NOAUTH Authentication required.", "NOAUTH", SinkRefused),
        ("WRONGPASS invalid username-password pair or user is disabled.", "WRONGPASS", SinkRefused),
        ("ERR invalid password", "WRONGPASS", SinkRefused),
        ("NOPERM this user has no permissions to run the 'set' command", "NOPERM", SinkRefused),
        ("MOVED 3999 127.0.0.1:6381", "MOVED", SinkRefused),
        ("ASK 3999 127.0.0.1:6381", "ASK", SinkRefused),
        ("CROSSSLOT Keys in request don't hash to the same slot", "CROSSSLOT", SinkRefused),
        ("WRONGTYPE Operation against a key holding the wrong kind of value", "WRONGTYPE", SinkRefused),
        (UNKNOWN, "ERR", SinkRefused),
        ("something else", "ERR", SinkRefused),
    ],
)
def test_error_reply_is_mapped(reply: str, code: str, kind: type[Exception]) -> None:
    """Each error is either waited for or stops the stream with a remedy."""
    error = BaseParser.parse_error(reply)
    found = mapped(error, "SET")
    assert isinstance(found, kind)
    assert (code_of(error), found.hint != "" or code == "ERR") == (code, True)


def test_arguments_that_redis_quotes_are_not_repeated() -> None:
    """An error's words are only repeated when they are fixed ones (I12)."""
    error = BaseParser.parse_error(UNKNOWN)
    assert describe(error) == "ERR unknown command"
    assert "123-45" not in str(mapped(error, "the batch"))


def test_codes_have_one_meaning() -> None:
    """No code is both waited for and lasting."""
    assert not PASSING.keys() & LASTING.keys()
    assert PASSING.keys() >= DROPPING
