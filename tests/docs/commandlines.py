"""``hasync ...`` command lines in a text, held against the real parser of the command line."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import click
import typer

from hasync.cli.app import app
from tests.docs.pages import Page

_IN_BLOCK = re.compile(
    r"(?:^|[;&|(]|&&|\$ |-- |^.*\bexec\b.*?)\s*((?:[A-Z_][A-Z0-9_]*=\S*\s+)*)hasync\s+(?=[a-z-])(.*)$"
)
_ENDS = re.compile(r"\s(?:#|[|;&]|\d?>)|[|;&)]\s*$|#\s")
_PLACEHOLDER = re.compile(r"[\[\]<>]|\.\.\.")
SHELL = ("sh", "bash", "console", "text", "")


def command_lines(page: Page) -> Iterator[tuple[str, str]]:
    """Yield (where, the words behind ``hasync``) of each command line on the page."""
    for block in page.blocks_of(*SHELL):
        joined = re.sub(r"\\\n\s*", " ", block.text)
        for number, line in enumerate(joined.splitlines()):
            if (found := _IN_BLOCK.search(line)) and not _drawn(line):
                yield f"{page.name}:{block.line + number}", _ENDS.split(found[2], maxsplit=1)[0].strip()
    for span in page.spans:
        if re.match(r"hasync [a-z-]", span):
            yield f"{page.name}, `{span}`", _ENDS.split(span.removeprefix("hasync "), maxsplit=1)[0].strip()


def _drawn(line: str) -> bool:
    return bool(re.search(r"[─│▶┌└├◀┐]", line))


def fault_of(text: str) -> str:
    """Return what the parser would refuse in this command line, empty when nothing.

    Only names are judged: values may be left out where a page talks about an option.
    """
    words = _words(text)
    command: Any = typer.main.get_command(app)
    context = click.Context(command, info_name="hasync")
    words = _behind_root_options(words)
    while hasattr(command, "get_command"):
        if fault := _unknown_option(command, [word for word in words[:1] if word.startswith("-")]):
            return fault
        if not words or words[0].startswith("-"):
            return ""
        found = command.get_command(context, words[0])
        if found is None:
            return f"no command {words[0]!r}"
        context = click.Context(found, info_name=words[0], parent=context)
        command, words = found, words[1:]
    return _unknown_option(command, words)


def _words(text: str) -> list[str]:
    plain = _PLACEHOLDER.sub(" ", text.partition("…")[0])
    try:
        return shlex.split(plain)
    except ValueError:
        return plain.split()


def _behind_root_options(words: list[str]) -> list[str]:
    takes_value = {"--zookeeper", "--root", "--timeout", "--settings"}
    while words and words[0].partition("=")[0] in takes_value:
        words = words[1:] if "=" in words[0] else words[2:]
    return words


def _unknown_option(command: Any, words: list[str]) -> str:
    known = {name for one in command.params for name in (*one.opts, *one.secondary_opts) if name.startswith("-")}
    for word in words:
        if word == "--":
            break
        name = word.partition("=")[0]
        if re.fullmatch(r"--?[a-zA-Z][\w-]*", name) and name not in known | {"--help", "-h"}:
            return f"{command.name} has no option {name}"
    return ""
