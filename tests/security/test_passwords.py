"""A password that is read for each login: what it remembers, and what it never shows."""

from pathlib import Path

import pytest

from hasync.binlog.connection import Login
from hasync.binlog.server import Server
from hasync.clock import SystemClock
from hasync.errors import ConfigInvalid, SecretGone, SinkUnavailable, SourceUnavailable
from hasync.model.secret import SecretReference, Secrets, revealed
from hasync.sinks.endpoint import RedisEndpoint
from hasync.sinks.exchange import Exchange


def secrets_in(path: Path) -> tuple[Secrets, SecretReference]:
    """Return a resolver, and the reference to a file."""
    return Secrets({}, lambda name: Path(name).read_text()), SecretReference("file", str(path))


def test_rotated_secret_is_what_the_next_login_uses(tmp_path: Path) -> None:
    """Nothing of it is kept between two logins."""
    file = tmp_path / "secret"
    file.write_text("one\n")
    secrets, reference = secrets_in(file)
    password = secrets.password(reference)
    assert revealed(password) == "one"
    file.write_text("two\n")
    assert revealed(password) == "two"
    assert revealed("plain") == "plain"


def test_all_adapters_share_what_is_known_of_a_secret(tmp_path: Path) -> None:
    """A standby's preflight that was let in tells the leader-to-be that the password once worked."""
    file = tmp_path / "secret"
    file.write_text("one\n")
    secrets, reference = secrets_in(file)
    secrets.password(reference).accepted = True
    assert secrets.password(reference).accepted


def test_missing_file_is_waited_for_once_the_password_has_worked(tmp_path: Path) -> None:
    """Before, it is a fault of the configuration; after, it is being replaced."""
    file = tmp_path / "secret"
    file.write_text("one\n")
    secrets, reference = secrets_in(file)
    password = secrets.password(reference)
    file.unlink()
    with pytest.raises(ConfigInvalid):
        password.reveal()
    password.accepted = True
    with pytest.raises(SecretGone) as gone:
        password.reveal()
    assert str(file) in gone.value.message


def test_logins_wait_for_a_file_that_is_being_replaced(tmp_path: Path) -> None:
    """Both adapters call it unavailable, which their retry owner waits for, and not a reason to halt."""
    file = tmp_path / "secret"
    file.write_text("one\n")
    secrets, reference = secrets_in(file)
    password = secrets.password(reference)
    password.accepted = True
    file.unlink()
    with pytest.raises(SourceUnavailable):
        Server(Login(host="127.0.0.1:1", user="hasync", password=password))
    exchange = Exchange(RedisEndpoint(url="redis://127.0.0.1:1/0", password=password), SystemClock(), client_name="t")
    with pytest.raises(SinkUnavailable):
        exchange.open()


def test_nothing_shows_the_secret(tmp_path: Path) -> None:
    """Neither the password, nor the resolver that knows it."""
    file = tmp_path / "secret"
    file.write_text("canary\n")
    secrets, reference = secrets_in(file)
    password = secrets.password(reference)
    assert "canary" not in repr((secrets, password, reference))
