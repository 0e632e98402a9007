"""Config documents on their way in: from a file or standard input, checked before anybody stores them."""

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from hasync.errors import ConfigInvalid, HasyncError
from hasync.model.config import StreamConfig, parse
from hasync.stream.rules import Rules

STDIN: Final = "-"

FileArgument = Annotated[str, typer.Argument(metavar="FILE", help="The YAML document; '-' reads standard input.")]


def read(file: str) -> str:
    """Return the document's text, unchanged. Raises HasyncError when it cannot be read."""
    try:
        raw = sys.stdin.buffer.read() if file == STDIN else Path(file).read_bytes()
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise HasyncError(f"{file} cannot be read: {error.strerror or type(error).__name__}") from error
    except UnicodeDecodeError as error:
        # Without its cause: that one quotes the bytes.
        raise HasyncError(f"{file}: byte {error.start + 1} is not UTF-8", hint="save it as UTF-8") from None


def checked(document: str, file: str) -> StreamConfig:
    """Return the document as a config that this process could run, its handlers loaded.

    Raises ConfigInvalid, whose message names ``file`` and counts the problems.
    """
    try:
        config = parse(document)
        Rules(config)
    except ConfigInvalid as invalid:
        problems = invalid.problems or (invalid.message,)
        count = f"{len(problems)} problem{'' if len(problems) == 1 else 's'}"
        name = "standard input" if file == STDIN else file
        raise ConfigInvalid(f"{name}: {count}", problems=problems, hint=invalid.hint) from invalid
    return config


def size(config: StreamConfig) -> str:
    """Say how much a config holds."""
    rules = sum(len(rules) for rules in config.tables.values())
    tables = len(config.tables)
    return f"{tables} table{'' if tables == 1 else 's'}, {rules} rule{'' if rules == 1 else 's'}"
