"""What is wrong with settings, in words: the variable or path, the value, the remedy."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from hasync.errors import ConfigInvalid
from hasync.model.names import nearest
from hasync.model.problem import without_credentials
from hasync.model.secret import SecretReference
from hasync.settings.model import PREFIX, fields, variable

OWN_SECRETS = "HASYNC_SECRET_"
"""Variables that begin so are the operator's: values for ``env:`` references."""

_REASONS = {
    "int": "must be a whole number",
    "float": "must be a number",
    "string": "must be a text",
    "path": "must be a path",
    "tuple": "must be a list",
    "finite_number": "must be a finite number",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be at most {le:g}",
    "literal_error": "must be {expected}",
    "string_too_short": "must not be empty",
}
"""What pydantic's kinds of errors demand, in our words; the first one whose name the kind is, or begins with."""

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


def settings_among(files: Mapping[str, Path]) -> dict[str, Path]:
    """Return the files that are named as a setting's variable, in any case."""
    known = {variable(path) for path, _ in fields()}
    return {name: path for name, path in files.items() if name.upper() in known}


def unknown_files(files: Mapping[str, Path]) -> set[str]:
    """Return the names of files that look like settings and set nothing."""
    ours = {name for name in files if name.upper().startswith(PREFIX) and not name.upper().startswith(OWN_SECRETS)}
    return ours - settings_among(files).keys()


def unknown_problem(name: str, place: str = "") -> str:
    """Return the problem line of a variable (``place``: of a file) that is no setting, with the nearest right name."""
    remedy = nearest(name, [variable(path) for path, _ in fields()])
    kind = "files" if place else "variables"
    return f"{place or name}: is not a setting; {remedy} ({kind} of your own may begin with {OWN_SECRETS})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origins:
    """Where settings were given.

    ``mounted``: files of the directory, by the upper-case name of the variable that they stand for.
    """

    environ: Mapping[str, str]
    mounted: Mapping[str, Path]
    file: Path | None

    def place(self, path: str) -> str:
        """Return the words for where a setting was given, or would be."""
        name = variable(path)
        if set_by := next((given for given in self.environ if given.upper() == name), None):
            return f"{set_by} ({path})"
        if name in self.mounted:
            return f"{path} in {self.mounted[name]}"
        return f"{path} in {self.file}" if self.file else f"{name} ({path})"


def explain(error: ErrorDetails, origins: Origins) -> list[str]:
    """Return the problem lines of one error that pydantic found; a secret's value is not in them."""
    if not error["loc"]:
        return _own_words(error).splitlines()
    described = dict(fields())
    parts = [str(part) for part in error["loc"]]
    item = parts.pop() if parts[-1].isdigit() else None
    path = ".".join(parts)
    place = origins.place(path) + (f", item {int(item) + 1}" if item else "")
    if error["type"] == "extra_forbidden":
        return [f"{place}: is not a setting; {nearest(path, described)}"]
    if error["type"] == "missing":
        return [f"{place}: is missing; set {variable(path)}"]
    if path not in described:
        return [f"{place}: {_group(path, described)}"]
    value = "value" if _is_secret(described[path]) else without_credentials(repr(error["input"]))
    return [f"{place}: {value} is refused: {_own_words(error)}; {_remedy(described[path])}"]


def _is_secret(field: FieldInfo) -> bool:
    """Whether a setting is a reference to a secret: what was given instead may be the secret itself."""
    kinds: list[Any] = [field.annotation]
    for kind in kinds:
        kinds += get_args(kind)  # Reference | None is a union of an annotated type
    return SecretReference in kinds


def _group(path: str, described: Iterable[str]) -> str:
    """Say of what a group of settings consists; its value is not shown, a secret could be in it."""
    parts = [name for name in described if name.startswith(f"{path}.")]
    return (
        f"is a group of settings and not a single one; write {path}: {{{parts[0].removeprefix(f'{path}.')}: ...}}, "
        f"or set {variable(parts[0])}; the group has {', '.join(parts)}"
    )


def _own_words(error: ErrorDetails) -> str:
    """Say what is wrong; checks of our own have said it themselves."""
    context = error.get("ctx", {})
    if error["type"] == "value_error":
        return str(context["error"])
    kind = error["type"]
    reason = _REASONS.get(kind) or next(
        (words for start, words in _REASONS.items() if kind.startswith(f"{start}_")), None
    )
    return reason.format(**context) if reason else "has a form that does not fit"


def _remedy(field: FieldInfo) -> str:
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
