"""Broken configs: each is refused with its path, the value, and what to write instead."""

import re
from contextlib import suppress

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hasync.errors import ConfigInvalid
from hasync.model.config import parse
from hasync.model.document import MAX_BYTES, load

SOURCE = 'source: {hosts: ["db:3306"], user: u, password: "env:PW"}'
REDIS = 'redis: {url: "redis://cache:6379/0"}'
TABLES = 'tables: {test.users: [{delete: ["user:{id}"]}]}'


def document(
    *extra: str, version: str = "version: 1", source: str = SOURCE, redis: str = REDIS, tables: str = TABLES
) -> str:
    return "\n".join(filter(None, [version, source, redis, tables, *extra]))


def source(entries: str) -> str:
    return document(source=f"source: {{{entries}}}")


def source_with(entry: str) -> str:
    return source(f'hosts: ["db:3306"], user: u, {entry}')


def redis(entries: str) -> str:
    return document(redis=f"redis: {{{entries}}}")


def rule(text: str) -> str:
    return document(tables=f"tables: {{test.users: [{{{text}}}]}}")


def tables(text: str) -> str:
    return document(tables=f"tables: {text}")


RULE = 'tables."test.users"[0]'
SET = 'set: {key: "u:{id}", value: "{name}"}'
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "\n".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, 9)
)

# What is wrong: the document, the path (or line), the value as shown, the remedy.
BROKEN: dict[str, tuple[str | bytes, str, str, str]] = {
    # ------------------------------------------------------------------ the text itself
    "empty": ("", "document", "empty", "config schema"),
    "blank": (" \n\n", "document", "empty", "config schema"),
    "only_comments": ("# nothing\n", "document", "empty", "config schema"),
    "list_at_top": ("- version: 1", "document", "not a mapping", "begin it with 'version: 1'"),
    "scalar_at_top": ("version", "document", "not a mapping", "begin it with 'version: 1'"),
    "tab": ("version: 1\nsource:\n\tuser: u", "line 3, column 1", "cannot start any token", "spaces, never tabs"),
    "unbalanced": ("version: [1", "line 2", "not YAML", "quote text"),
    "duplicate_key": (document(SOURCE), "line 5, column 1", "duplicate key 'source', first in line 2", "merge the two"),
    "duplicate_table": (
        tables("\n  a.b: [{delete: [k]}]\n  a.b: [{delete: [l]}]"),
        "line 6, column 3",
        "duplicate key 'a.b', first in line 5",
        "merge the two",
    ),
    "key_is_a_list": (document("? [a, b]\n: c"), "line 5", "a key that is not text", "quote it"),
    "key_is_a_number": (tables("{5: []}"), "line 4, column 10", "a key that is not text", "quote it"),
    "two_documents": (document("---", "version: 1"), "document", "more than one", "one stream per document"),
    "python_tag": ("version: !!python/name:os.system x", "line 1, column 10", "a YAML tag", "begins with '!'"),
    "unknown_alias": ("version: *nobody", "line 1", "alias", "quote text"),
    "cyclic_alias": ("version: &a [*a]", "line 1, column 10", "contains itself", "write the values out"),
    "alias_bomb": (BOMB, "line", "over 200000 values", "use fewer"),
    "too_deep": ("version: " + "[" * 5000, "line 1", "levels deep", "flatten"),
    "too_large": ("# " + "x" * MAX_BYTES, "document", f"{MAX_BYTES + 2} bytes", "use wildcards or split"),
    "not_utf8": (b"version: 1 # \xff", "byte 14", "not UTF-8", "save the document as UTF-8"),
    "control_character": ("version: \x01", "not YAML", "", "plain UTF-8"),
    "lone_surrogate": ('version: "\\ud800"', "not YAML", "", "quote"),
    # ------------------------------------------------------------------------- top level
    "no_version": (document(version=""), "version", "required key is missing", "add 'version: ...'"),
    "newer_version": (document(version="version: 2"), "version", "(got 2)", "write version: 1, or update hasync"),
    "version_as_text": (document(version='version: "1"'), "version", "(got '1')", "write version: 1"),
    "version_true": (document(version="version: true"), "version", "(got True)", "write version: 1"),
    "no_redis": (document(redis=""), "redis", "required key is missing", "add 'redis: ...'"),
    "no_tables": (document(tables=""), "tables", "required key is missing", "add 'tables: ...'"),
    "unknown_top_key": (document("table: {}"), "table", "unknown key 'table'", "did you mean 'tables'?"),
    "enabled_yes": (document("enabled: yes"), "enabled", "(got 'yes')", "write true or false"),
    "enabled_number": (document("enabled: 1"), "enabled", "(got 1)", "write true or false"),
    "policy": (document("on_missing_state: resumed"), "on_missing_state", "(got 'resumed')", "did you mean 'resume'?"),
    "batch_scalar": (document("batch: 100"), "batch", "(got 100)", "key: value"),
    "batch_rows_zero": (document("batch: {max_rows: 0}"), "batch.max_rows", "(got 0)", "from 1 to 1000000"),
    "batch_rows_text": (document('batch: {max_rows: "5"}'), "batch.max_rows", "(got '5')", "a whole number"),
    "batch_bytes_unit": (document("batch: {max_bytes: 4MiB}"), "batch.max_bytes", "(got '4MiB')", "a whole number"),
    "batch_bytes_huge": (document("batch: {max_bytes: 1000000000}"), "batch.max_bytes", "1000000000", "67108864"),
    "batch_unknown": (document("batch: {maxrows: 5}"), "batch.maxrows", "unknown key", "did you mean 'max_rows'?"),
    # ---------------------------------------------------------------------------- source
    "source_url": (
        document(source="source: mysql://u:hunter2@db"),
        "source",
        "(got 'mysql://***@db')",
        "write 'key: value' pairs",
    ),
    "hosts_text": (source("hosts: db, user: u"), "source.hosts", "(got 'db')", "list at least one"),
    "hosts_empty": (source("hosts: [], user: u"), "source.hosts", "(got [])", "list at least one"),
    "host_with_scheme": (
        source('hosts: [db, "mysql://db"], user: u'),
        "source.hosts[1]",
        "(got 'mysql://db')",
        "write host:port",
    ),
    "host_number": (source("hosts: [3306], user: u"), "source.hosts[0]", "(got 3306)", "write host:port"),
    "port_out_of_range": (source('hosts: ["db:70000"], user: u'), "source.hosts[0]", "70000", "from 1 to 65535"),
    "host_twice": (source('hosts: [db, "db:3306"], user: u'), "source.hosts", "db:3306 is there twice", "once"),
    "no_user": (source("hosts: [db]"), "source.user", "required key is missing", "add 'user: ...'"),
    "empty_user": (source('hosts: [db], user: ""'), "source.user", "empty", "write a name"),
    "user_number": (source("hosts: [db], user: 5"), "source.user", "(got 5)", "quote it"),
    "literal_password": (
        source_with("password: hunter2"),
        "source.password",
        "a literal secret does not belong in a config (value not shown)",
        "write env:NAME",
    ),
    "password_number": (source_with("password: 31337"), "source.password", "(value not shown)", "file:/path"),
    "password_bad_variable": (source_with('password: "env:MY-PW"'), "source.password", "not shown", "env:NAME"),
    "password_relative_file": (source_with('password: "file:pw"'), "source.password", "not shown", "file:/path"),
    "mistyped_password": (
        source_with("pasword: hunter2"),
        "source.pasword",
        "unknown key 'pasword'",
        "did you mean 'password'?",
    ),
    "start_mistyped": (source_with("start: lates"), "source.start", "(got 'lates')", "did you mean 'latest'?"),
    "start_now": (source_with("start: {time: 5}"), "source.start", "not a place to start", "timestamp"),
    "start_mixed": (
        source_with("start: {file: binlog.000001, gtid: x}"),
        "source.start",
        "'gtid' does not go with it",
        "keep only file and pos",
    ),
    "start_file": (source_with("start: {file: binlog}"), "source.start.file", "(got 'binlog')", "SHOW BINARY LOGS"),
    "start_pos": (
        source_with("start: {file: b.000001, pos: 3}"),
        "source.start.pos",
        "(got 3)",
        "4 or more",
    ),
    "start_gtid": (source_with('start: {gtid: "0-1"}'), "source.start.gtid", "'0-1'", "@@gtid_executed"),
    "start_zoneless_time": (
        source_with('start: {timestamp: "2026-01-01T00:00:00"}'),
        "source.start.timestamp",
        "(got '2026-01-01T00:00:00')",
        "RFC 3339 with its zone",
    ),
    "start_milliseconds": (
        source_with("start: {timestamp: 1767225600000}"),
        "source.start.timestamp",
        "(got 1767225600000)",
        "Unix seconds",
    ),
    "timeout_unit": (source_with("connect_timeout: 5sec"), "source.connect_timeout", "(got '5sec')", "500ms, 30s"),
    "timeout_long": (source_with("connect_timeout: 1h"), "source.connect_timeout", "(got '1h')", "100ms to 60s"),
    "tls_half": (source_with("tls: {cert: /c}"), "source.tls", "cert and key go together", "give both or none"),
    "tls_verify": (source_with("tls: {verify: false}"), "source.tls.verify", "(got False)", "'full', 'ca' or 'none'"),
    "tls_idle_ca": (source_with("tls: {verify: none, ca: /ca}"), "source.tls", "never used", "drop one"),
    # ----------------------------------------------------------------------------- redis
    "redis_url_password": (
        redis('url: "redis://:hunter2@cache:6379/0"'),
        "redis.url",
        "(got 'redis://***@cache:6379/0')",
        "password: env:NAME",
    ),
    "redis_url_slashed_password": (
        redis('url: "redis://u:hunter2/x@cache"'),
        "redis.url",
        "'redis://***@cache'",
        "redis://host:6379/0",
    ),
    "redis_query_password": (
        redis('url: "redis://cache?password=hunter2"'),
        "redis.url",
        "credentials",
        "password: env:NAME",
    ),
    "redis_scheme": (redis('url: "http://cache"'), "redis.url", "(got 'http://cache')", "rediss://"),
    "redis_no_host": (redis('url: "redis:///0"'), "redis.url", "no host", "redis://host:6379/0"),
    "redis_port": (redis('url: "redis://c:99999"'), "redis.url", "not a URL", "redis://host:6379/0"),
    "redis_database": (redis('url: "redis://c/prod"'), "redis.url", "(got 'redis://c/prod')", "redis://host:6379/0"),
    "redis_socket": (redis('url: "unix://"'), "redis.url", "path of a socket", "unix:///path"),
    "redis_literal_password": (redis('url: "redis://c", password: hunter2'), "redis.password", "not shown", "env:NAME"),
    "redis_tls_plain": (redis('url: "redis://c", tls: {ca: /ca}'), "redis.tls", "not encrypted", "rediss://"),
    "redis_user_alone": (redis('url: "redis://c", username: app'), "redis.username", "(got 'app')", "add password"),
    # ---------------------------------------------------------------------------- tables
    "tables_empty": (tables("{}"), "tables", "no tables", "enabled: false"),
    "tables_list": (tables("[test.users]"), "tables", "(got ['test.users'])", "key: value"),
    "table_bare": (tables("{users: [{delete: [k]}]}"), "tables.users", "its schema and its name", "'*.users'"),
    "table_dots": (tables("{a.b.c: [{delete: [k]}]}"), 'tables."a.b.c"', "more than one dot", "'?'"),
    "table_half": (tables("{a.: [{delete: [k]}]}"), 'tables."a."', "is empty", "'*' matches"),
    "table_percent": (tables("{a.b%: [{delete: [k]}]}"), 'tables."a.b%"', "'%' are no part", "wildcards * and ?"),
    "table_without_rules": (tables("{a.b: []}"), 'tables."a.b"', "without rules", "at least one rule"),
    "rules_not_listed": (tables("{a.b: {delete: [k]}}"), 'tables."a.b"', "not a list", "one '- ' line each"),
    "rule_is_text": (tables("{a.b: [delete]}"), 'tables."a.b"[0]', "(got 'delete')", "key: value"),
    "same_rule_twice": (tables("{a.b: [{delete: [k]}, {delete: [k]}]}"), 'tables."a.b"[1]', "same rule", "drop one"),
    "string_and_hash": (
        tables("{a.b: [{set: {key: 'k{id}', value: x}}, {hash: {key: 'k{id}', fields: [a]}}]}"),
        'tables."a.b"[1]',
        "as a string and as a hash",
        "another key",
    ),
    # ----------------------------------------------------------------------------- rules
    "rule_empty": (rule(""), RULE, "does nothing", "exactly one of set, delete, hash, handler"),
    "rule_two_actions": (rule(f"{SET}, delete: [k]"), RULE, "set and delete in one rule", "several rules may follow"),
    "rule_unknown": (rule("deletes: [k]"), f"{RULE}.deletes", "unknown key", "did you mean 'delete'?"),
    "set_without_value": (rule("set: {key: 'k{id}'}"), f"{RULE}.set.value", "is missing", "add 'value: ...'"),
    "set_unknown": (
        rule("set: {key: 'k{id}', value: x, val: x}"),
        f"{RULE}.set.val",
        "unknown key",
        "did you mean 'value'?",
    ),
    "set_constant_key": (rule("set: {key: k, value: x}"), f"{RULE}.set.key", "(got 'k')", "add a {column}"),
    "set_old_key": (rule("set: {key: 'k{old.id}', value: x}"), f"{RULE}.set.key", "'k{old.id}'", "write {column}"),
    "set_old_value_on_insert": (
        rule("set: {key: 'k{id}', value: '{old.a}'}"),
        f"{RULE}.set.value",
        "an insert has no old image (got '{old.a}')",
        "take insert out of 'on'",
    ),
    "set_empty_key": (rule('set: {key: "", value: x}'), f"{RULE}.set.key", "an empty key", "at least one {column}"),
    "set_number": (rule("set: {key: 'k{id}', value: 5}"), f"{RULE}.set.value", "(got 5)", "quote it"),
    "delete_text": (rule('delete: "k:{id}"'), f"{RULE}.delete", "(got 'k:{id}')", "write a list"),
    "delete_nothing": (rule("delete: []"), f"{RULE}.delete", "no key to delete", "at least one key"),
    "delete_twice": (rule("delete: [k, l, k]"), f"{RULE}.delete[2]", "(got 'k')", "name each key once"),
    "delete_old_on_insert": (
        rule("delete: [k, 'k:{old.a}'], on: [insert]"),
        f"{RULE}.delete[1]",
        "(got 'k:{old.a}')",
        "add delete or update to 'on'",
    ),
    "delete_new_on_delete": (
        rule("delete: ['k:{new.a}'], on: [delete]"),
        f"{RULE}.delete[0]",
        "new. never has a value",
        "add insert or update to 'on'",
    ),
    "delete_both_on_delete": (
        rule("delete: ['k:{new.a}{old.a}'], on: [delete, insert]"),
        f"{RULE}.delete[0]",
        "new. and old. never",
        "add update to 'on'",
    ),
    "delete_fence": (rule("delete: ['hasync:{{s}}:state']"), f"{RULE}.delete[0]", "hasync's own", "another prefix"),
    "template_index": (rule("delete: ['user:{0}']"), f"{RULE}.delete[0]", "at character 6", "only {column}"),
    "template_empty": (rule("delete: [k, 'user:{}']"), f"{RULE}.delete[1]", "names no column", "only {column}"),
    "template_format": (rule("delete: ['{id:>3}']"), f"{RULE}.delete[0]", "a format (':')", "only {column}"),
    "template_image": (rule("delete: ['{before.id}']"), f"{RULE}.delete[0]", "'before' is not an image", "old.column"),
    "template_open": (rule("delete: ['user:{id']"), f"{RULE}.delete[0]", "without its '}'", "{{ and }} for a brace"),
    "hash_no_fields": (rule("hash: {key: 'k{id}', fields: []}"), f"{RULE}.hash.fields", "(got [])", "list columns"),
    "hash_text_fields": (rule("hash: {key: 'k{id}', fields: a}"), f"{RULE}.hash.fields", "(got 'a')", "map fields"),
    "hash_twice": (rule("hash: {key: 'k{id}', fields: [a, a]}"), f"{RULE}.hash.fields", "'a' is there twice", "once"),
    "hash_template_column": (
        rule("hash: {key: 'k{id}', fields: [a, '{b}']}"),
        f"{RULE}.hash.fields[1]",
        "(got '{b}')",
        "without braces",
    ),
    "hash_bad_field": (
        rule("hash: {key: 'k{id}', fields: {a: '{}'}}"),
        f"{RULE}.hash.fields.a",
        "(got '{}')",
        "only {column}",
    ),
    "handler_path": (rule("handler: acme.handlers.on"), f"{RULE}.handler", "'acme.handlers.on'", "module:function"),
    "on_unknown": (rule(f"{SET}, on: [updates]"), f"{RULE}.on[0]", "(got 'updates')", "did you mean 'update'?"),
    "on_empty": (rule(f"{SET}, on: []"), f"{RULE}.on", "(got [])", "insert, update, delete"),
    "on_text": (rule(f"{SET}, on: update"), f"{RULE}.on", "(got 'update')", "insert, update, delete"),
    "on_twice": (rule(f"{SET}, on: [update, update]"), f"{RULE}.on", "'update' is there twice", "once"),
    "when_changed_without_update": (
        rule(f"{SET}, on: [insert], when_changed: [a]"),
        f"{RULE}.when_changed",
        "(got ['a'])",
        "add update to 'on'",
    ),
    "when_changed_empty": (rule(f"{SET}, when_changed: []"), f"{RULE}.when_changed", "(got [])", "list the columns"),
    "when_changed_old": (
        rule(f"{SET}, when_changed: [old.a]"),
        f"{RULE}.when_changed[0]",
        "(got 'old.a')",
        "the bare name",
    ),
    "when_changed_case": (rule(f"{SET}, when_changed: [a, A]"), f"{RULE}.when_changed", "'a' is there twice", "once"),
    "ttl_zero": (rule(f"{SET}, ttl: 0"), f"{RULE}.ttl", "(got 0)", "30s, 15m, 1h"),
    "ttl_unit": (rule(f"{SET}, ttl: 1 hour"), f"{RULE}.ttl", "(got '1 hour')", "30s, 15m, 1h"),
    "ttl_huge": (rule(f"{SET}, ttl: 99999d"), f"{RULE}.ttl", "at most 100 years", "30s, 15m, 1h"),
    "ttl_on_delete": (rule("delete: [k], ttl: 1h"), f"{RULE}.ttl", "no meaning for delete", "drop it"),
    "ttl_on_handler": (rule("handler: 'a:b', ttl: 1h"), f"{RULE}.ttl", "no meaning for handler", "PEXPIRE"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_config_is_refused_with_path_value_and_remedy(name: str) -> None:
    """One problem, in one line, and no secret in it."""
    text, path, value, remedy = BROKEN[name]
    with pytest.raises(ConfigInvalid) as caught:
        parse(text)
    (problem,) = caught.value.problems
    assert re.search(rf"(^|\s){re.escape(path)}(:|,| |$)", problem), problem
    assert value in problem
    assert remedy in problem
    assert "\n" not in problem
    assert "hunter2" not in f"{caught.value}{problem}"
    assert problem in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_all_problems_are_told_at_once() -> None:
    """So that one round of corrections is enough."""
    text = document(
        "batch: {max_rows: 0}",
        redis="redis: {url: nowhere, pasword: hunter2}",
        tables="tables: {users: [{}], a.b: [{delete: ['{}', '{0}']}, {delete: [k], ttl: 5x}]}",
    )
    with pytest.raises(ConfigInvalid) as caught:
        parse(text)
    assert [problem.partition(": ")[0] for problem in caught.value.problems] == [
        "redis.url",
        "redis.pasword",
        "batch.max_rows",
        "tables.users[0]",
        'tables."a.b"[0].delete[0]',
        'tables."a.b"[0].delete[1]',
        'tables."a.b"[1].ttl',
    ]
    assert str(caught.value).startswith("config refused: redis.url: ")
    assert str(caught.value).endswith("(and 6 more)")


def test_newer_document_is_not_blamed_for_what_it_may_well_have() -> None:
    """Only its version is told; everything else would be noise."""
    with pytest.raises(ConfigInvalid) as caught:
        parse("version: 2\nsomething: new\n")
    assert len(caught.value.problems) == 1


def test_long_values_are_cut() -> None:
    """A message stays one line of a terminal."""
    with pytest.raises(ConfigInvalid) as caught:
        parse(document(f"on_missing_state: {'x' * 500}"))
    assert len(caught.value.problems[0]) < 250


KEYS = st.sampled_from(
    ["version", "source", "redis", "tables", "set", "hash", "delete", "on", "key", "fields", "start", "url", "a.b", "x"]
)
NAMES = KEYS | st.integers(0, 3) | st.none()
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), KEYS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@given(
    VALUES,
    st.sampled_from([(), ("source",), ("source", "start"), ("redis",), ("tables",), ("tables", "a.b"), ("batch",)]),
)
def test_no_document_gets_past_the_checks_by_its_shape(value: object, at: tuple[str, ...]) -> None:
    """Any value at any place is accepted or refused as a config, never another exception."""
    whole: dict[str, object] = load(document())
    inner = whole
    for step in at[:-1]:
        inner = inner.setdefault(step, {})  # type: ignore[assignment]
    if at:
        inner[at[-1]] = value
    with suppress(ConfigInvalid):
        parse(yaml.safe_dump(whole if at else value))


@given(st.one_of(st.text(), st.binary(), st.text(st.sampled_from("ab:-[]{}&*!|>'\"%@`,?# \n\t01"))))
def test_no_text_breaks_the_reader(text: str | bytes) -> None:
    """Whatever somebody pasted."""
    with pytest.raises(ConfigInvalid):
        parse(text)
