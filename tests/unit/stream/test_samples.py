"""What doctor tries on Redis before there is a row."""

from hasync.model.config import parse
from hasync.stream.samples import sample_commands

CONFIG = """
version: 1
source: {hosts: ["db:3306"], user: hasync}
redis: {url: "redis://redis:6379/0"}
tables:
  app.account:
    - {set: {key: "account:{id}", value: "{balance}"}}
  app.user:
    - {delete: ["user:{id}", "user:name:{old.name}"]}
  app.product:
    - {hash: {key: "product:{id}", fields: [name]}, ttl: 1h}
"""


def test_every_kind_of_command_and_key_of_the_rules_is_tried() -> None:
    """A permission that is missing shows in doctor, not at the first row."""
    assert sample_commands(parse(CONFIG)) == (
        (b"UNLINK", b"account:0"),
        (b"SET", b"account:0", b""),
        (b"MSET", b"account:0", b""),
        (b"UNLINK", b"user:0"),
        (b"UNLINK", b"user:name:0"),
        (b"UNLINK", b"product:0"),
        (b"HSET", b"product:0", b"field", b""),
        (b"HDEL", b"product:0", b"field"),
        (b"PEXPIRE", b"product:0", b"3600000"),
    )
