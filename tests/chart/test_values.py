"""values.yaml, its schema, its tables and its comments say the same."""

import json
from typing import Any

import jsonschema
import pytest
import yaml

from tests.chart import reference
from tests.chart.helm import VALUES
from tests.chart.values import at, defaults, leaves, sections

DOCUMENTED = {value.path: value for section in sections() for value in section.values}


def test_every_value_is_documented_and_every_comment_has_its_value() -> None:
    """A value without a comment, or a comment about a value that is gone, is found here."""
    assert sorted(leaves(defaults(), set(DOCUMENTED))) == sorted(DOCUMENTED)


@pytest.mark.parametrize("path", reference.written(), ids=lambda path: path.name)
def test_what_is_made_of_values_is_up_to_date(path: Any) -> None:
    """`python -m tests.chart.reference` makes the schema and both tables anew."""
    assert path.read_text(encoding="utf-8") == reference.written()[path]


def test_schema_is_one_and_takes_the_defaults() -> None:
    """The schema is valid draft 7, and no default breaks it."""
    schema = json.loads(reference.SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.Draft7Validator(schema).validate(defaults())


def test_schema_closes_every_map_that_the_chart_reads() -> None:
    """A typo is refused at any depth, not only at the top."""

    def open_maps(schema: dict[str, Any], path: str = "") -> list[str]:
        found = [] if schema.get("additionalProperties") is not None else [path]
        return found + [
            name
            for key, part in schema["properties"].items()
            if "properties" in part
            for name in open_maps(part, f"{path}.{key}")
        ]

    assert open_maps(reference.schema()) == []


def test_every_value_is_used_by_a_value_file_of_the_tests() -> None:
    """What no file sets is never rendered with anything but its default."""
    files = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in VALUES.values()]
    used = {path for path, value in DOCUMENTED.items() if any(_differs(one, path, value.default) for one in files)}
    assert used == set(DOCUMENTED)


def _differs(values: dict[str, Any], path: str, default: Any) -> bool:
    try:
        return bool(at(values, path) != default)
    except (KeyError, TypeError):
        return False
