"""One way to speak TLS to every server: whom a client trusts, and what a failed handshake means.

The drivers' own contexts trust the system's authorities beside the one that is given
(redis-py, kazoo), and ask on the terminal for the password of a key (all). So each
adapter takes its context here, a new one for each connection: a renewed certificate is
used at the next one. Nothing ever falls back to an unencrypted connection.
"""

import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hasync.errors import ConfigInvalid
from hasync.model.tls import Verify

_UNKNOWN_AUTHORITY: Final = frozenset({2, 18, 19, 20, 21, 24, 27})
"""OpenSSL's X509_V_ERR codes for a chain that does not end at a trusted authority."""
_EXPIRED: Final = 10
_NOT_YET: Final = 9
_NAMES: Final = frozenset({62, 64})
_REVOKED: Final = 23

_PLAIN: Final = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG"})
_OURS: Final = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it asks for a client certificate",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "it refuses the handshake (it may ask for a client certificate)",
    "TLSV1_ALERT_UNKNOWN_CA": "it does not know the authority of our client certificate",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it does not accept our client certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it does not accept our client certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "our client certificate has expired",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "our client certificate is revoked",
}
_OPENSSL_REASON: Final = re.compile(r"\[SSL: ([A-Z0-9_]+)\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """Why a handshake failed, in words, and what to do about it. ``ours``: the server does not accept this client."""

    reason: str
    remedy: str
    ours: bool = False


def client_context(
    *,
    ca_file: str | None = None,
    cert_file: str | None = None,
    key_file: str | None = None,
    key_password: str = "",
    verify: Verify = Verify.FULL,
) -> ssl.SSLContext:
    """Return what a connection is wrapped with: TLS 1.2 or later.

    With ``ca_file`` its authorities are trusted and no others, without the system's.
    ``key_password``: of an encrypted key; it is never asked for on a terminal.
    Raises ConfigInvalid, with ``local`` set, when a file cannot be used. Called from: any thread.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
        if cert_file:
            context.load_cert_chain(cert_file, key_file or None, password=lambda: key_password)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError; ValueError: a password too long
        raise _unusable(error, ca_file, cert_file, key_file) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # MySQL's own tools make certificates that are not strict
    context.check_hostname = verify is Verify.FULL
    context.verify_mode = ssl.CERT_NONE if verify is Verify.NONE else ssl.CERT_REQUIRED
    return context


def _unusable(error: Exception, *files: str | None) -> ConfigInvalid:
    """Name the files, and the one that is at fault where that is known. OpenSSL's texts quote no content."""
    given = [file for file in files if file]
    unread = [file for file in given if not _readable(file)]
    if unread:
        problem, hint = f"TLS files cannot be read: {', '.join(unread)}", "mount them there, or correct the paths"
    else:
        reason = getattr(error, "reason", None) or type(error).__name__
        problem = f"TLS files cannot be used: {', '.join(given)}: {reason}"
        hint = "see that they are PEM, that key and certificate belong together, and that key_password opens the key"
    invalid = ConfigInvalid(problem, problems=(problem,), hint=hint)
    invalid.local = True  # another instance may have the right ones
    return invalid


def _readable(path: str) -> bool:
    try:
        with Path(path).open("rb"):
            return True
    except OSError:
        return False


class SilentHandshake(TimeoutError):  # noqa: N818 - what happened is the name
    """A server took the connection and answered nothing to TLS, as one does that waits for a line of text."""


def encrypted(context: ssl.SSLContext, plain: socket.socket, name: str) -> ssl.SSLSocket:
    """Wrap a connected socket within its own timeout; it is closed when that fails. Raises OSError, SilentHandshake."""
    try:
        return context.wrap_socket(plain, server_hostname=name)
    except TimeoutError as late:
        plain.close()
        raise SilentHandshake("the TLS handshake was not answered") from late
    except OSError:
        plain.close()
        raise


def diagnosis(error: BaseException | None) -> Diagnosis | None:
    """Say what a failed handshake means; None for an error that is none of TLS. Looks through an error's causes."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _distrusted(cause)
        if isinstance(cause, SilentHandshake):
            return _SILENT
        if isinstance(cause, ssl.SSLError):
            return _handshake(cause.reason or "")
    found = next((match for cause in causes if (match := _OPENSSL_REASON.search(str(cause)))), None)
    return _handshake(found[1]) if found else None


_SILENT: Final = Diagnosis(
    reason="it does not answer the TLS handshake",
    remedy="use the server's TLS port, or switch TLS on there: one without it waits in silence",
)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        yield error
        seen.append(error)
        error = error.__cause__ or error.__context__


def _distrusted(error: ssl.SSLCertVerificationError) -> Diagnosis:
    code = error.verify_code
    if code in _UNKNOWN_AUTHORITY:
        return Diagnosis(
            reason="its certificate comes from an authority that is not trusted here",
            remedy="set tls.ca to the authority's file that signed the server's certificate",
        )
    if code == _EXPIRED:
        return Diagnosis(reason="its certificate has expired", remedy="renew the server's certificate")
    if code == _NOT_YET:
        remedy = "set the clock of this machine or the server's right"
        return Diagnosis(reason="its certificate is not valid yet", remedy=remedy)
    if code in _NAMES:
        return Diagnosis(
            reason=f"its certificate is for another name ({error.verify_message.rstrip('.')})",
            remedy="use a name that is in the certificate, or issue one with this name in subjectAltName",
        )
    if code == _REVOKED:
        return Diagnosis(reason="its certificate is revoked", remedy="give the server a new certificate")
    return Diagnosis(
        reason=f"its certificate is not trusted ({error.verify_message})", remedy="check the certificate and tls.ca"
    )


def _handshake(reason: str) -> Diagnosis:
    if reason in _PLAIN:
        return Diagnosis(
            reason="it does not speak TLS on that port",
            remedy="use the server's TLS port, or switch TLS on there; nothing was sent unencrypted",
        )
    if reason in _OURS:
        remedy = "set tls.cert and tls.key to a certificate that the server accepts"
        return Diagnosis(reason=_OURS[reason], remedy=remedy, ours=True)
    if reason == "UNEXPECTED_EOF_WHILE_READING":
        return Diagnosis(
            reason="it hung up in the handshake",
            remedy="see that this is the server's TLS port, and look at its log: it may ask for a client certificate",
        )
    return Diagnosis(
        reason=f"the handshake failed ({reason or 'no reason told'})",
        remedy="compare the TLS versions and ciphers of the server with this client's (TLS 1.2 or later)",
    )
