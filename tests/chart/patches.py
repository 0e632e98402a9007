"""How a change becomes part of an object: merge patches (RFC 7386), and Kubernetes' strategic ones."""

import copy
from collections.abc import Mapping
from typing import Any, Final

KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "containers": ("name",),
    "env": ("name",),
    "imagePullSecrets": ("name",),
    "initContainers": ("name",),
    "ports": ("containerPort", "port"),
    "topologySpreadConstraints": ("topologyKey",),
    "volumeMounts": ("mountPath",),
    "volumes": ("name",),
}
"""Lists whose elements are known by a field of theirs (patchMergeKey in the API's types)."""


def merged(old: Any, patch: Mapping[str, Any]) -> Any:
    """Return what a JSON merge patch makes of ``old``."""
    result = dict(old) if isinstance(old, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, Mapping):
            result[name] = merged(result.get(name), value)
        else:
            result[name] = value
    return result


def strategic(old: Any, patch: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a strategic merge patch makes of ``old``."""
    if patch.get("$patch") == "replace":
        return {name: value for name, value in patch.items() if name != "$patch"}
    result: dict[str, Any] = copy.deepcopy(dict(old)) if isinstance(old, Mapping) else {}
    if kept := patch.get("$retainKeys"):
        result = {name: value for name, value in result.items() if name in kept}
    for name, value in patch.items():
        if name.startswith("$"):
            continue
        if value is None:
            result.pop(name, None)
        elif isinstance(value, Mapping):
            result[name] = strategic(result.get(name), value)
        elif isinstance(value, list) and (key := _key(name, [*value, *result.get(name, [])])):
            result[name] = _elements(result.get(name, []), value, key, patch.get(f"$setElementOrder/{name}"))
        else:
            result[name] = value
    return result


def _key(name: str, elements: list[Any]) -> str:
    known = KEYS.get(name, ())
    return next((key for key in known if all(isinstance(one, Mapping) and key in one for one in elements)), "")


def _elements(old: list[Any], patches: list[Any], key: str, order: list[Any] | None) -> list[Any]:
    found = {one[key]: one for one in old}
    for patch in patches:
        if patch.get("$patch") == "delete":
            found.pop(patch[key], None)
        else:
            found[patch[key]] = strategic(found.get(patch[key]), patch)
    wanted = [one[key] for one in order] if order else []
    return [found[name] for name in [*(w for w in wanted if w in found), *(n for n in found if n not in wanted)]]
