"""What zk/ says about the servers, tried on real ones: ensemble settings, TLS, ACLs."""

import datetime as dt
import ipaddress
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hasync.clock import SystemClock
from hasync.cluster.access import Tls
from hasync.cluster.closing import Closing, SessionCloser
from hasync.cluster.session import ZooKeeperSession
from hasync.errors import CoordinationRefused, CoordinationUnavailable
from testbed import Ensemble, PortLease, ZooKeeper, wait_until
from tests.integration.cluster.stage import connected, elected, ports

REPOSITORY = Path(__file__).parents[3]
PLACES = ("dataDir", "dataLogDir", "clientPort", "server.", "myid", "secureClientPort")


def settings(name: str) -> dict[str, str]:
    """Return what a file of zk/ensemble sets, but for paths, ports and names of machines."""
    lines = (REPOSITORY / "zk" / "ensemble" / name).read_text().splitlines()
    pairs = (line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return {key: value for key, value in pairs if not key.startswith(PLACES)}


def test_ensemble_starts_with_the_settings_in_zk(tmp_path: Path) -> None:
    """Three servers take zoo.cfg as it is, and grant the session timeout that hasync asks for by default."""
    with (
        Ensemble(tmp_path, options=settings("zoo.cfg")) as ensemble,
        connected(*(server.address for server in ensemble), session_timeout_s=10) as session,
    ):
        coordination = ports(session, "/hasync", "a")
        assert coordination.terms.raise_epoch(elected(coordination), 0) == 1
        assert session.timeout_s == pytest.approx(10)


class Authority:
    """A certificate authority for one test."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        self.file = self._write("ca.pem", self._sign(self._name, self._key, authority=True))

    def issue(self, name: str, address: str | None = None) -> tuple[Path, Path]:
        """Return certificate and key of a new identity."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._sign(subject, key, address=address)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return self._write(f"{name}.crt", certificate), self._write(f"{name}.key", private)

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        *,
        authority: bool = False,
        address: str | None = None,
    ) -> bytes:
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if address:
            names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def _write(self, name: str, data: bytes) -> Path:
        path = self._directory / name
        path.write_bytes(data)
        return path


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """An authority that signs the server's and the clients' certificates."""
    return Authority(tmp_path)


class SecureZooKeeper(ZooKeeper):
    """A server with the parts of Netty that TLS needs beside those ZooKeeper's own jar names."""

    def _command(self) -> list[str]:
        command = super()._command()
        at = command.index("-cp") + 1
        jars = list(Path("/usr/share/java").glob("netty-*.jar"))
        if not jars:
            pytest.skip("libnetty-java is not installed")
        command[at] = ":".join([command[at], *(str(jar) for jar in sorted(jars))])
        return command


def secured(directory: Path, authority: Authority, port: int, address: str) -> ZooKeeper:
    """Return a server with the settings of tls.cfg whose certificate is for ``address``."""
    certificate, key = authority.issue("server", address)
    server_pem = directory / "server.pem"
    server_pem.write_bytes(key.read_bytes() + certificate.read_bytes())
    options: dict[str, str | int] = {name: value for name, value in settings("tls.cfg").items() if "uorum" not in name}
    options |= {"ssl.keyStore.location": str(server_pem), "ssl.trustStore.location": str(authority.file)}
    return SecureZooKeeper(directory, options={**options, "secureClientPort": port})


@pytest.fixture
def port() -> Iterator[int]:
    """A port for TLS."""
    with PortLease() as lease:
        yield lease.port


def test_tls_certificate_is_the_identity(tmp_path: Path, authority: Authority, port: int) -> None:
    """Over TLS, nodes belong to the client certificate's subject, and another certificate is refused."""
    own, other = authority.issue("hasync"), authority.issue("somebody")
    tls = [Tls(ca=str(authority.file), cert=str(cert), key=str(key)) for cert, key in (own, other)]
    address = f"127.0.0.1:{port}"
    with (
        secured(tmp_path, authority, port, "127.0.0.1"),
        connected(address, tls=tls[0], session_timeout_s=8) as session,
        connected(address, tls=tls[1], session_timeout_s=8) as stranger,
    ):
        coordination = ports(session, "/hasync", "a")
        leadership = elected(coordination)
        assert coordination.terms.raise_epoch(leadership, 0) == 1
        coordination.configs.put("one", based_on=0, applied_by="ann")
        entries, _ = session.call("acl", lambda client: client.get_acls_async("/hasync"))
        assert [(entry.id.scheme, entry.id.id) for entry in entries] == [("x509", "CN=hasync")]
        with pytest.raises(CoordinationRefused):
            ports(stranger, "/hasync", "b").configs.get()


def test_session_is_closed_from_outside_over_tls(tmp_path: Path, authority: Authority, port: int) -> None:
    """The supervisor speaks TLS as its worker does, and refuses a server whose authority it does not know."""
    cert, key = authority.issue("hasync")
    tls = Tls(ca=str(authority.file), cert=str(cert), key=str(key))
    address = f"127.0.0.1:{port}"
    strangers = tmp_path / "strangers"
    strangers.mkdir()
    with (
        secured(tmp_path, authority, port, "127.0.0.1"),
        connected(address, tls=tls, session_timeout_s=8) as session,
    ):
        credential = session.credential
        assert credential is not None
        stranger = Tls(ca=str(Authority(strangers).file))
        with pytest.raises(CoordinationUnavailable):
            SessionCloser(hosts=[address], session_timeout_s=8, tls=stranger).close(credential)
        closer = SessionCloser(hosts=[address], session_timeout_s=8, tls=tls)
        assert closer.close(credential) is Closing.CLOSED
        wait_until("the session is lost", lambda: session.generation == 1, timeout_s=10)


# kazoo drops the socket of a failed handshake without closing it; Python does so at once.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_tls_certificate_of_another_host_is_refused(tmp_path: Path, authority: Authority, port: int) -> None:
    """A server whose certificate names another host gets nothing, though the authority is right (K21)."""
    cert, key = authority.issue("hasync")
    tls = Tls(ca=str(authority.file), cert=str(cert), key=str(key))
    session = ZooKeeperSession(hosts=[f"127.0.0.1:{port}"], clock=SystemClock(), session_timeout_s=8, tls=tls)
    with secured(tmp_path, authority, port, "10.9.8.7"):
        session.start()
        with pytest.raises(CoordinationUnavailable) as caught:
            session.await_connected(3)
        session.stop(5)
    assert "certificate" in caught.value.message.lower()
