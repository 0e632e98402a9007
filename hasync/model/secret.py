"""Secrets by reference: a config in ZooKeeper names where a password is, never what it is (I12)."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Self

from hasync.errors import ConfigInvalid, SecretGone
from hasync.model.names import Fault

_ENV = re.compile(r"env:([A-Za-z_]\w*)")
_FILE = re.compile(r"file:(/[^\0\n]+)")
_REMEDY = "write env:NAME (an environment variable of the instances) or file:/path (a mounted secret)"


@dataclass(frozen=True, slots=True)
class SecretReference:
    """Where a secret is: the environment variable or the file ``name``; exactly one of both kinds."""

    kind: str
    name: str

    @classmethod
    def parse(cls, raw: object) -> Self:
        """Read ``env:NAME`` or ``file:/path``. Raises Fault, which never repeats the text."""
        text = raw if isinstance(raw, str) else ""
        if match := _ENV.fullmatch(text):
            return cls("env", match[1])
        if match := _FILE.fullmatch(text):
            return cls("file", match[1])
        if text.startswith(("env:", "file:")):
            raise Fault("not a secret's reference: the name or the absolute path is wrong", _REMEDY)
        raise Fault("a literal secret does not belong in a config", _REMEDY)

    def __str__(self) -> str:
        """As written; safe to show."""
        return f"{self.kind}:{self.name}"


class Password:
    """A secret for logins, read anew for each one, so that a rotated one is used without a restart.

    ``accepted`` is set once a server let it in: when a server refuses it after that, it is
    being rotated, and waiting may heal it. Called from: any thread.
    """

    __slots__ = ("_read", "accepted", "name")

    def __init__(self, name: str, read: Callable[[], str]) -> None:
        """``name``: what may be shown of it. ``read`` raises ConfigInvalid when it is not there."""
        self.name = name
        self._read = read
        self.accepted = False

    def reveal(self) -> str:
        """Return it as it is now. Raises ConfigInvalid when it is not there, SecretGone when it was there before."""
        try:
            return self._read()
        except ConfigInvalid as missing:
            if self.accepted:
                raise SecretGone(missing.message, hint=missing.hint) from missing
            raise

    def __repr__(self) -> str:
        """Name it, never show it."""
        return f"Password({self.name})"


def revealed(secret: str | Password) -> str:
    """Return a secret's text as it is now. Raises as :meth:`Password.reveal`."""
    return secret.reveal() if isinstance(secret, Password) else secret


@dataclass(frozen=True, slots=True)
class Secrets:
    """Resolves references, with the environment and the file system injected."""

    environ: Mapping[str, str] = field(repr=False)
    read_file: Callable[[str], str]
    _passwords: dict[SecretReference, Password] = field(default_factory=dict, repr=False, compare=False)

    def password(self, reference: SecretReference) -> Password:
        """Return the one password of a reference, which remembers whether it was ever accepted.

        Raises ConfigInvalid when it cannot be read now.
        """
        known = self._passwords.setdefault(reference, Password(str(reference), lambda: self.resolve(reference)))
        known.reveal()
        return known

    def resolve(self, reference: SecretReference) -> str:
        """Return the secret, read anew each time so that a rotated one is found; a file's last line break is dropped.

        Raises ConfigInvalid when it is not there or empty; the message names the reference only.
        """
        secret = self._from_environ(reference) if reference.kind == "env" else self._from_file(reference)
        if not secret:
            raise _unresolved(reference, "is empty")
        return secret

    def _from_environ(self, reference: SecretReference) -> str:
        if reference.name not in self.environ:
            raise _unresolved(reference, "is not set in this instance's environment")
        return self.environ[reference.name]

    def _from_file(self, reference: SecretReference) -> str:
        try:
            text = self.read_file(reference.name)
        except OSError as error:
            raise _unresolved(reference, f"cannot be read: {error.strerror or type(error).__name__}") from error
        except UnicodeDecodeError:
            # Without its cause: that one quotes the bytes, and they are the secret.
            raise _unresolved(reference, "is not UTF-8 text") from None
        return text.removesuffix("\n").removesuffix("\r")


def _unresolved(reference: SecretReference, why: str) -> ConfigInvalid:
    problem = f"secret {reference} {why}"
    invalid = ConfigInvalid(
        problem, problems=(problem,), hint="set it where the instance runs, or correct the reference"
    )
    invalid.local = True  # another instance may have it
    return invalid
