"""zk/ is the contract, hasync/cluster is what runs: they are held equal here."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from hasync.cluster.payloads import MAX_BYTES
from hasync.cluster.znodes import TREE, Znodes
from hasync.errors import EndReason
from hasync.model.cluster import NAME, ConfigRevision, EpochRecord, Halt, Intent, IntentKind, Leader, TermRecord
from hasync.model.config import parse
from hasync.model.drain import Drain
from hasync.model.drill import Answer, Deed, Order, Stage
from hasync.model.member import Eligibility, Member, StreamStatus
from hasync.model.position import Flavor, Position
from hasync.model.state import Acknowledged, SinkState
from tests.unit.cluster.jsonschema import InvalidError, Validator

ZK = Path(__file__).parents[3] / "zk"
SCHEMA: dict[str, Any] = yaml.safe_load((ZK / "schema.yaml").read_text())
PATHS: dict[str, dict[str, Any]] = SCHEMA["paths"]
VALIDATOR = Validator(ZK / "payloads")

POSITION = Position(flavor=Flavor.MARIADB, server_uuid="1", gtid_set="0-1-7", file="b.000001", pos=4, rows_done=3)
HALT = Halt(code="fatal", reason="r", hint="", member="a", epoch=0, position=None, config_revision=0, at=1.0)
ORDER = Order(id="1", deed=Deed.FREEZE, member="a", instance="t", by="ann", at=1.0, epoch=3, for_s=2.5)
WRITTEN: list[tuple[str, Any]] = [
    ("position", Acknowledged(epoch=1, seq=0, position=POSITION)),
    ("state", SinkState(epoch=1, seq=0, position=None)),
    ("state", SinkState(epoch=1, seq=1, position=POSITION, source="1", applied_at=1.5, redo_from=POSITION)),
    ("epoch", EpochRecord(epoch=1, member="a", lock="x__lock__0000000001")),
    ("leader", Leader(member="a", epoch=1, since=1.5)),
    ("term", TermRecord(epoch=1, member="a", since=1.5)),
    *(
        ("term", TermRecord(epoch=1, member="a", since=1, until=2, end_reason=reason, begin=POSITION, end=POSITION))
        for reason in EndReason
    ),
    ("config", ConfigRevision(revision=1, document="version: 1\n", applied_at=1.0, applied_by="ü")),
    ("halt", HALT),
    ("halt", replace(HALT, position=POSITION, hint="h", epoch=4)),
    ("intent", Intent(kind=IntentKind.PAUSE, by="ann", at=1.0)),
    ("intent", Intent(kind=IntentKind.PAUSE, by="ann", at=1.0, until=61.5)),
    ("intent", Intent(kind=IntentKind.SWITCHOVER, by="ann", at=1.0, to="b", epoch=3)),
    *(("drill", Order(id="1", deed=deed, member="a", instance="t", by="ann", at=1.0, to="b")) for deed in Deed),
    *(("drill", replace(ORDER, answer=Answer(stage=stage, at=1.5, message="m", hint="h"))) for stage in Stage),
    ("drain", Drain(member="a", by="ann", at=1.0)),
    ("member", Member(id="a", instance="1")),
    ("member", Member(id="a", instance="1", drained="drained by ann")),
    ("member", Member(id="a", instance="1", pid=4, streams={"orders": StreamStatus(role="leader", epoch=4)})),
    *(
        (
            "member",
            Member(id="a", instance="1", weight=0, streams={"o": StreamStatus(role="standby", eligibility=each)}),
        )
        for each in Eligibility
    ),
]
READERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "position": Acknowledged.from_json,
    "state": SinkState.from_json,
    "epoch": EpochRecord.from_json,
    "leader": Leader.from_json,
    "term": TermRecord.from_json,
    "config": ConfigRevision.from_json,
    "halt": Halt.from_json,
    "intent": Intent.from_json,
    "member": Member.from_json,
    "drill": Order.from_json,
    "drain": Drain.from_json,
}
SEEN_BY_READERS = sorted(READERS)


def stored(value: Any) -> dict[str, Any]:
    """Return what is stored for a value, as a reader finds it."""
    document: dict[str, Any] = json.loads(json.dumps(value.to_json()))
    return document


def example(name: str) -> dict[str, Any]:
    """Return an example payload."""
    document: dict[str, Any] = json.loads((ZK / "examples" / f"{name}.json").read_text())
    return document


def test_every_path_of_code_is_promised_and_the_other_way_round() -> None:
    """Schema and code name the same kinds of znodes at the same paths."""
    assert {kind: entry["path"] for kind, entry in PATHS.items()} == TREE


def test_every_method_makes_a_promised_path() -> None:
    """What the classes build is what the templates say."""
    stream = Znodes("/root").stream("s")
    made = {
        stream.top,
        stream.config,
        stream.config_history,
        stream.config_revision(7),
        stream.position,
        stream.epoch,
        stream.election,
        stream.contender("c"),
        stream.leader,
        stream.terms,
        stream.term(7),
        stream.intent,
        stream.halt,
        stream.drill,
        stream.znodes.members,
        stream.znodes.member("m"),
        stream.znodes.drains,
        stream.znodes.drain("m"),
        stream.znodes.streams,
        stream.znodes.root,
    }
    names = {"stream": "s", "member": "m", "contender": "c", "revision": "0000000007", "epoch": "0000000007"}
    assert made == {"/root" + entry["path"].format(**names) for entry in PATHS.values()}


def test_limits_are_those_of_the_code() -> None:
    """The schema's max_bytes is what code refuses to exceed; nodes without JSON have no entry in code."""
    promised = {kind: entry["max_bytes"] for kind, entry in PATHS.items() if entry["payload"].endswith(".json")}
    assert promised == MAX_BYTES


def test_contender_holds_no_more_than_a_name() -> None:
    """The one payload that is no JSON is a member's id."""
    assert PATHS["contender"]["max_bytes"] == 63
    assert NAME.fullmatch("x" * 63)
    assert not NAME.fullmatch("x" * 64)


def test_every_entry_is_complete() -> None:
    """Each path says all there is to say about it, in known words."""
    for kind, entry in PATHS.items():
        assert {"path", "mode", "payload", "writer", "readers", "guard", "acl", "max_bytes"} <= set(entry), kind
        assert entry["mode"] in {"persistent", "ephemeral", "ephemeral-sequential"}, kind
        assert entry["payload"] in {"none", "text"} or (ZK / entry["payload"]).exists(), kind


def test_no_schema_is_left_over() -> None:
    """Every payload schema is used by a path, and every one has an example."""
    used = {Path(entry["payload"]).name for entry in (*PATHS.values(), *SCHEMA["redis"].values())}
    assert {name for name in used if name.endswith(".json")} == VALIDATOR.names
    assert {path.name for path in (ZK / "examples").glob("*.json")} == VALIDATOR.names


@pytest.mark.parametrize(("name", "value"), WRITTEN, ids=[f"{name}-{at}" for at, (name, _) in enumerate(WRITTEN)])
def test_what_code_writes_matches_its_schema(name: str, value: Any) -> None:
    """Every payload that code writes is valid, and is read back as the same value."""
    VALIDATOR.validate(stored(value), f"{name}.json")
    assert READERS[name](stored(value)) == value


@pytest.mark.parametrize("name", SEEN_BY_READERS)
def test_example_is_valid_and_parses(name: str) -> None:
    """Each example matches its schema, is read by code, and written back the same."""
    document = example(name)
    VALIDATOR.validate(document, f"{name}.json")
    assert READERS[name](document).to_json() == document


@pytest.mark.parametrize("name", SEEN_BY_READERS)
def test_newer_format_is_refused_by_its_version(name: str) -> None:
    """A payload of a later release is not half understood."""
    with pytest.raises(ValueError, match="v=2"):
        READERS[name]({**example(name), "v": 2})


@pytest.mark.parametrize("name", SEEN_BY_READERS)
def test_unknown_field_of_newer_release_is_ignored(name: str) -> None:
    """A release may add a field without raising v: older readers pass over it."""
    assert READERS[name]({**example(name), "added_later": 1}).to_json() == example(name)


@pytest.mark.parametrize("name", SEEN_BY_READERS)
def test_missing_field_is_named(name: str) -> None:
    """A truncated or hand-made payload is refused with the name of what it lacks."""
    with pytest.raises(ValueError, match="lacks the field"):
        READERS[name]({"v": 1})


def test_config_example_is_a_config() -> None:
    """The document in the example is one that `hasync config apply` takes, and the znode holds it unchanged."""
    document = (ZK / "examples" / "config.yaml").read_text()
    assert parse(document).tables
    assert example("config")["document"] == document


def test_hand_edited_config_is_noticed() -> None:
    """A document that does not match its fingerprint is refused."""
    with pytest.raises(ValueError, match="by hand"):
        ConfigRevision.from_json({**example("config"), "document": "version: 1"})


@pytest.mark.parametrize(
    ("value", "schema", "problem"),
    [
        ({"a": 1}, {"properties": {}, "additionalProperties": False}, "unknown property"),
        ({}, {"required": ["a"]}, "missing"),
        (True, {"type": "integer"}, "boolean"),
        ("x", {"type": "integer"}, "instead of"),
        (1, {"const": 2}, "not 2"),
        (1, {"enum": [2]}, "not one of"),
        (1, {"minimum": 2}, "below"),
        ("", {"minLength": 1}, "shorter"),
        ("a", {"pattern": "^b"}, "match"),
        (1, {"anyOf": [{"type": "null"}, {"const": 2}]}, "not 2"),
        (1, {"multipleOf": 1}, "unknown keyword"),
    ],
)
def test_validator_finds_what_is_wrong(tmp_path: Path, value: Any, schema: Mapping[str, Any], problem: str) -> None:
    """The validator of these tests is able to fail."""
    (tmp_path / "s.json").write_text(json.dumps(schema))
    with pytest.raises(InvalidError, match=problem):
        Validator(tmp_path).validate(value, "s.json")
