"""TLS to all four servers: whom hasync trusts, and what it says of those that it does not."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from hasync.errors import HasyncError
from testbed import Authority, Certificate, Proxy, Server, workdir
from tests.security.dialling import KINDS, Client, Kind

NOBODY = "sealed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Servers of one kind with a good certificate, and one each with what can be wrong with it."""

    kind: Kind
    good: Server
    other_name: Server
    expired: Server
    plain: Server
    authority: Authority
    stranger: Authority

    @property
    def client(self) -> Client:
        """One that trusts the right authority."""
        return Client(ca=self.authority.file)

    def refused(self, server: Server, client: Client) -> HasyncError:
        """Dial a server that must not be trusted, and return what was said."""
        with pytest.raises(HasyncError) as caught:
            self.kind.dial(server.address, client)
        return caught.value


@pytest.fixture(scope="module", params=sorted(KINDS))
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    """The servers of one kind, side by side."""
    kind = KINDS[request.param]
    with workdir() as place, ExitStack() as stack:
        authority, stranger = Authority(place / "ca"), Authority(place / "stranger", "another authority")
        certificates: dict[str, Certificate | None] = {
            "good": authority.issue("good"),
            "other_name": authority.issue("other", hosts=["elsewhere.example"]),
            "expired": authority.issue("expired", expired=True),
            "plain": None,
        }
        servers = {name: kind.start(place / name, certificate) for name, certificate in certificates.items()}
        for server in servers.values():
            stack.callback(server.close)
            server.launch()
        for server in servers.values():
            server.wait_ready()
        yield Scene(kind=kind, authority=authority, stranger=stranger, **servers)


def told(error: HasyncError, server: Server, *words: str) -> None:
    """Hold an error against what an operator must read in it: the endpoint, the reason, the remedy."""
    assert server.address in error.message
    for word in words:
        assert word in error.message, error.message
    assert error.hint


def test_right_authority_and_name_are_trusted(scene: Scene) -> None:
    """By address and by name, since both are in the certificate."""
    scene.kind.dial(scene.good.address, scene.client)
    scene.kind.dial(f"localhost:{scene.good.port}", scene.client)


def test_other_authority_is_refused(scene: Scene) -> None:
    """Somebody else's certificate gets nothing, and the setting to correct is named."""
    error = scene.refused(scene.good, Client(ca=scene.stranger.file))
    told(error, scene.good, "is not trusted", "authority")
    assert f"{scene.kind.settings}.ca" in error.hint


def test_systems_authorities_are_not_trusted_beside_the_given_one(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate of a public authority is no way in where a private one is configured."""
    monkeypatch.setenv("SSL_CERT_FILE", str(scene.authority.file))  # OpenSSL's idea of the system's authorities
    told(scene.refused(scene.good, Client(ca=scene.stranger.file)), scene.good, "is not trusted")


def test_other_host_name_is_refused(scene: Scene) -> None:
    """The right authority vouches for another server."""
    error = scene.refused(scene.other_name, scene.client)
    told(error, scene.other_name, "is not trusted", "another name")
    assert "subjectAltName" in error.hint


def test_expired_certificate_is_refused(scene: Scene) -> None:
    """What ended yesterday is no proof today."""
    error = scene.refused(scene.expired, scene.client)
    told(error, scene.expired, "is not trusted", "expired")
    assert "renew" in error.hint


def test_server_without_tls_is_refused(scene: Scene) -> None:
    """Nothing falls back to an unencrypted connection."""
    told(scene.refused(scene.plain, scene.client), scene.plain, "is not trusted")


def test_no_name_of_an_account_is_sent_to_a_server_without_tls(scene: Scene) -> None:
    """What goes over the wire before the refusal holds neither MySQL's login nor Redis' AUTH."""
    sent: list[bytes] = []

    def note(chunk: bytes) -> bool:
        sent.append(chunk)
        return False  # let it pass

    with Proxy(scene.plain) as wire:
        wire.hold(note)
        with pytest.raises(HasyncError):
            scene.kind.dial(wire.address, scene.client)
    assert b"hasync" not in b"".join(sent)


def test_client_certificate_is_shown(scene: Scene) -> None:
    """A certificate is shown where it is configured; its key may be sealed with a password."""
    sealed = scene.authority.issue("sealed", key_password=NOBODY)
    shown = replace(scene.client, shown=sealed, key_password=NOBODY)
    scene.kind.dial(scene.good.address, shown)


def test_key_with_a_wrong_password_is_refused_without_asking_a_terminal(scene: Scene) -> None:
    """OpenSSL would ask for it on the terminal, and a service would wait for ever."""
    sealed = scene.authority.issue("wrong", key_password=NOBODY)
    with pytest.raises(HasyncError) as caught:
        scene.kind.dial(scene.good.address, replace(scene.client, shown=sealed, key_password="another"))
    assert "key_password" in caught.value.hint
    assert str(sealed.key) in caught.value.message
    assert "another" not in str(caught.value)


def test_missing_file_is_named(scene: Scene) -> None:
    """A path that is wrong is told with the path."""
    with pytest.raises(HasyncError) as caught:
        scene.kind.dial(scene.good.address, Client(ca=Path("/nowhere/ca.pem")))
    assert "/nowhere/ca.pem" in caught.value.message
