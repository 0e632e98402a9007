"""One value of a YAML document, read or replaced in its text, so that comments and order stay. Pure."""

import re
from collections.abc import Sequence
from typing import Any, Final

import yaml

from hasync.errors import HasyncError
from hasync.model.names import nearest

_STEP: Final = re.compile(r"\[([^\]]+)\]|([^.\[\]]+)")
_HOW: Final = "write batch.max_rows, or tables[shop.orders][0].ttl for names with dots and places in a list"


def steps(path: str) -> list[str]:
    """Split a path into its keys. Raises HasyncError."""
    found = [bracketed or plain for bracketed, plain in _STEP.findall(path)]
    if not found or _STEP.sub("", path).strip("."):
        raise HasyncError(f"{path!r} is no path into a document", hint=_HOW)
    return found


def value_of(document: str, path: str) -> Any:
    """Return the value at a path. Raises HasyncError when there is none."""
    found = _loaded(document)
    for at, key in enumerate(steps(path)):
        if isinstance(found, list) and key.isdigit() and int(key) < len(found):
            found = found[int(key)]
        elif isinstance(found, dict) and key in found:
            found = found[key]
        else:
            known = [str(each) for each in found] if isinstance(found, dict) else []
            where = ".".join(steps(path)[:at]) or "the document"
            raise HasyncError(f"{where} has no {key!r}", hint=nearest(key, known) or _HOW)
    return found


def replaced(document: str, path: str, text: str) -> str:
    """Return the document with another value at a path; a key that is missing is added, with its parents.

    ``text``: one line of YAML. Raises HasyncError when that is not possible in the document's text.
    """
    keys, value = steps(path), _value(text)
    node: Any = yaml.compose(document, Loader=yaml.SafeLoader)
    expected = _with(_loaded(document), keys, value)
    for at, key in enumerate(keys):
        child = _child(node, key)
        if child is None:
            changed = _added(document, node, keys[at:], text)
            break
        node = child
    else:
        start, end = node.start_mark.index, node.end_mark.index
        changed = document[:start] + text + document[start + len(document[start:end].rstrip()) :]
    if _loaded(changed) != expected:
        raise HasyncError(f"{path} cannot be set in this document's form", hint="'hasync config edit' opens an editor")
    return changed


def _value(text: str) -> Any:
    if "\n" in text:
        raise HasyncError("a value is one line of YAML", hint="'hasync config edit' opens an editor")
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise HasyncError(f"{text!r} is no YAML", hint="quote it: 'key=\"a: b\"'") from error


def _loaded(document: str) -> Any:
    try:
        return yaml.safe_load(document)
    except yaml.YAMLError as error:
        raise HasyncError("the document is no YAML", hint="'hasync config edit' opens an editor") from error


def _with(found: Any, keys: Sequence[str], value: Any) -> Any:
    """Return a loaded document with a value at its place. Raises HasyncError."""
    if not keys:
        return value
    key, rest = keys[0], keys[1:]
    if isinstance(found, list) and key.isdigit() and int(key) < len(found):
        at = int(key)
        return [*found[:at], _with(found[at], rest, value), *found[at + 1 :]]
    if isinstance(found, dict):
        return {**found, key: _with(found.get(key, {}), rest, value)}
    raise HasyncError(f"there is nothing that could have {key!r}", hint=_HOW)


def _child(node: Any, key: str) -> Any:
    if isinstance(node, yaml.MappingNode):
        return next((value for name, value in node.value if name.value == key), None)
    if isinstance(node, yaml.SequenceNode) and key.isdigit() and int(key) < len(node.value):
        return node.value[int(key)]
    return None


def _added(document: str, node: Any, keys: Sequence[str], text: str) -> str:
    """Return the document with a key added to a mapping. Raises HasyncError for anything else."""
    if not isinstance(node, yaml.MappingNode) or not node.value:
        raise HasyncError(f"{keys[0]!r} cannot be added there", hint="'hasync config edit' opens an editor")
    for key in reversed(keys[1:]):
        text = f"{{{key}: {text}}}"
    start, end = node.start_mark.index, node.end_mark.index
    last = start + len(document[start:end].rstrip())
    if node.flow_style:
        return f"{document[: last - 1].rstrip()}, {keys[0]}: {text}{document[last - 1 :]}"
    line_end = document.find("\n", last)
    at = len(document) if line_end < 0 else line_end  # a comment may follow the last value
    return f"{document[:at]}\n{' ' * node.start_mark.column}{keys[0]}: {text}{document[at:]}"
