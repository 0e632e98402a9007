"""What is wrong with settings, in words: the variable or path, the value, the remedy."""

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from hasync.errors import ConfigInvalid
from hasync.model.names import nearest
from hasync.settings.model import PREFIX, fields, variable

OWN_SECRETS = "HASYNC_SECRET_"
"""Variables that begin so are the operator's: values for ``env:`` references."""

_SERVICE_LINK = re.compile(r"(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)")


def unknown_variables(environ: Mapping[str, str], reserved: Collection[str]) -> set[str]:
    """Return the names of ``HASYNC_`` variables that set nothing and belong to nobody."""
    known = {variable(path) for path, _ in fields()}
    ours = {name for name in environ if name.upper().startswith(PREFIX) and not name.startswith(OWN_SECRETS)}
    return {
        name
        for name in ours
        if name.upper() not in known and name not in reserved and not _is_service_link(name, environ[name])
    }


def _is_service_link(name: str, value: str) -> bool:
    # Kubernetes gives each pod variables of every Service in its namespace. A Service named
    # "hasync" must not stop hasync, and HASYNC_PORT=9187 must not pass for one.
    if not _SERVICE_LINK.fullmatch(name.removeprefix(PREFIX)):
        return False
    return "_PORT_" in name or "SERVICE" in name or "://" in value


def unknown_problem(name: str) -> str:
    """Return the problem line of a variable that is no setting, with the nearest right name."""
    remedy = nearest(name, [variable(path) for path, _ in fields()])
    return f"{name}: is not a setting; {remedy} (variables of your own may begin with {OWN_SECRETS})"


def explain(error: ErrorDetails, environ: Mapping[str, str], file: Path | None) -> list[str]:
    """Return the problem lines of one error that pydantic found; a secret's value is not in them."""
    if not error["loc"]:
        return error["msg"].removeprefix("Value error, ").splitlines()
    described = dict(fields())
    parts = [str(part) for part in error["loc"]]
    item = parts.pop() if parts[-1].isdigit() else None
    path = ".".join(parts)
    place = _place(path, environ, file) + (f", item {int(item) + 1}" if item else "")
    if error["type"] == "extra_forbidden":
        return [f"{place}: is not a setting; {nearest(path, described)}"]
    if error["type"] == "missing":
        return [f"{place}: is missing; set {variable(path)}"]
    value = "value" if described.get(path) is None or "auth" in path else repr(error["input"])
    reason = error["msg"].removeprefix("Value error, ")
    return [f"{place}: {value} is refused: {reason}; {_remedy(described.get(path))}"]


def _place(path: str, environ: Mapping[str, str], file: Path | None) -> str:
    name = variable(path)
    set_by = next((given for given in environ if given.upper() == name), None)
    if set_by:
        return f"{set_by} ({path})"
    return f"{path} in {file}" if file else f"{name} ({path})"


def _remedy(field: FieldInfo | None) -> str:
    if field is None:
        return "give its parts one by one"
    example = field.examples[0] if field.examples else field.get_default()
    return f"give something like {shown(example)}" if isinstance(example, (str, int, float, tuple)) else "correct it"


def refusal(problems: list[str]) -> ConfigInvalid:
    """Return the error that holds all problems."""
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return ConfigInvalid(f"the settings have {count}", problems=tuple(problems), hint="docs/settings.md lists them all")


def shown(default: object) -> str:
    """Return a default as one would write it into a variable."""
    if isinstance(default, tuple):
        return ",".join(str(item) for item in default)
    return f"{default:g}" if isinstance(default, float) else str(default)
