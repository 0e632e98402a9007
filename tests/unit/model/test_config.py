"""The config document: what it means when it is right, and how its text is read."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from hasync.errors import ConfigInvalid
from hasync.model import document
from hasync.model.change import Operation
from hasync.model.config import BatchConfig, MissingStatePolicy, StreamConfig, json_schema, parse
from hasync.model.duration import Duration
from hasync.model.names import Endpoint
from hasync.model.position import Start, StartKind
from hasync.model.secret import SecretReference, Secrets

UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
WORKED = """
version: 1
source: {hosts: ["mysql-0:3306", "mysql-1"], user: hasync, password: "env:MYSQL_PASSWORD", start: latest}
redis: {url: "redis://redis:6379/0", password: "file:/run/secrets/redis"}
tables:
  order_db.user_balance:
    - {on: [update], when_changed: [balance], set: {key: "user:balance:{uid}", value: "{balance}"}}
  test.users:
    - {delete: ["user:{id}", "user:username:{old.username}", "user:email:{old.email}"]}
  test.orders:
    - {delete: ["order:{id}", "user:{user_id}:orders", "user:{user_id}:order:stats"]}
  test.products:
    - {hash: {key: "product:{id}", fields: [name, price, stock]}, ttl: 1h}
  "shop.audit_*":
    - {handler: "acme.handlers:on_audit"}
"""
FULL = """
version: 1
enabled: false
source:
  hosts: ["[::1]:3307"]
  user: reader
  start: {file: binlog.000042, pos: 157}
  tls: {ca: /etc/ca.pem, cert: /etc/c.pem, key: /etc/k.pem, verify: ca}
  connect_timeout: 1500ms
redis: {url: "rediss://cache/3", username: app, password: "env:REDIS", tls: {verify: none}}
on_missing_state: resume
batch: {max_rows: 10, max_bytes: 2048}
tables:
  a.b:
    - {set: {key: "{id}", value: ""}, on: [delete, update], ttl: 90}
    - {hash: {key: "h{id}", fields: {x: "{a}{b}", "y z": "{{c}}"}}}
"""


def parsed(**source: Any) -> StreamConfig:
    """Return the worked example with other values in its source."""
    plain = document.load(WORKED)
    plain["source"].update(source)
    return parse(yaml.safe_dump(plain))


def test_worked_examples_are_read_as_written() -> None:
    """The document of the README."""
    config = parse(WORKED)
    assert config.source.hosts == (Endpoint("mysql-0", 3306), Endpoint("mysql-1", 3306))
    assert config.source.password == SecretReference("env", "MYSQL_PASSWORD")
    assert config.source.start == Start(kind=StartKind.LATEST)
    assert (config.enabled, config.on_missing_state, config.batch) == (True, MissingStatePolicy.HALT, BatchConfig())
    assert [len(rules) for rules in config.tables.values()] == [1] * 5
    balance, products = config.tables["order_db.user_balance"][0], config.tables["test.products"][0]
    assert (balance.action, balance.on, balance.when_changed) == ("set", (Operation.UPDATE,), ("balance",))
    assert (products.action, products.on, products.ttl) == ("hash", tuple(Operation), Duration(3_600_000))


@pytest.mark.parametrize("text", [WORKED, FULL])
def test_config_written_out_reads_as_equal(text: str) -> None:
    """`config show` prints what `config apply` takes."""
    config = parse(text)
    assert parse(yaml.safe_dump(config.to_document())) == config
    assert parse(yaml.safe_dump(config.to_document()).encode()) == config


def test_every_option_is_read() -> None:
    """None of them is ignored."""
    config = parse(FULL)
    tls = config.source.tls
    assert tls is not None
    assert (tls.ca, tls.cert, tls.key, tls.verify) == ("/etc/ca.pem", "/etc/c.pem", "/etc/k.pem", "ca")
    assert (str(config.source.hosts[0]), config.source.connect_timeout.seconds) == ("[::1]:3307", 1.5)
    assert (config.redis.url, config.redis.username, config.enabled) == ("rediss://cache/3", "app", False)
    assert (config.on_missing_state, config.batch.max_rows, config.batch.max_bytes) == (
        MissingStatePolicy.RESUME,
        10,
        2048,
    )
    assert config.tables["a.b"][0].on == (Operation.UPDATE, Operation.DELETE)
    assert config.tables["a.b"][0].ttl == Duration(90_000)


def test_config_cannot_be_changed() -> None:
    """A running stream and the config it was built from never drift apart."""
    with pytest.raises(ValueError, match="frozen"):
        parse(WORKED).enabled = False  # type: ignore[misc]


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("latest", Start(kind=StartKind.LATEST)),
        ("earliest", Start(kind=StartKind.EARLIEST)),
        ({"file": "binlog.000003"}, Start(kind=StartKind.FILE, file="binlog.000003", pos=4)),
        ({"file": "mysql-bin.000003", "pos": 2**33}, Start(kind=StartKind.FILE, file="mysql-bin.000003", pos=2**33)),
        ({"gtid": f"{UUID}:1-5,\n{UUID}:7"}, Start(kind=StartKind.GTID, gtid_set=f"{UUID}:1-5:7")),
        ({"gtid": "1-2-3,0-1-100"}, Start(kind=StartKind.GTID, gtid_set="0-1-100,1-2-3")),
        ({"timestamp": 1767225600}, Start(kind=StartKind.TIMESTAMP, timestamp=1767225600.0)),
        ({"timestamp": "2026-01-01T01:00:00.5+01:00"}, Start(kind=StartKind.TIMESTAMP, timestamp=1767225600.5)),
        ({"timestamp": "2026-01-01T00:00:00Z"}, Start(kind=StartKind.TIMESTAMP, timestamp=1767225600.0)),
    ],
)
def test_every_way_to_start(start: object, expected: Start) -> None:
    """Also written out and read again."""
    config = parsed(start=start)
    assert config.source.start == expected
    assert parse(yaml.safe_dump(config.to_document())).source.start == expected


def test_timestamp_needs_no_quotes() -> None:
    """YAML 1.1 would have made a datetime without a zone out of it."""
    config = parse(WORKED.replace("start: latest", "start: {timestamp: 2026-01-01T00:00:00Z}"))
    assert config.source.start.timestamp == 1767225600.0


@pytest.mark.parametrize(
    ("text", "ms"),
    [("1ms", 1), ("250ms", 250), ("1.5s", 1500), ("2m", 120_000), ("1h", 3_600_000), ("7d", 604_800_000), (30, 30_000)],
)
def test_durations(text: str | int, ms: int) -> None:
    """A unit, or whole seconds; written back with the largest unit that fits."""
    assert Duration.parse(text).ms == ms
    assert Duration.parse(str(Duration(ms))) == Duration(ms)


# -------------------------------------------------------------------------- its text


def test_scalars_are_those_of_yaml_1_2() -> None:
    """The traps of YAML 1.1: on, yes and no, octal, base 60, dates."""
    text = "on: [off, yes, No, n]\nzero: 010\nsix: 0o17\nhex: 0x1f\ntime: 12:30:45\nday: 2026-11-20\nv: 1.10\n"
    assert document.load(text + "t: True\nf: false\nnil: ~\nempty:\nexp: 1e3\nbig: " + "9" * 30) == {
        "on": ["off", "yes", "No", "n"],
        "zero": 10,
        "six": 15,
        "hex": 31,
        "time": "12:30:45",
        "day": "2026-11-20",
        "v": 1.1,
        "t": True,
        "f": False,
        "nil": None,
        "empty": None,
        "exp": 1000.0,
        "big": "9" * 30,
    }


def test_anchors_and_merge_keys_work_within_bounds() -> None:
    """Handy for tables with like rules."""
    text = "a: &rules [1, 2]\nb: *rules\nc: &d {x: 1}\ne: {<<: *d, y: 2}\n"
    assert document.load(text) == {"a": [1, 2], "b": [1, 2], "c": {"x": 1}, "e": {"x": 1, "y": 2}}


def test_byte_order_mark_is_no_part_of_the_document() -> None:
    """Some editors write one."""
    assert document.load(b"\xef\xbb\xbfa: 1") == {"a": 1}


def test_pure_python_loader_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PyYAML is built without libyaml."""
    import importlib  # noqa: PLC0415 - loaded a second time on purpose

    expected = document.load(WORKED)
    with monkeypatch.context() as patch:
        patch.delattr(yaml, "CSafeLoader", raising=False)
        pure = importlib.reload(document)
        assert pure.load(WORKED) == expected
    importlib.reload(document)


# --------------------------------------------------------------------------- secrets


def secrets(environ: dict[str, str] | None = None, files: dict[str, str] | None = None) -> Secrets:
    def read(path: str) -> str:
        if path not in (files or {}):
            raise FileNotFoundError(2, "No such file or directory")
        return (files or {})[path]

    return Secrets(environ or {}, read)


def test_secrets_come_from_environment_and_files() -> None:
    """A file's last line break is not part of it, a blank is."""
    resolved = secrets({"PW": "a b "}, {"/run/pw": "c d \r\n"})
    assert resolved.resolve(SecretReference("env", "PW")) == "a b "
    assert resolved.resolve(SecretReference("file", "/run/pw")) == "c d "


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ("env:NONE", "secret env:NONE is not set"),
        ("env:EMPTY", "secret env:EMPTY is empty"),
        ("file:/none", "secret file:/none cannot be read: No such file"),
        ("file:/empty", "secret file:/empty is empty"),
    ],
)
def test_secret_that_is_not_there_is_named(reference: str, why: str) -> None:
    """By its reference, with what to do."""
    with pytest.raises(ConfigInvalid, match=why) as caught:
        secrets({"EMPTY": ""}, {"/empty": "\n"}).resolve(SecretReference.parse(reference))
    assert caught.value.hint
    assert caught.value.problems


def test_undecodable_secret_is_not_quoted() -> None:
    """Python's own error would hold its bytes."""

    def read(path: str) -> str:
        return b"hunter2\xff".decode()

    with pytest.raises(ConfigInvalid, match="not UTF-8") as caught:
        Secrets({}, read).resolve(SecretReference("file", "/x"))
    assert caught.value.__suppress_context__


# ---------------------------------------------------------------------------- schema


def test_json_schema_describes_every_key() -> None:
    """For editors: names as they are written, closed mappings, a description at each key."""
    schema = json_schema()
    assert json.loads(json.dumps(schema)) == schema
    rule = schema["$defs"]["Rule"]
    assert set(rule["properties"]) == {"set", "delete", "hash", "handler", "on", "when_changed", "ttl"}
    models = [schema, *schema["$defs"].values()]
    assert all(model["additionalProperties"] is False for model in models)
    undescribed = [
        name
        for model in models
        for name, field in model["properties"].items()
        if not ("description" in field or "$ref" in field)
    ]
    assert undescribed == []


def test_documentation_names_every_key() -> None:
    """docs/configuration.md is complete."""
    text = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text()
    schema = json_schema()
    keys = {name for model in [schema, *schema["$defs"].values()] for name in model["properties"]}
    assert {key for key in keys if f"`{key}`" not in text} == set()


def test_examples_of_the_documentation_are_valid() -> None:
    """Each YAML block that begins a document is one."""
    text = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text()
    blocks = [block.split("```")[0] for block in text.split("```yaml\n")[1:]]
    documents = [block for block in blocks if block.startswith("version:")]
    assert documents
    for block in documents:
        parse(block)
