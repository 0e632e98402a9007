"""Secrets, which hasync is only ever given by reference."""

from collections.abc import Mapping
from pathlib import Path

from hasync.errors import ConfigInvalid
from hasync.settings.model import REFERENCE

SECRETS_DIR = "HASYNC_SECRETS_DIR"
_FILE_MAX_BYTES = 65536


class Secrets:
    """Reads what ``env:NAME``, ``file:/path`` and ``file:name`` refer to; keeps nothing, so a rotated file is seen."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Take the environment of the process."""
        self._environ = environ

    def read(self, reference: str) -> str:
        """Return the secret, without a final line break.

        Raises ConfigInvalid when it is missing, empty or unreadable. The message names the reference, never the secret.
        """
        kind, _, name = reference.partition(":")
        if not REFERENCE.fullmatch(reference):  # perhaps the secret itself: not shown
            raise ConfigInvalid("a secret is not given by reference", hint="use env:NAME or file:/path")
        secret = self._environ.get(name, "") if kind == "env" else self._file(name)
        if not secret:
            remedy = f"set the variable {name}" if kind == "env" else f"write the secret into {name}"
            raise ConfigInvalid(f"secret {reference} is empty or not set", hint=remedy)
        return secret

    def _file(self, name: str) -> str:
        path = Path(self._environ.get(SECRETS_DIR, "")) / name  # an absolute name stands for itself
        try:
            with path.open(encoding="utf-8") as secret:
                return secret.read(_FILE_MAX_BYTES).rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise ConfigInvalid(f"secret file:{name} cannot be read: {reason}", hint=f"check {path}") from None
