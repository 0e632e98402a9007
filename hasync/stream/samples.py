"""What a config will send to Redis, by example: for checking permissions before there is a row."""

from collections.abc import Iterator

from hasync.model.command import Command
from hasync.model.config import StreamConfig
from hasync.model.rule import Rule
from hasync.model.template import Template


def sample_commands(config: StreamConfig) -> tuple[Command, ...]:
    """Return one command of each kind and key that the rules write; a handler's are only known when it runs."""
    rules = (rule for rules in config.tables.values() for rule in rules)
    return tuple(dict.fromkeys(command for rule in rules for command in _samples(rule)))


def _samples(rule: Rule) -> Iterator[Command]:
    for template in rule.delete or ():
        yield (b"UNLINK", _key(template))
    if rule.key is None:
        return
    key = _key(rule.key)
    yield (b"UNLINK", key)
    if rule.set_ is not None:
        yield (b"SET", key, b"")
        yield (b"MSET", key, b"")
    if rule.hash_ is not None:
        yield (b"HSET", key, b"field", b"")
        yield (b"HDEL", key, b"field")
        yield from ((b"PEXPIRE", key, b"%d" % rule.ttl.ms),) if rule.ttl else ()


def _key(template: Template) -> bytes:
    return b"".join(part.encode() if isinstance(part, str) else b"0" for part in template.parts)
