"""Makes values.schema.json and the tables of values from values.yaml: `python -m tests.chart.reference`."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from hasync.model.cluster import NAME
from hasync.model.config import StreamConfig
from hasync.settings.model import fields
from tests.chart.values import CHART, ROOT, Section, Value, sections

SCHEMA: Final = CHART / "values.schema.json"
PAGES: Final = (CHART / "README.md", ROOT / "docs/helm.md")
"""Pages with a table of all values, between two marks."""

BEGIN: Final = "<!-- values: made by `python -m tests.chart.reference` -->"
END: Final = "<!-- end of values -->"

OWNED: Final = re.compile(r"member_id|streams|http\.(port|advertise|admin_token)|zookeeper\.(hosts|root|auth|tls\..*)")
"""Settings that the chart writes by itself, from values of its own."""

OPEN: Final[dict[str, Any]] = {"type": "object"}
SIMPLE: Final[Mapping[str, dict[str, Any]]] = {
    "string": {"type": "string"},
    "boolean": {"type": "boolean"},
    "integer": {"type": "integer"},
    "array": {"type": "array"},
    "array of string": {"type": "array", "items": {"type": "string"}},
    "array of integer": {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 65535}},
    "object": OPEN,
    "map of string": {"type": "object", "additionalProperties": {"type": "string"}},
    "string or integer": {"type": ["string", "integer"]},
}


def schema() -> dict[str, Any]:
    """Return the JSON schema (draft 7, which Helm reads) of the values: nothing that is not documented passes."""
    top = _closed()
    for section in sections():
        for value in section.values:
            place = top
            *parents, name = value.path.split(".")
            for parent in parents:
                place = place["properties"].setdefault(parent, _closed())
            place["properties"][name] = {**_type(value), "description": value.meaning}
    return {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Values of the chart hasync", **top}


def _closed() -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": {}}


def _type(value: Value) -> dict[str, Any]:
    if value.kind == "streams":
        return _streams()
    if value.kind == "settings":
        return _settings()
    found: dict[str, Any] = dict(SIMPLE[value.kind])
    for bound, text in value.bounds.items():
        match bound:
            case "enum":
                found["enum"] = text.split("|")
            case "pattern":
                found["pattern"] = text
            case "min" | "max":
                found[f"{bound}imum"] = int(text)
            case _:
                raise KeyError(bound)
    return found


def _streams() -> dict[str, Any]:
    document = dict.fromkeys(("source", "redis", "batch", "placement"), OPEN)
    document |= {"tables": {"type": ["string", "object"]}}
    keys = {name: document.get(name, {}) for name in StreamConfig.model_fields}
    closed = {"type": "object", "additionalProperties": False, "properties": keys, "required": ["tables"]}
    return {
        "type": "object",
        "propertyNames": {"pattern": f"^({NAME.pattern})$"},
        "additionalProperties": {"anyOf": [{"type": "string", "minLength": 1}, closed]},
    }


def _settings() -> dict[str, Any]:
    top = _closed()
    for path, described in fields():
        if OWNED.fullmatch(path):
            continue
        place = top
        *parents, name = path.split(".")
        for parent in parents:
            place = place["properties"].setdefault(parent, _closed())
        words = re.sub(r"``", "`", " ".join((described.description or "").split()))
        place["properties"][name] = {"type": ["string", "number", "boolean", "array"], "description": words}
    return top


def table() -> str:
    """Return the values as Markdown, section by section."""
    return "\n".join(line for section in sections() for line in _lines(section))


def _lines(section: Section) -> list[str]:
    lines = [f"### {section.title}", ""]
    if section.remark:
        lines += [section.remark, ""]
    lines += ["| value | default | meaning |", "|---|---|---|"]
    return [*lines, *(_row(value) for value in section.values), ""]


def _row(value: Value) -> str:
    default = yaml.safe_dump(value.default, default_flow_style=True, width=10**6, sort_keys=False)
    shown = default.removesuffix("\n").removesuffix("\n...").strip()
    shown = "" if shown in {"''", "{}", "[]"} else f"`{shown}`"
    choices = value.bounds.get("enum", "")
    words = f" One of {', '.join(f'`{choice}`' for choice in choices.split('|') if choice)}." if choices else ""
    return f"| `{value.path}` | {shown} | {value.meaning}{words} |"


def page(text: str) -> str:
    """Return a page with its table renewed. Raises ValueError where the marks are missing."""
    before, _, rest = text.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise ValueError(f"no {BEGIN} … {END}")
    return f"{before}{BEGIN}\n\n{table()}\n{END}{after}"


def written() -> dict[Path, str]:
    """Return all that is made of values.yaml, by file."""
    made = {SCHEMA: json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"}
    return made | {path: page(path.read_text(encoding="utf-8")) for path in PAGES}


if __name__ == "__main__":
    for file, content in written().items():
        file.write_text(content, encoding="utf-8")
