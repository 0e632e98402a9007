"""Certificate authorities and certificates for throw-away servers and their clients, made when they are needed."""

import datetime as dt
import ipaddress
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HERE = ("localhost", "127.0.0.1")
DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Files of one identity, in PEM form. ``sound``: whether a careful client on this machine trusts it."""

    authority: Path
    cert: Path
    key: Path
    both: Path
    """Key and certificate in one file, as ZooKeeper wants them."""
    sound: bool = True

    def client_context(self) -> ssl.SSLContext:
        """Return what the testbed's own clients use: they show the same one, and verify, unless it is unsound."""
        context = ssl.create_default_context(cafile=self.authority)
        if self.sound:
            context.load_cert_chain(self.cert, self.key)
        else:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


class Authority:
    """A certificate authority; what it signs lies beside its own certificate in ``directory``, which is made."""

    def __init__(self, directory: Path, name: str = "testbed authority") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        self.file = self._write("ca.pem", self._sign(self._name, self._key, age=DAY, authority=True))

    def issue(
        self, name: str, *, hosts: Sequence[str] = HERE, expired: bool = False, key_password: str = ""
    ) -> Certificate:
        """Make a new identity called ``name``, valid for ``hosts``; an expired one ended yesterday."""
        key = ec.generate_private_key(ec.SECP256R1())
        age = 30 * DAY if expired else DAY
        cert = self._sign(_named(name), key, age=age, hosts=hosts, days=29 if expired else 30)
        secret = _key_pem(key, key_password)
        return Certificate(
            authority=self.file,
            cert=self._write(f"{name}.crt", cert),
            key=self._write(f"{name}.key", secret),
            both=self._write(f"{name}.pem", secret + cert),
            sound=not expired and set(HERE) <= set(hosts),
        )

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        *,
        age: dt.timedelta,
        authority: bool = False,
        hosts: Sequence[str] = (),
        days: int = 30,
    ) -> bytes:
        begin = dt.datetime.now(dt.UTC) - age
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + days * DAY)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if hosts:
            names = x509.SubjectAlternativeName([_host(host) for host in hosts])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def _write(self, name: str, data: bytes) -> Path:
        path = self._directory / name
        path.write_bytes(data)
        return path


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _key_pem(key: ec.EllipticCurvePrivateKey, password: str) -> bytes:
    sealed: serialization.KeySerializationEncryption = (
        serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
    )
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed)
