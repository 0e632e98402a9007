"""From pydantic's errors to lines an operator can act on: path, what is wrong, the value, the remedy.

A value is shown only where it cannot be a secret: never under a key that speaks of a
password, never for an unknown key (``pasword: ...``), never the inside of a mapping.
"""

import re
from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from hasync.model.names import Fault, Faults, nearest, path_of

_SHOWN = 60
_SECRET = re.compile(r"pass|secret|token|credential|pwd", re.IGNORECASE)
_URL_SECRETS = (
    (re.compile(r"(//)\S*@"), r"\1***@"),
    (re.compile(r"(//[^\s?]*\?)\S*"), r"\1***"),
    (re.compile(r"[^\s/'\",\[]+:(?!//)[^\s'\"]*@"), "***@"),
)

Steps = tuple[str | int, ...]

_REMEDIES = {
    "missing": ("a required key is missing", "add it"),
    "model_type": ("not a mapping", "write 'key: value' pairs"),
    "model_attributes_type": ("not a mapping", "write 'key: value' pairs"),
    "dict_type": ("not a mapping", "write 'key: value' pairs"),
    "string_type": ("not text", "quote it"),
    "bool_type": ("not a boolean", "write true or false, without quotes"),
    "int_type": ("not a whole number", "write digits, without quotes"),
    "tuple_type": ("not a list", "write a list: [a, b], or one '- ' line each"),
    "list_type": ("not a list", "write a list: [a, b], or one '- ' line each"),
    "invalid_key": ("a key that is not text", "quote it"),
    "string_too_short": ("empty", "write a name"),
    "too_short": ("an empty list", "write at least one entry"),
}


def problems(error: ValidationError, model: type[BaseModel]) -> tuple[str, ...]:
    """Return one line per fault, in document order. ``model``: what was validated, to suggest its keys."""
    return tuple(line for detail in error.errors(include_url=False) for line in _lines(detail, model))


def problem(steps: Steps, fault: Fault, value: object) -> str:
    """Return the line for one fault of the value at ``steps``."""
    path = path_of((*steps, *fault.at))
    return f"{path}: {fault.what}{_shown((*steps, *fault.at), _inside(value, fault.at))}; {fault.remedy}"


def _lines(detail: Mapping[str, Any], model: type[BaseModel]) -> Iterator[str]:
    steps, kind, value = detail["loc"], detail["type"], detail["input"]
    raised = detail.get("ctx", {}).get("error")
    if isinstance(raised, Faults):
        yield from (problem(steps, fault, value) for fault in raised.faults)
    elif isinstance(raised, Fault):
        yield problem(steps, raised, value)
    elif kind == "extra_forbidden":
        hint = nearest(str(steps[-1]), _keys(model, steps[:-1]))
        yield f"{path_of(steps)}: unknown key {str(steps[-1])!r}; {hint}"
    elif kind == "missing":
        yield f"{path_of(steps)}: a required key is missing; add '{steps[-1]}: ...'"
    else:
        what, remedy = _REMEDIES.get(kind, (detail["msg"], "see docs/configuration.md"))
        yield problem(steps, Fault(what, remedy), value)


def _inside(value: object, at: Steps) -> object:
    for step in at:
        try:
            value = value[step]  # type: ignore[index]  # whatever lacks it ends the walk
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _shown(steps: Steps, value: object) -> str:
    if any(isinstance(step, str) and _SECRET.search(step) for step in steps[-1:]):
        return " (value not shown)"
    if value is None or isinstance(value, Mapping | BaseModel):
        return ""
    text = without_credentials(repr(list(value)) if isinstance(value, tuple) else repr(value))
    return f" (got {text[:_SHOWN]}...)" if len(text) > _SHOWN else f" (got {text})"


def without_credentials(text: str) -> str:
    """Return ``text`` without what stands before an @ or behind a ? as in URLs, where a password could be."""
    for pattern, masked in _URL_SECRETS:
        text = pattern.sub(masked, text)
    return text


def _keys(model: type[BaseModel], steps: Steps) -> list[str]:
    """Return the keys that the mapping at ``steps`` may have."""
    annotation: Any = model
    for step in steps:
        annotation = _descend(annotation, step)
    found = _model(annotation)
    return [field.alias or name for name, field in found.model_fields.items()] if found else []


def _descend(annotation: Any, step: str | int) -> Any:
    found = _model(annotation)
    if found is None:
        return next((inner for inner in reversed(get_args(annotation)) if inner is not ...), None)
    fields = {field.alias or name: field.annotation for name, field in found.model_fields.items()}
    return fields.get(str(step))


def _model(annotation: Any) -> type[BaseModel] | None:
    if get_origin(annotation) in (Union, UnionType):
        return next(filter(None, map(_model, get_args(annotation))), None)
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
