"""Where a Redis is: the forms of ``redis.url``, taken apart."""

from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from hasync.model.names import Endpoint, Fault

SENTINEL_SCHEMES = ("redis+sentinel", "rediss+sentinel")
"""Schemes whose hosts are Sentinels; with ``rediss`` they and the primary speak TLS."""

SENTINEL_PORT = 26379

_REMEDY = "write redis+sentinel://host:26379,host:26379/name/0, name being the primary's in 'sentinel monitor'"


@dataclass(frozen=True, slots=True, kw_only=True)
class SentinelUrl:
    """``redis+sentinel://one:26379,two:26379/name/0``: who is asked for the primary, and what it is called there."""

    encrypted: bool
    sentinels: tuple[Endpoint, ...]
    primary: str
    database: int

    @classmethod
    def is_one(cls, url: str) -> bool:
        """Whether this is meant to be such a URL."""
        return url.partition("://")[0] in SENTINEL_SCHEMES

    @classmethod
    def parse(cls, url: str) -> Self:
        """Take it apart. Raises Fault."""
        parts = urlsplit(url)
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise Fault("no more than hosts, name and database number can be there", _REMEDY)
        primary, _, database = parts.path.strip("/").partition("/")
        database = database or "0"
        if not primary or not parts.netloc:
            raise Fault("no hosts, or no name of the primary", _REMEDY)
        if not database.isdigit() or len(database) > 5:
            raise Fault("the database is no number", _REMEDY)
        sentinels = tuple(Endpoint.parse(host, default_port=SENTINEL_PORT) for host in parts.netloc.split(","))
        encrypted = parts.scheme.startswith("rediss")
        return cls(encrypted=encrypted, sentinels=sentinels, primary=primary, database=int(database))

    def __str__(self) -> str:
        """As it is written, ports and database always there."""
        scheme = SENTINEL_SCHEMES[int(self.encrypted)]
        return f"{scheme}://{','.join(map(str, self.sentinels))}/{self.primary}/{self.database}"
