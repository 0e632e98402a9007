"""Connection settings: what is refused, what is shown, and what the driver is told."""

import pytest
from redis.connection import SSLConnection

from hasync.errors import ConfigInvalid
from hasync.model.tls import Verify
from hasync.sinks.endpoint import RedisEndpoint


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://redis:6379", "scheme 'http'"),
        ("redis:6379", "names no host"),
        ("redis://user:secret@redis:6379/0", "holds a password"),
        ("redis:///0", "names no host"),
        ("redis://redis:6379/zero", "database's number"),
        ("redis://redis:99999/0", "port is not a number"),
        ("rediss://redis:6379/0?ssl_cert_reqs=none", "options after ?"),
        ("unix:///run/redis.sock?password=secret", "options after ?"),
    ],
)
def test_bad_url_is_refused_with_the_reason(url: str, problem: str) -> None:
    """A URL that would be misread, or that holds a secret, does not reach the driver."""
    with pytest.raises(ConfigInvalid) as caught:
        RedisEndpoint(url=url)
    assert any(problem in line for line in caught.value.problems), caught.value.problems
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("redis://redis", "redis://redis:6379/0"),
        ("redis://app@redis:7000/3", "redis://redis:7000/3"),
        ("rediss://[::1]:7000/3", "rediss://[::1]:7000/3"),
        ("unix:///run/redis.sock", "unix:///run/redis.sock?db=0"),
        ("unix:///run/redis.sock?db=2", "unix:///run/redis.sock?db=2"),
    ],
)
def test_name_shows_the_server_and_no_user(url: str, name: str) -> None:
    """Logs and errors name the server in full, and nobody's account."""
    assert RedisEndpoint(url=url).name == name


def test_password_is_not_in_the_representation() -> None:
    """A settings object that ends up in a log gives no secret away (I12)."""
    assert "sesame" not in repr(RedisEndpoint(url="redis://redis", password="sesame"))


def test_driver_is_told_never_to_retry() -> None:
    """redis-py's default would send a batch eleven times."""
    wire = RedisEndpoint(url="redis://app@redis:7000/3", password="sesame").connection()
    assert (wire.retry.get_retries(), wire.health_check_interval) == (0, 0)  # type: ignore[attr-defined]
    assert (wire.host, wire.port, wire.db, wire.username) == ("redis", 7000, 3, "app")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("verify", "host_name", "certificate"),
    [(Verify.FULL, True, "CERT_REQUIRED"), (Verify.CA, False, "CERT_REQUIRED"), (Verify.NONE, False, "CERT_NONE")],
)
def test_tls_verifies_as_told(verify: Verify, host_name: bool, certificate: str) -> None:
    """What is checked of the server is the config's word, and no more than that is dropped."""
    endpoint = RedisEndpoint(url="rediss://redis", verify=verify)
    assert isinstance(endpoint.connection(), SSLConnection)
    context = endpoint.tls_context()
    assert (context.check_hostname, context.verify_mode.name) == (host_name, certificate)


def test_tls_verifies_everything_unless_told_otherwise() -> None:
    """Forgetting the setting never means trusting anybody."""
    assert RedisEndpoint(url="rediss://redis").verify is Verify.FULL
