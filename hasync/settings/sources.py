"""Where settings come from: a YAML file, a directory of files, the environment."""

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_settings import EnvSettingsSource

from hasync.settings.model import Settings
from hasync.settings.problems import (
    Origins,
    explain,
    refusal,
    settings_among,
    unknown_files,
    unknown_problem,
    unknown_variables,
)

SETTINGS_FILE = "HASYNC_SETTINGS_FILE"
SECRETS_DIR = "HASYNC_SECRETS_DIR"


def environment() -> Mapping[str, str]:
    """Return a copy of the process's environment, to be passed on by ``__main__``."""
    return dict(os.environ)  # noqa: TID251 - the one place


def load(
    environ: Mapping[str, str], *, file: Path | None = None, hostname: str, reserved: Collection[str] = ()
) -> Settings:
    """Read the settings from ``environ``, and from the files that it or ``file`` names.

    ``hostname`` is the default of ``member_id``; ``reserved`` names ``HASYNC_`` variables
    that belong to somebody else (the command line's own).

    Raises ConfigInvalid with one problem per fault: the variable or path, the value, the remedy.
    """
    path = file or (Path(environ[SETTINGS_FILE]) if environ.get(SETTINGS_FILE) else None)
    unknown = unknown_variables(environ, {SETTINGS_FILE, SECRETS_DIR, *reserved})
    usable = {name: value for name, value in environ.items() if name not in unknown}
    mounted = _mounted(environ)
    files = settings_among(mounted)
    values = _merged({"member_id": hostname}, _from_file(path), _from_directory(files), _Environment(usable)())
    problems = [unknown_problem(name) for name in sorted(unknown)]
    problems += [unknown_problem(name, str(mounted[name])) for name in sorted(unknown_files(mounted))]
    settings = None
    try:
        settings = Settings(**values)
    except ValidationError as invalid:
        origins = Origins(environ=environ, mounted={name.upper(): at for name, at in files.items()}, file=path)
        problems += [line for error in invalid.errors() for line in explain(error, origins)]
    if settings is None or problems:  # raised here and not above: pydantic's own text shows values, secrets too
        raise refusal(problems)
    return settings


class _Environment(EnvSettingsSource):
    """pydantic's reader of variables, on a mapping that was passed in."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._given = environ
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): value for name, value in self._given.items() if value != ""}


def _mounted(environ: Mapping[str, str]) -> dict[str, Path]:
    """Return the entries of the directory, by name."""
    directory = environ.get(SECRETS_DIR)
    if not directory:
        return {}
    if not Path(directory).is_dir():
        problem = f"{SECRETS_DIR}: {directory!r} is not a directory; mount it or unset the variable"
        raise refusal([problem])
    return {entry.name: entry for entry in Path(directory).iterdir()}


def _from_directory(files: Mapping[str, Path]) -> dict[str, Any]:
    try:
        return _Environment({name: path.read_text(encoding="utf-8").strip() for name, path in files.items()})()
    except OSError as error:
        problem = f"{error.filename}: cannot be read: {error.strerror}; correct its rights, or take it away"
        raise refusal([problem]) from error
    except UnicodeDecodeError:
        raise refusal([f"{SECRETS_DIR}: a file in it is not UTF-8; write settings as plain text"]) from None


def _from_file(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        problem = f"{SETTINGS_FILE}: {str(path)!r} cannot be read: {error.strerror}; correct the path or unset it"
        raise refusal([problem]) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = getattr(error, "problem_mark", None)
        line = f" at line {where.line + 1}, column {where.column + 1}" if where else ""
        raise refusal([f"{path}: is not YAML{line}; check indentation and quotes there"]) from None
    if document is None:
        return {}
    if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
        raise refusal([f"{path}: holds no map of settings; write lines like 'streams: [orders]'"])
    return document


def _merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            both = isinstance(value, dict) and isinstance(merged.get(key), dict)
            merged[key] = _merged(merged[key], value) if both else value
    return merged
