"""The reference of a stream's document, made from its models; ``python -m hasync.model.reference`` prints it.

Names, types, defaults and meanings come from the models, refusals from the parser itself: each example is put
into a whole document and read, each mistake too, and what the parser says of it is shown.
"""

import sys
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

import yaml
from pydantic import BaseModel

from hasync.errors import ConfigInvalid
from hasync.model.config import (
    BatchConfig,
    PlacementConfig,
    RedisConfig,
    SourceConfig,
    StreamConfig,
    TlsConfig,
    parse,
)
from hasync.model.rule import HashAction, Rule, SetAction
from hasync.model.samples import SAMPLES, Sample

SECTIONS: Final[tuple[tuple[str, str, type[BaseModel]], ...]] = (
    ("The document", "", StreamConfig),
    ("source", "source", SourceConfig),
    ("redis", "redis", RedisConfig),
    ("tls, of source and of redis", "source.tls", TlsConfig),
    ("batch", "batch", BatchConfig),
    ("placement", "placement", PlacementConfig),
    ("A rule", "rule", Rule),
    ("set, of a rule", "rule.set", SetAction),
    ("hash, of a rule", "rule.hash", HashAction),
)
"""Title, path and model of each part of a document, in the order of the page."""

WHOLE: Final = """\
version: 1
source: {hosts: ["db:3306"], user: hasync, tls: {}}
redis: {url: "redis://redis:6379/0"}
batch: {}
placement: {}
tables: {"app.t": [{set: {key: "t:{id}", value: "{v}"}}]}
"""

HEAD: Final = """\
Made by `python -m hasync.model.reference`; a test holds it equal to the code. *Refused* is one mistake, and what the
parser says of it.
"""

DURATION: Final = r"^\d+(\.\d+)?(ms|s|m|h|d)$"
"""The pattern of a duration's text in the JSON schema."""

TYPES: Final[Mapping[str, str]] = MappingProxyType({"string": "text", "integer": "number", "boolean": "true or false"})


def reference() -> str:
    """Return the generated part of ``docs/configuration.md``."""
    lines = [HEAD]
    for title, path, model in SECTIONS:
        lines += [f"### {_titled(title)}", "", "| field | type | default | meaning | example | refused |"]
        lines += ["|---|---|---|---|---|---|", *_rows(path, model), ""]
    return "\n".join(lines)


def _titled(title: str) -> str:
    name, comma, rest = title.partition(",")
    return f"`{name}`{comma}{rest}" if name.islower() else title


def _rows(path: str, model: type[BaseModel]) -> Iterator[str]:
    schema = model.model_json_schema(by_alias=True)
    for name, field in model.model_fields.items():
        shown = field.alias or name
        where = f"{path}.{shown}".lstrip(".")
        sample = SAMPLES[where]
        kind = kind_of(schema["properties"][shown], schema)
        cells = (f"`{shown}`", kind, _default(field), _meaning(field), _code(sample.example), _refused(where, sample))
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def kind_of(schema: Mapping[str, Any], whole: Mapping[str, Any]) -> str:
    """Return the type that a JSON schema describes, in words."""
    if "$ref" in schema:
        return kind_of(whole["$defs"][schema["$ref"].rpartition("/")[2]], whole)
    if any(option.get("pattern") == DURATION for option in schema.get("oneOf", ())):
        return "duration"
    if options := schema.get("anyOf") or (schema.get("oneOf") if "properties" not in schema else None):
        kinds = [kind_of(option, whole) for option in options if option.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    return _simple(schema, whole)


def _simple(schema: Mapping[str, Any], whole: Mapping[str, Any]) -> str:
    if values := schema.get("enum") or ([schema["const"]] if "const" in schema else []):
        return ", ".join(f"`{value}`" for value in values)
    if schema.get("type") == "array":
        return f"list of {kind_of(schema.get('items', {}), whole)}"
    if "minimum" in schema and "maximum" in schema:
        return f"number, {schema['minimum']} to {schema['maximum']}"
    return TYPES.get(schema.get("type", ""), "mapping")


def _default(field: Any) -> str:
    if field.is_required():
        return "required"
    if field.default is None or field.default == ():
        return "none"
    return "see below" if isinstance(field.default, BaseModel) else _code(_plain(field.default))


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(_plain, value))}]"
    return str(getattr(value, "kind", value))


def _meaning(field: Any) -> str:
    description = field.description or (field.annotation.__doc__ or "" if isinstance(field.annotation, type) else "")
    return " ".join(description.split())


def _code(text: str) -> str:
    return f"`{text}`"


def _refused(where: str, sample: Sample) -> str:
    if not sample.mistake:
        return ""
    said = refusal(where, sample.mistake)
    return f"{_code(sample.mistake)}: {said}"


def refusal(where: str, text: str) -> str:
    """Return what the parser says of a value at this place, without the place; empty when it accepts it."""
    try:
        parse(placed(where, text))
    except ConfigInvalid as invalid:
        return invalid.problems[0].partition(": ")[2]
    return ""


def placed(where: str, text: str) -> str:
    """Return a whole document with this value at this place. ``rule`` stands for the only rule."""
    document = yaml.safe_load(WHOLE)
    value = yaml.safe_load(text)
    if where in {"tables", "version"}:
        return yaml.safe_dump(document | {where: value}, sort_keys=False)
    *parents, name = where.split(".")
    if parents[:1] == ["rule"]:
        rules = document["tables"]["app.t"]
        rules[0] = _rule_with(rules[0], parents, name, value)
        return yaml.safe_dump(document, sort_keys=False)
    part = document
    for parent in parents:
        part = part.setdefault(parent, {})
    part[name] = value
    return yaml.safe_dump(_company(where, document), sort_keys=False)


def _rule_with(rule: Any, parents: list[str], name: str, value: Any) -> Any:
    if name in {"set", "hash", "delete", "handler"}:
        return {name: value}
    if parents[1:] == ["hash"]:
        return {"hash": {"key": "t:{id}", "fields": ["v"]} | {name: value}}
    if parents[1:] == ["set"]:
        return {"set": rule["set"] | {name: value}}
    return rule | {name: value}


COMPANY: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "source.tls.cert": {"key": "client.key"},
        "source.tls.key": {"cert": "client.pem"},
        "source.tls.key_password": {"cert": "client.pem", "key": "client.key"},
        "redis.username": {"password": "env:REDIS_PASSWORD"},
        "redis.tls": {"url": "rediss://redis:6379/0"},
        "redis.sentinel_username": {"sentinel_password": "env:SENTINEL_PASSWORD", "url": "redis+sentinel://s1,s2/m/0"},
        "redis.sentinel_password": {"url": "redis+sentinel://s1,s2/m/0"},
    }
)
"""What a field cannot stand without."""


def _company(where: str, document: dict[str, Any]) -> dict[str, Any]:
    part = document
    for parent in where.split(".")[:-1]:
        part = part[parent]
    part.update(COMPANY.get(where, {}))
    return document


if __name__ == "__main__":
    sys.stdout.write(reference())
