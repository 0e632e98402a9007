"""``docs/cli.md``, made from the commands; ``python -m hasync.cli.reference`` prints it."""

import sys
from collections.abc import Iterator
from textwrap import dedent
from typing import Any, Final

import typer

from hasync.cli.app import app
from hasync.cli.tree import SECTIONS

PROGRAM: Final = "hasync"

INTRODUCTION: Final = f"""\
# Commands

Made by `python -m hasync.cli.reference`; a test holds it equal to the code.

`{PROGRAM}` is the instance (`{PROGRAM} run`) and the operator's tool in one. It needs what an instance
needs: the settings of `docs/settings.md` from the environment or a file, and, for the commands that ask MySQL or
Redis (`position`, `doctor`), the secrets that the stream's config refers to.

* **Output.** Data goes to standard output as a table, or with `-o json` and `-o yaml` for programs; messages go to
  standard error. There are no colours when standard output is no terminal or `NO_COLOR` is set; `FORCE_COLOR` brings
  them back. On a narrow terminal the less important columns of a table are left out. Times are UTC.
* **Exit codes.** 0 done; 1 failed, declined, or something has to be mended; 2 wrong usage or settings; 3 a stream is
  degraded (`status`); 130 interrupted.
* **Questions.** What interrupts a stream or moves it asks first; `--yes` answers. Without a terminal and without
  `--yes` nothing is done, and the exit code is 1. `--dry-run` says what would happen, and changes nothing.
* **Times** are written `500ms`, `30s`, `15m`, `1h`, `7d`, or as a number of seconds.
* **Options from the environment.** Those before the command and `--output` have variables; the stream comes from
  `HASYNC_STREAMS` where that names exactly one, the instance of `--self` from `HASYNC_MEMBER_ID`.
* **ZooKeeper.** A command waits for a session as long as `--timeout` says, closes it in the end, and contends for
  nothing; only `position reset --execute` takes a stream's lock for a moment, as member `cli-<host>-<pid>`, and
  `failover` takes it from a leader that does not give it.
* **Handlers** of a config are imported from the current directory, too, after all installed packages.
* **Completion** of the shell, also of streams and members: `{PROGRAM} completion bash`, `zsh` or `fish`.
"""


def reference() -> str:
    """Return ``docs/cli.md``."""
    root = typer.main.get_command(app)
    parts = [INTRODUCTION, *_overview(), "", "## Options before the command\n", *_options(root, ())]
    for words, command in commands(root):
        parts += ["", f"## `{' '.join((PROGRAM, *words))}`\n", *_about(command), *_options(command, words)]
    return "\n".join(parts).rstrip() + "\n"


def _overview() -> Iterator[str]:
    """Yield the table of all commands, as the help has it."""
    yield from ("| | command | what it does |", "|---|---|---|")
    for title, section in SECTIONS.items():
        for name, (_, summary) in section.items():
            yield f"| {title} | `{name}` | {summary} |"


def commands(group: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command that does something, with the words that call it."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*words, name))
        else:
            yield (*words, name), command


def _about(command: Any) -> Iterator[str]:
    """Yield the help; what begins with a backspace keeps its lines: examples."""
    for part in dedent(command.help or "").strip().split("\n\n"):
        kept = part.removeprefix("\b\n")
        yield f"```\n{kept}\n```\n" if kept != part else part + "\n"


def _options(command: Any, words: tuple[str, ...]) -> Iterator[str]:
    arguments = "".join(f" {_metavar(one)}" for one in command.params if one.param_type_name == "argument")
    if words:
        yield f"```\n{' '.join((PROGRAM, *words))}{arguments} [OPTIONS]\n```\n"
    rows = [_row(one) for one in command.params if one.help and not getattr(one, "hidden", False)]
    if rows:
        yield from ["| option | variable | default | meaning |", "|---|---|---|---|", *rows]


def _row(parameter: Any) -> str:
    names = ", ".join(f"`{name}`" for name in parameter.opts if name.startswith("-")) or f"`{_metavar(parameter)}`"
    takes = f" `{_metavar(parameter)}`" if _takes_value(parameter) else ""
    variable = f"`{parameter.envvar}`" if parameter.envvar else ""
    meaning = " ".join(parameter.help.split()).replace("|", "\\|")
    return f"| {names}{takes} | {variable} | {_default(parameter)} | {meaning} |"


def _takes_value(parameter: Any) -> bool:
    return parameter.param_type_name == "option" and not parameter.is_flag


def _metavar(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper()).replace("|", "\\|")


def _default(parameter: Any) -> str:
    value = parameter.default
    if value in {None, "", False} or callable(value):
        return ""
    return f"`{value:g}`" if isinstance(value, float) else f"`{getattr(value, 'value', value)}`"


if __name__ == "__main__":
    sys.stdout.write(reference())
