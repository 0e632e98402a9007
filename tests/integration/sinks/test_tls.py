"""TLS to a real Redis: whom the sink trusts."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hasync.clock import SystemClock
from hasync.errors import SinkUnavailable
from hasync.model.tls import Verify
from hasync.sinks.endpoint import RedisEndpoint
from hasync.sinks.redis import RedisSink
from testbed import PortLease, Redis


def certify(folder: Path, name: str, *, host: str) -> tuple[str, str]:
    """Write a self-signed certificate for ``host``; return the files of certificate and key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now.replace(year=2099))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    files = folder / f"{name}.crt", folder / f"{name}.key"
    files[0].write_bytes(certificate.public_bytes(pem))
    plain = serialization.NoEncryption()
    files[1].write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return str(files[0]), str(files[1])


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Run a Redis whose certificate is for localhost."""
    certificate, key = certify(tmp_path, "server", host="localhost")
    files: dict[str, str | int] = {"tls-cert-file": certificate, "tls-key-file": key, "tls-ca-cert-file": certificate}
    with PortLease() as lease:
        options = {**files, "tls-port": lease.port, "tls-auth-clients": "no"}
        with Redis(tmp_path, options=options):
            yield lease.port


def peek(url: str, ca_file: str, verify: Verify = Verify.FULL) -> None:
    sink = RedisSink(stream="tls", endpoint=RedisEndpoint(url=url, ca_file=ca_file, verify=verify), clock=SystemClock())
    try:
        sink.peek()
    finally:
        sink.close()


def test_known_authority_and_host_are_trusted(port: int, tmp_path: Path) -> None:
    """The certificate's authority and host name are the expected ones."""
    peek(f"rediss://localhost:{port}", str(tmp_path / "server.crt"))


def test_other_authority_is_not_trusted(port: int, tmp_path: Path) -> None:
    """Somebody else's certificate does not get the stream's rows; it is waited for the right one."""
    other, _ = certify(tmp_path, "other", host="localhost")
    with pytest.raises(SinkUnavailable) as refused:
        peek(f"rediss://localhost:{port}", other)
    assert "redis.tls.ca" in refused.value.hint


def test_other_host_name_is_trusted_only_when_told_so(port: int, tmp_path: Path) -> None:
    """A certificate for another host is refused, unless only the chain is to be checked."""
    authority = str(tmp_path / "server.crt")
    with pytest.raises(SinkUnavailable):
        peek(f"rediss://127.0.0.1:{port}", authority)
    peek(f"rediss://127.0.0.1:{port}", authority, Verify.CA)


def test_tls_to_a_plain_port_is_unavailable(tmp_path: Path) -> None:
    """A server without TLS is an error of the connection."""
    with Redis(tmp_path) as server, pytest.raises(SinkUnavailable):
        peek(f"rediss://127.0.0.1:{server.port}", "")
