"""``hasync config``: the documents that say what streams do."""

from difflib import unified_diff
from typing import Annotated, Any

import orjson
import typer
from rich.text import Text

from hasync.cli.documents import FileArgument, checked, read, size
from hasync.cli.invocation import existing, invocation
from hasync.cli.messages import say, warn
from hasync.cli.options import Format, OutputOption, StreamOption
from hasync.cli.output import console, emit, table
from hasync.cli.wording import NONE, moment
from hasync.coordination import ConfigStore
from hasync.errors import ConfigInvalid, HasyncError
from hasync.model.cluster import ConfigRevision
from hasync.model.config import json_schema

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    help="Apply, look at and take back the config documents of streams.",
)

CommentOption = Annotated[str, typer.Option("--comment", "-c", help="Kept with the revision.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Check and compare, store nothing.")]


@app.command()
def apply(
    ctx: typer.Context,
    file: FileArgument,
    *,
    stream: StreamOption = None,
    comment: CommentOption = "",
    based_on: Annotated[
        int | None, typer.Option(min=0, metavar="REVISION", help="Refuse if another revision than this is in force.")
    ] = None,
    dry_run: DryRunOption = False,
) -> None:
    """Check a document and put it in force.

    It is stored as the stream's next revision, and instances follow at once, between two
    transactions. Nothing is stored if anything is wrong with it, nor if it equals the one
    in force. The first revision makes the stream; a new one lifts a halt. Handlers are
    looked for in the current directory, too.
    """
    call = invocation(ctx)
    document = read(file)
    held = size(checked(document, file))
    name = call.stream(stream)
    with call.connect() as cluster:
        store = cluster.stream(name).configs
        current = _in_force(store)
        revision = based_on if based_on is not None else (current.revision if current else 0)
        if current is not None and current.document == document:
            say(f"{name}: unchanged, revision {current.revision} is the same document")
        elif dry_run:
            say(f"{name}: would become revision {revision + 1} ({held}); nothing is stored")
        else:
            stored = store.put(document, based_on=revision, applied_by=call.operator, comment=comment)
            say(f"{name}: revision {stored.revision} is applied ({held})")


def _in_force(store: ConfigStore) -> ConfigRevision | None:
    """Return the revision in force; None, with a warning, when somebody has edited the znode by hand."""
    try:
        return store.get()
    except ConfigInvalid as invalid:
        warn(f"what ZooKeeper holds is no revision and is treated as none: {invalid.message}")
        return None


@app.command()
def show(
    ctx: typer.Context,
    *,
    stream: StreamOption = None,
    revision: Annotated[int | None, typer.Option("--revision", "-r", min=1, help="An older one.")] = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """Print the document in force.

    Or, with --revision, an older one; just as it was applied.
    """
    call = invocation(ctx)
    name = call.stream(stream)
    with call.connect() as cluster:
        found = _revision(existing(cluster, name).configs, name, revision)
    if output is Format.TABLE:
        say(f"# {name}, revision {found.revision}, {moment(found.applied_at)} by {found.applied_by} {found.comment}")
        typer.echo(found.document, nl=not found.document.endswith("\n"))
    else:
        emit(found.to_json(), output)


def _revision(store: ConfigStore, name: str, number: int | None) -> ConfigRevision:
    """Return a revision, the one in force for None. Raises HasyncError when there is none."""
    found = store.get() if number is None else store.revision(number)
    if found is None:
        what = "has no config" if number is None else f"has no revision {number}, or does not keep it any more"
        raise HasyncError(f"{name} {what}", hint="'hasync config history' lists what there is")
    return found


@app.command()
def validate(file: FileArgument) -> None:
    """Check a document, without ZooKeeper.

    Its form, its templates and its handlers are checked just as 'config apply' does.
    """
    say(f"{file}: valid, {size(checked(read(file), file))}")


@app.command()
def diff(
    ctx: typer.Context,
    file: FileArgument,
    *,
    stream: StreamOption = None,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 1 when they differ.")] = False,
) -> None:
    """Compare a document with the one in force.

    Prints a unified diff, nothing when they are equal. Exits with 0 in both cases, so
    that a script can tell a difference from a failure; --exit-code makes a difference 1.
    """
    call = invocation(ctx)
    document = read(file)
    name = call.stream(stream)
    with call.connect() as cluster:
        current = _in_force(cluster.stream(name).configs)
    before = current.document if current else ""
    label = f"{name} revision {current.revision}" if current else f"{name} (no config)"
    lines = list(unified_diff(before.splitlines(), document.splitlines(), label, file, lineterm=""))
    screen = console()
    for line in lines:
        screen.print(Text(line, style=_style(line)), soft_wrap=True)
    if lines and exit_code:
        raise typer.Exit(1)


def _style(line: str) -> str:
    if line.startswith(("---", "+++")):
        return "bold"
    return {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")


@app.command()
def history(
    ctx: typer.Context,
    *,
    stream: StreamOption = None,
    number: Annotated[int, typer.Option("-n", "--number", min=1, max=100, help="How many, newest first.")] = 20,
    output: OutputOption = Format.TABLE,
) -> None:
    """List the revisions of a config.

    Newest first; the last 100 are kept.
    """
    call = invocation(ctx)
    name = call.stream(stream)
    with call.connect() as cluster:
        revisions = existing(cluster, name).configs.history(number)
    documents = [{key: value for key, value in found.to_json().items() if key != "document"} for found in revisions]
    emit(documents, output, table("REVISION", "APPLIED", "BY", "SHA256", "COMMENT", rows=[_row(r) for r in revisions]))


def _row(revision: ConfigRevision) -> list[Any]:
    return [
        str(revision.revision),
        moment(revision.applied_at),
        revision.applied_by,
        revision.sha256[:12],
        revision.comment or NONE,
    ]


@app.command()
def rollback(
    ctx: typer.Context,
    revision: Annotated[int, typer.Argument(min=1, help="The revision to go back to.")],
    *,
    stream: StreamOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Put an older revision in force again.

    Its document becomes a new revision, and is checked like any other.
    """
    call = invocation(ctx)
    name = call.stream(stream)
    with call.connect() as cluster:
        store = existing(cluster, name).configs
        older, current = _revision(store, name, revision), _in_force(store)
        held = size(checked(older.document, f"revision {revision}"))
        if current is not None and current.document == older.document:
            say(f"{name}: unchanged, revision {current.revision} is the same document as revision {revision}")
        elif dry_run:
            say(f"{name}: would go back to revision {revision} ({held}); nothing is stored")
        else:
            based_on = current.revision if current else 0
            comment = f"rollback to revision {revision}"
            stored = store.put(older.document, based_on=based_on, applied_by=call.operator, comment=comment)
            say(f"{name}: revision {stored.revision} is applied, the document of revision {revision} ({held})")


@app.command()
def schema() -> None:
    """Print the JSON Schema of config documents.

    For editors and CI. What only templates and handlers show is found by 'config validate'.
    """
    typer.echo(orjson.dumps(json_schema(), option=orjson.OPT_INDENT_2).decode())
