"""A validator for the part of JSON Schema (draft 2020-12) that zk/payloads uses; what it does not know it refuses."""

import json
import re
from pathlib import Path
from typing import Any

KINDS: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
IGNORED = {"$schema", "$defs", "title", "description"}


class InvalidError(Exception):
    """A value does not match its schema; the message ends with the path of the place."""


class Validator:
    """Validates against the schemas of one folder, whose files may refer to each other."""

    def __init__(self, folder: Path) -> None:
        self._schemas: dict[str, Any] = {path.name: json.loads(path.read_text()) for path in folder.glob("*.json")}

    @property
    def names(self) -> set[str]:
        """The schemas there are."""
        return set(self._schemas)

    def validate(self, value: Any, name: str) -> None:
        """Raise InvalidError unless the value matches the schema in the file ``name``."""
        self._check(value, self._schemas[name], name, "$")

    def _check(self, value: Any, schema: dict[str, Any], file: str, at: str) -> None:
        for keyword, wanted in schema.items():
            if keyword not in IGNORED and keyword not in {"properties", "additionalProperties"}:
                check = getattr(self, "_" + keyword.lstrip("$"), None)
                if check is None:
                    raise InvalidError(f"unknown keyword {keyword} at {at}")
                check(value, wanted, file, at)
        if isinstance(value, dict):
            self._members(value, schema, file, at)

    def _members(self, value: dict[str, Any], schema: dict[str, Any], file: str, at: str) -> None:
        properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
        for name, member in value.items():
            if name in properties:
                self._check(member, properties[name], file, f"{at}.{name}")
            elif others is False:
                raise InvalidError(f"unknown property {at}.{name}")
            elif isinstance(others, dict):
                self._check(member, others, file, f"{at}.{name}")

    def _ref(self, value: Any, wanted: str, file: str, at: str) -> None:
        other, _, pointer = wanted.partition("#")
        schema = self._schemas[other or file]
        for step in pointer.strip("/").split("/"):
            schema = schema[step]
        self._check(value, schema, other or file, at)

    def _type(self, value: Any, wanted: str | list[str], _: str, at: str) -> None:
        kinds = [wanted] if isinstance(wanted, str) else wanted
        if isinstance(value, bool) and "boolean" not in kinds:
            raise InvalidError(f"a boolean at {at}")
        if not any(isinstance(value, KINDS[kind]) for kind in kinds):
            raise InvalidError(f"{type(value).__name__} instead of {wanted} at {at}")

    def _anyOf(self, value: Any, wanted: list[dict[str, Any]], file: str, at: str) -> None:  # noqa: N802 - the keyword
        failures = []
        for schema in wanted:
            try:
                return self._check(value, schema, file, at)
            except InvalidError as failure:
                failures.append(str(failure))
        raise InvalidError("; ".join(failures))

    def _required(self, value: Any, wanted: list[str], _: str, at: str) -> None:
        missing = set(wanted) - set(value) if isinstance(value, dict) else set()
        if missing:
            raise InvalidError(f"missing {sorted(missing)} at {at}")

    def _const(self, value: Any, wanted: Any, _: str, at: str) -> None:
        if value != wanted:
            raise InvalidError(f"not {wanted!r} at {at}")

    def _enum(self, value: Any, wanted: list[Any], _: str, at: str) -> None:
        if value not in wanted:
            raise InvalidError(f"not one of {wanted} at {at}")

    def _minimum(self, value: Any, wanted: float, _: str, at: str) -> None:
        if isinstance(value, int | float) and value < wanted:
            raise InvalidError(f"below {wanted} at {at}")

    def _minLength(self, value: Any, wanted: int, _: str, at: str) -> None:  # noqa: N802 - the keyword
        if isinstance(value, str) and len(value) < wanted:
            raise InvalidError(f"shorter than {wanted} at {at}")

    def _pattern(self, value: Any, wanted: str, _: str, at: str) -> None:
        if isinstance(value, str) and re.search(wanted, value) is None:
            raise InvalidError(f"does not match {wanted} at {at}")
