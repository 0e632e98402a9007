"""The text of a config: one YAML document, read strictly.

YAML 1.1, which PyYAML implements, reads ``on:`` as a boolean, ``0123`` as octal and
``2026-11-20`` as a date, keeps the last of two equal keys without a word, and lets a
few anchors stand for gigabytes. None of that reaches a stream: scalars follow the core
schema of YAML 1.2, a duplicate key is an error, and the size is bounded *with* its
aliases written out. Messages name line and column, never the line's text (I12).
"""

import re
from typing import Any

import yaml

from hasync.errors import ConfigInvalid

MAX_BYTES = 900 * 1024
"""A znode holds 1 MiB at most, and the document is wrapped with its revision."""

_KEY_TAGS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge")
_MAX_DEPTH = 32
_MAX_VALUES = 200_000
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Strict(_Loader):  # type: ignore[misc]  # the C loader where it is built, else the pure one
    """Resolves plain scalars as YAML 1.2's core schema does; everything else is text."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's registry, filled below


_SCALARS = {
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "null": (r"~|null|Null|NULL|", "~nN"),
    "int": (r"[-+]?[0-9]{1,18}|0o[0-7]{1,20}|0x[0-9a-fA-F]{1,15}", "-+0123456789"),
    "float": (r"[-+]?((\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]{1,3})?|[0-9]+[eE][-+]?[0-9]{1,3})", "-+.0123456789"),
    "merge": (r"<<", "<"),
}
for _name, (_text, _first) in _SCALARS.items():
    # Anchored here: PyYAML only matches from the left, and would take a date for a number.
    _Strict.add_implicit_resolver(
        f"tag:yaml.org,2002:{_name}", re.compile(rf"(?:{_text})\Z"), [*_first, *([""] if _name == "null" else [])]
    )


def _integer(loader: Any, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node))
    return int(text, 0) if text[:2] in ("0o", "0x") else int(text)


_Strict.add_constructor("tag:yaml.org,2002:int", _integer)


def load(text: str | bytes) -> dict[str, Any]:
    """Read the document into plain values.

    Raises ConfigInvalid with every duplicate key, or with the first thing that is not YAML.
    """
    loader = _Strict(_decoded(text))
    try:
        _check_shape(_decoded(text))
        node = loader.get_single_node()
        _check_nodes(node)
        document = loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        raise invalid(_located(error)) from None  # the cause would quote the line
    except yaml.YAMLError as error:
        raise invalid(f"not YAML: {getattr(error, 'reason', 'unreadable')}; write plain UTF-8 text") from None
    except ValueError as error:
        raise invalid(f"not YAML: {type(error).__name__} in a value; quote it") from None
    finally:
        loader.dispose()
    if not isinstance(document, dict):
        raise invalid("the document is not a mapping; begin it with 'version: 1'")
    return document


def invalid(*problems: str) -> ConfigInvalid:
    """Return the error of a refused document; its message holds the first problem and how many more there are."""
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return ConfigInvalid(f"config refused: {problems[0]}{more}", problems=problems)


def _decoded(text: str | bytes) -> str:
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if len(raw) > MAX_BYTES:
        raise invalid(f"the document has {len(raw)} bytes, at most {MAX_BYTES} fit; use wildcards or split the stream")
    try:
        decoded = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise invalid(f"byte {error.start + 1} is not UTF-8; save the document as UTF-8") from None
    if not decoded.strip():
        raise invalid("the document is empty; `hasync config schema` shows what belongs in it")
    return decoded


def _check_shape(text: str) -> None:
    """Bound the depth before anything recurses, and refuse a second document and tags."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=_Strict):
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise invalid(f"{_place(event.start_mark)}: more than {_MAX_DEPTH} levels deep; flatten the document")
        if isinstance(event, yaml.ScalarEvent) and not event.value.isascii():
            event.value.encode()  # a lone surrogate, written as an escape, is no text that Redis could hold
        if getattr(event, "tag", None):
            raise invalid(
                f"{_place(event.start_mark)}: a YAML tag; write plain values, and quote text that begins with '!'"
            )
    if documents > 1:
        raise invalid("more than one YAML document; keep one stream per document, without '---' in between")


def _check_nodes(root: yaml.Node | None) -> None:
    if root is None:
        raise invalid("the document is empty; `hasync config schema` shows what belongs in it")
    _expanded_size(root, {})
    if problems := tuple(_bad_keys(root, set())):
        raise invalid(*problems)


def _expanded_size(node: yaml.Node, sizes: dict[int, int]) -> int:
    """Count the values with all aliases written out; each node is visited once."""
    if id(node) in sizes:
        if not (known := sizes[id(node)]):
            raise invalid(f"{_place(node.start_mark)}: an anchor that contains itself; write the values out")
        return known
    sizes[id(node)] = 0
    total = 1 + sum(_expanded_size(child, sizes) for child in _children(node))
    if total > _MAX_VALUES:
        raise invalid(f"{_place(node.start_mark)}: over {_MAX_VALUES} values with its aliases written out; use fewer")
    sizes[id(node)] = total
    return total


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [child for pair in node.value for child in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _bad_keys(node: yaml.Node, seen: set[int]) -> list[str]:
    if id(node) in seen:
        return []
    seen.add(id(node))
    found = _key_problems(node) if isinstance(node, yaml.MappingNode) else []
    for child in _children(node):
        found += _bad_keys(child, seen)
    return found


def _key_problems(node: yaml.MappingNode) -> list[str]:
    first: dict[str, yaml.Mark] = {}
    found = []
    for key, _ in node.value:
        if key.tag not in _KEY_TAGS:
            found.append(f"{_place(key.start_mark)}: a key that is not text; quote it")
        elif key.value in first:
            again, line = _place(key.start_mark), first[key.value].line + 1
            found.append(f"{again}: duplicate key {key.value!r}, first in line {line}; merge the two")
        else:
            first[key.value] = key.start_mark
    return found


def _located(error: yaml.MarkedYAMLError) -> str:
    what = error.problem or error.context or "unreadable"
    if "alias" in what:
        what = "an alias without its anchor"  # the pure loader quotes its name, which may be a password's text
    mark = error.problem_mark or error.context_mark
    remedy = "indent with spaces, never tabs, and quote text with special characters"
    return f"{_place(mark)}: not YAML: {what}; {remedy}" if mark else f"not YAML: {what}; {remedy}"


def _place(mark: Any) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}"
