"""One example and one mistake for each field of a stream's document, as YAML; the reference shows both."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Sample:
    """``example`` is accepted, ``mistake`` refused; an empty mistake means that none is worth showing."""

    example: str
    mistake: str = ""


SAMPLES: Final[Mapping[str, Sample]] = MappingProxyType(
    {
        "version": Sample("1", "2"),
        "enabled": Sample("false", '"no"'),
        "source": Sample('{hosts: ["mysql-0:3306"], user: hasync}'),
        "redis": Sample('{url: "redis://redis:6379/0"}'),
        "on_missing_state": Sample("resume", "ignore"),
        "on_emptied_table": Sample("continue", "skip"),
        "batch": Sample("{max_rows: 1000}"),
        "placement": Sample('{pin: ["zone-a-*"]}'),
        "tables": Sample('{"shop.products": [{delete: ["product:{id}"]}]}', '{"products": [{delete: ["p:{id}"]}]}'),
        "source.hosts": Sample('["mysql-0:3306", "mysql-1:3306"]', '["mysql-0:0"]'),
        "source.user": Sample("hasync", '""'),
        "source.password": Sample("env:MYSQL_PASSWORD", "s3cret"),
        "source.start": Sample("{file: binlog.000042, pos: 157}", "now"),
        "source.tls": Sample("{ca: /etc/ssl/mysql-ca.pem}"),
        "source.connect_timeout": Sample("3s", "5m"),
        "redis.url": Sample("rediss://redis:6379/0", "redis://redis/cache"),
        "redis.username": Sample("hasync", ""),
        "redis.password": Sample("file:/run/secrets/redis", "s3cret"),
        "redis.tls": Sample("{ca: /etc/ssl/redis-ca.pem}"),
        "redis.sentinel_username": Sample("watcher"),
        "redis.sentinel_password": Sample("env:SENTINEL_PASSWORD", "s3cret"),
        "source.tls.ca": Sample("/etc/ssl/mysql-ca.pem"),
        "source.tls.cert": Sample("/etc/hasync/client.pem"),
        "source.tls.key": Sample("/etc/hasync/client.key"),
        "source.tls.key_password": Sample("env:CLIENT_KEY_PASSWORD", "s3cret"),
        "source.tls.verify": Sample("ca", "false"),
        "batch.max_rows": Sample("1000", "0"),
        "batch.max_bytes": Sample("1048576", "100"),
        "placement.pin": Sample('["zone-a-*"]', "[]"),
        "placement.avoid": Sample("[hasync-2]", '["a b"]'),
        "rule.set": Sample('{key: "user:balance:{uid}", value: "{balance}"}', '{key: "balance", value: "{balance}"}'),
        "rule.delete": Sample('["user:{id}", "user:email:{old.email}"]', '["user:{}"]'),
        "rule.hash": Sample('{key: "product:{id}", fields: [name, price]}', '{key: "product:{id}", fields: []}'),
        "rule.handler": Sample("acme.handlers:on_order", "acme.handlers"),
        "rule.on": Sample("[insert, update]", "[upsert]"),
        "rule.when_changed": Sample("[balance]", '["{balance}"]'),
        "rule.ttl": Sample("1h", "soon"),
        "rule.set.key": Sample('"user:{id}"', '"user:{old.id}"'),
        "rule.set.value": Sample('"{first} {last}"', '"{price:.2f}"'),
        "rule.hash.key": Sample('"product:{id}"', '"hasync:{{p}}:{id}"'),
        "rule.hash.fields": Sample('{cost: "{price} EUR", name: "{name}"}', "name"),
    }
)
"""By place; ``rule`` stands for the rules of a table."""
