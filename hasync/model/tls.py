"""How much of a server's certificate is checked."""

from enum import StrEnum


class Verify(StrEnum):
    """How much of the server's certificate is checked; the values are the config's."""

    FULL = "full"
    """Trust chain and host name."""
    CA = "ca"
    """Trust chain only."""
    NONE = "none"
    """Nothing: encrypted, but to anybody."""
