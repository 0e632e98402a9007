"""Who may act over the admin port."""

import io

import pytest

from hasync.errors import ConfigInvalid
from hasync.http.answers import Answer, Request
from hasync.http.gatekeeper import ADDRESSES_MAX, WRONG_MAX, WRONG_S, Gatekeeper
from tests.unit.http.stage import TOKEN, SetClock


def request(authorization: str = "", remote: str = "192.0.2.1") -> Request:
    return Request(method="POST", path="/", remote=remote, headers={"authorization": authorization}, body=io.BytesIO())


class Vault:
    """A token that a test changes."""

    def __init__(self, token: str = TOKEN) -> None:
        self.token = token

    def __call__(self) -> str:
        if not self.token:
            raise ConfigInvalid("secret file:/run/secrets/admin cannot be read")
        return self.token


def status(answer: Answer | None) -> int | None:
    return answer.status.value if answer else None


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (f"Bearer {TOKEN}", None),
        (f"bearer  {TOKEN} ", None),
        ("", 401),
        ("Bearer ", 401),
        (f"Basic {TOKEN}", 401),
        (TOKEN, 401),
        (f"Bearer {TOKEN}x", 401),
        (f"Bearer {TOKEN[:-1]}", 401),
        ("Bearer \xe9\xe8\u0100", 401),
    ],
)
def test_only_the_token_opens(shown: str, expected: int | None) -> None:
    """A bearer token, whole and as it is; whatever else is shown, letters of any kind too, is 401."""
    assert status(Gatekeeper(Vault(), SetClock()).refuse(request(shown))) == expected


def test_refusal_says_how_to_authenticate_and_never_the_token() -> None:
    """401 names the scheme, as HTTP asks for."""
    answer = Gatekeeper(Vault(), SetClock()).refuse(request())
    assert answer is not None
    assert dict(answer.headers)["WWW-Authenticate"].startswith("Bearer")
    assert TOKEN.encode() not in answer.body


def test_without_a_token_nobody_may_act() -> None:
    """Off is the default: 403, and the setting's name."""
    keeper = Gatekeeper(None, SetClock())
    answer = keeper.refuse(request(f"Bearer {TOKEN}"))
    assert answer is not None
    assert (answer.status, keeper.enabled) == (403, False)
    assert b"HASYNC_HTTP__ADMIN_TOKEN" in answer.body


def test_rotated_token_counts_at_once() -> None:
    """The secret is read for each request; the old one opens nothing any more."""
    vault = Vault()
    keeper = Gatekeeper(vault, SetClock())
    vault.token = "another-token-of-length"
    assert status(keeper.refuse(request(f"Bearer {TOKEN}"))) == 401
    assert status(keeper.refuse(request("Bearer another-token-of-length"))) is None


@pytest.mark.parametrize("token", ["", "short"])
def test_token_that_cannot_be_had_opens_nothing(token: str) -> None:
    """A missing file or a token that can be guessed shuts the door; the page shows no buttons then."""
    keeper = Gatekeeper(Vault(token), SetClock())
    assert (status(keeper.refuse(request(f"Bearer {token}"))), keeper.enabled) == (503, False)


@pytest.mark.parametrize("token", ["", "short"])
def test_token_that_cannot_be_had_is_told_at_the_start(token: str) -> None:
    """A wrong reference does not wait until somebody needs the token."""
    with pytest.raises(ConfigInvalid):
        Gatekeeper(Vault(token), SetClock()).check()
    Gatekeeper(None, SetClock()).check()


def test_address_that_guesses_is_locked_out_for_a_while() -> None:
    """After some wrong tokens not even the right one is looked at; others are not held up by it."""
    clock = SetClock()
    keeper = Gatekeeper(Vault(), clock)
    guesses = [status(keeper.refuse(request("Bearer wrong"))) for _ in range(WRONG_MAX + 1)]
    assert guesses == [401] * WRONG_MAX + [429]
    locked = keeper.refuse(request(f"Bearer {TOKEN}"))
    assert locked is not None
    assert dict(locked.headers)["Retry-After"] == str(int(WRONG_S) + 1)
    assert keeper.refuse(request(f"Bearer {TOKEN}", remote="192.0.2.2")) is None
    clock.now += WRONG_S
    assert keeper.refuse(request(f"Bearer {TOKEN}")) is None


def test_request_without_a_token_is_no_guess() -> None:
    """A page that forgot its token locks nobody out."""
    keeper = Gatekeeper(Vault(), SetClock())
    for _ in range(WRONG_MAX + 1):
        assert status(keeper.refuse(request())) == 401
    assert keeper.refuse(request(f"Bearer {TOKEN}")) is None


def test_memory_of_guesses_is_bounded() -> None:
    """Guesses from ever new addresses fill no memory."""
    keeper = Gatekeeper(Vault(), SetClock())
    for number in range(ADDRESSES_MAX + 50):
        keeper.refuse(request("Bearer wrong", remote=f"2001:db8::{number:x}"))
    assert len(keeper._wrong) == ADDRESSES_MAX
