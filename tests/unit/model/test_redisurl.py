"""The Sentinel form of redis.url."""

import pytest

from hasync.errors import ConfigInvalid
from hasync.model.config import parse
from hasync.model.names import Endpoint, Fault
from hasync.model.redisurl import SentinelUrl

DOCUMENT = """
version: 1
source: {{hosts: [mysql], user: hasync}}
redis: {{url: "{url}"{more}}}
tables: {{a.b: [{{delete: ["b:{{id}}"]}}]}}
"""


def test_parts_are_told_apart() -> None:
    """Hosts with and without a port, the primary's name, the database."""
    url = SentinelUrl.parse("rediss+sentinel://one:1,two,[::1]:3/mymaster/4")
    assert (url.encrypted, url.primary, url.database) == (True, "mymaster", 4)
    assert url.sentinels == (Endpoint("one", 1), Endpoint("two", 26379), Endpoint("::1", 3))
    assert str(url) == "rediss+sentinel://one:1,two:26379,[::1]:3/mymaster/4"


@pytest.mark.parametrize(
    "url",
    [
        "redis+sentinel://one:26379",
        "redis+sentinel:///mymaster/0",
        "redis+sentinel://one/mymaster/zero",
        "redis+sentinel://one,/mymaster/0",
        "redis+sentinel://one:99999/mymaster/0",
        "redis+sentinel://one/mymaster/0?db=1",
        "redis+sentinel://user@one/mymaster/0",
    ],
)
def test_what_is_no_such_url_is_refused(url: str) -> None:
    """In the config as in the endpoint, with a remedy."""
    with pytest.raises(Fault):
        SentinelUrl.parse(url)
    with pytest.raises(ConfigInvalid):
        parse(DOCUMENT.format(url=url, more=""))


def test_config_takes_sentinels_and_their_password() -> None:
    """The document of a stream says it all; the password is a reference."""
    config = parse(DOCUMENT.format(url="redis+sentinel://one,two/main", more=', sentinel_password: "env:PASSWORD"'))
    assert config.redis.url == "redis+sentinel://one,two/main"
    assert str(config.redis.sentinel_password) == "env:PASSWORD"


def test_password_of_sentinels_needs_sentinels() -> None:
    """A field that is never used is a mistake, and told."""
    with pytest.raises(ConfigInvalid, match="names none"):
        parse(DOCUMENT.format(url="redis://one", more=', sentinel_password: "env:PASSWORD"'))
