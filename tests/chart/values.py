"""What values.yaml says of each value, in the comments `## @param path [type] meaning`."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy/helm/hasync"

_SECTION = re.compile(r"^\s*## @section (.+)$")
_PARAM = re.compile(r"^\s*## @param (\S+) \[([^\]]*(?:\[[^\]]*\][^\]]*)*)\] (.+)$")
_REMARK = re.compile(r"^\s*## (?!@)(.+)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One value of the chart: its path (``image.tag``), its type as written, its bounds, its meaning, its default."""

    path: str
    kind: str
    bounds: Mapping[str, str]
    meaning: str
    default: Any


@dataclass(slots=True, kw_only=True)
class Section:
    """Values that belong together, with the remark under their title."""

    title: str
    remark: str = ""
    values: list[Value] = field(default_factory=list)


def defaults() -> dict[str, Any]:
    """Return what the chart takes where nothing else is said."""
    return dict(yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8")))


def sections() -> list[Section]:
    """Read values.yaml. Raises KeyError for a comment about a value that is not there."""
    found: list[Section] = []
    tree = defaults()
    for line in (CHART / "values.yaml").read_text(encoding="utf-8").splitlines():
        if match := _SECTION.match(line):
            found.append(Section(title=match[1]))
        elif match := _PARAM.match(line):
            found[-1].values.append(_value(match[1], match[2], match[3], tree))
        elif found and not found[-1].values and (match := _REMARK.match(line)):
            found[-1].remark = f"{found[-1].remark} {match[1]}".strip()
    return found


def _value(path: str, kind: str, meaning: str, tree: Mapping[str, Any]) -> Value:
    head, *rest = re.split(r", (?=\w+=)", kind)
    bounds = dict(part.split("=", 1) for part in rest)
    return Value(path=path, kind=head, bounds=bounds, meaning=meaning, default=at(tree, path))


def at(tree: Mapping[str, Any], path: str) -> Any:
    """Return what stands at a path. Raises KeyError."""
    place: Any = tree
    for name in path.split("."):
        place = place[name]
    return place


def leaves(tree: Mapping[str, Any], documented: set[str], parents: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the paths of all values; what lies below a documented one belongs to that."""
    for name, value in tree.items():
        path = ".".join((*parents, name))
        if path not in documented and isinstance(value, Mapping) and value:
            yield from leaves(value, documented, (*parents, name))
        else:
            yield path
