"""Lines of Redis' MONITOR as they are written."""

import pytest

from chaos.ears import heard
from chaos.record import State

STATE = rb"{\"v\":1,\"epoch\":3,\"seq\":7,\"position\":{\"gtid_set\":\"u:1-5\"}}"


def test_write_of_the_state_key_is_read() -> None:
    """With who wrote it, when, and what."""
    found = heard(b'+1700000000.250000 [0 10.99.0.11:4444] "SET" "hasync:{chaos}:state" "' + STATE + b'"\r\n')
    assert found is not None
    assert (found[1].kind, found[1].at, found[1].peer) == ("write", 1700000000.25, "10.99.0.11")
    assert found[1].state == State(epoch=3, seq=7, gtid_set="u:1-5")


def test_look_is_known_again_by_its_token() -> None:
    """Its answer comes on another connection."""
    found = heard(b'+1700000000.250000 [0 10.99.0.1:4444] "ECHO" "look-1"\r\n')
    assert found is not None
    assert (found[0], found[1].kind) == ("look-1", "look")


@pytest.mark.parametrize("words", [b'"FLUSHALL" "ASYNC"', b'"DEL" "a" "hasync:{chaos}:state" "b"'])
def test_removal_of_the_state_key_is_heard(words: bytes) -> None:
    """However it is removed."""
    found = heard(b"+1.5 [0 10.99.0.1:4444] " + words + b"\r\n")
    assert found is not None
    assert found[1].kind == "gone"


@pytest.mark.parametrize("words", [b'"SET" "account:1" "7"', b'"DEL" "hasync:{chaos}:claim"', b'"GET" "x"', b'"MULTI"'])
def test_other_commands_are_passed_over(words: bytes) -> None:
    """Most lines are."""
    assert heard(b"+1.5 [0 10.99.0.11:4444] " + words + b"\r\n") is None
