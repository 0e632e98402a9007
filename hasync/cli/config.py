"""``hasync config``: the documents that say what streams do."""

from collections import Counter
from collections.abc import Sequence
from difflib import unified_diff
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.text import Text

from hasync.cli.documents import STDIN, FileArgument, checked, read, size
from hasync.cli.invocation import Invocation, existing, invocation
from hasync.cli.messages import say
from hasync.cli.options import Format, OutputOption, StreamOption
from hasync.cli.output import console, emit, table
from hasync.cli.revisions import Draft, in_force, kept
from hasync.cli.wording import NONE, moment
from hasync.model.cluster import ConfigRevision
from hasync.model.config import json_schema

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    help="Apply, edit, look at and take back the config documents of streams.",
)

CommentOption = Annotated[str, typer.Option("--comment", "-c", metavar="TEXT", help="Kept with the revision.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Check and compare, store nothing.")]


@app.command()
def apply(
    ctx: typer.Context,
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE",
            help="The YAML document; '-' reads standard input. Of several, each is named like its stream: orders.yaml.",
        ),
    ],
    *,
    stream: StreamOption = None,
    comment: CommentOption = "",
    based_on: Annotated[
        int | None, typer.Option(min=0, metavar="REVISION", help="Refuse if another revision than this is in force.")
    ] = None,
    dry_run: DryRunOption = False,
) -> None:
    """Check documents and put them in force.

    Each is stored as its stream's next revision, and instances follow at once, between two
    transactions. Nothing is stored if anything is wrong with any of them. A document that
    equals the one in force is no new revision, so this may run at each deployment, many at
    a time. The first revision makes the stream; a new one lifts a halt. Handlers are
    looked for in the current directory, too.

    \b
    hasync config apply orders.yaml -c 'cache invoices'
    hasync config apply /etc/hasync/streams/*.yaml
    """  # noqa: D301 - \b keeps the lines of the examples apart
    call = invocation(ctx)
    drafts = _drafts(call, files, stream, comment, based_on)
    with call.connect() as cluster:
        for name, draft in drafts.items():
            say(f"{name}: {draft.store(call, cluster.stream(name).configs, dry_run=dry_run)}")


def _drafts(
    call: Invocation, files: Sequence[str], stream: str | None, comment: str, based_on: int | None
) -> dict[str, Draft]:
    """Return the documents by stream, all of them checked. Raises ConfigInvalid, typer.BadParameter."""
    names = [call.stream(stream)] if len(files) == 1 else [Path(file).stem for file in files]
    if len(files) > 1 and (stream is not None or based_on is not None or STDIN in files):
        raise typer.BadParameter(
            "of several files each is named like its stream; --stream, --based-on and '-' go with a single one"
        )
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise typer.BadParameter(f"several files for {', '.join(twice)}", param_hint="FILE")
    return {name: _draft(file, comment, based_on) for name, file in zip(names, files, strict=True)}


def _draft(file: str, comment: str, based_on: int | None) -> Draft:
    document = read(file)
    return Draft(document=document, held=size(checked(document, file)), comment=comment, based_on=based_on)


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
        found = kept(existing(cluster, name).configs, name, revision)
    if output is Format.TABLE:
        say(f"# {name}, revision {found.revision}, {moment(found.applied_at)} by {found.applied_by} {found.comment}")
        typer.echo(found.document, nl=not found.document.endswith("\n"))
    else:
        emit(found.to_json(), output)


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
        current = in_force(cluster.stream(name).configs)
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
        older = kept(store, name, revision)
        held = f"the document of revision {revision}: {size(checked(older.document, f'revision {revision}'))}"
        draft = Draft(document=older.document, held=held, comment=f"rollback to revision {revision}")
        say(f"{name}: {draft.store(call, store, dry_run=dry_run)}")


@app.command()
def schema() -> None:
    """Print the JSON Schema of config documents.

    For editors and CI. What only templates and handlers show is found by 'config validate'.
    """
    typer.echo(orjson.dumps(json_schema(), option=orjson.OPT_INDENT_2).decode())
