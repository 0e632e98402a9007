"""``hasync config``: the documents that say what streams do."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from hasync.cli import difference
from hasync.cli import edit as editing
from hasync.cli.consent import ask
from hasync.cli.documents import STDIN, FileArgument, checked, read, size
from hasync.cli.invocation import Invocation, existing, invocation
from hasync.cli.messages import say
from hasync.cli.options import Format, NumberOption, OutputOption, StreamOption, YesOption
from hasync.cli.output import emit, plain, table
from hasync.cli.revisions import Draft, in_force, kept
from hasync.cli.wording import NONE, moment
from hasync.cli.yamlpath import replaced, value_of
from hasync.errors import HasyncError
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
    checked(document, file)  # what is refused may hold a secret in the wrong place, which is not to be shown
    name = call.stream(stream)
    with call.connect() as cluster:
        current = in_force(cluster.stream(name).configs)
    before = current.document if current else ""
    label = f"{name} revision {current.revision}" if current else f"{name} (no config)"
    differs = difference.show(before, document, old=label, new=file)
    if differs and exit_code:
        raise typer.Exit(1)


@app.command()
def get(
    ctx: typer.Context,
    path: Annotated[str, typer.Argument(metavar="KEY", help="Such as batch.max_rows, or tables[shop.orders][0].")],
    *,
    stream: StreamOption = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """Print one value of the document in force.

    As it is written there, without defaults: docs/configuration.md names those.

    \b
    hasync config get batch.max_rows
    hasync config get 'tables[shop.orders]' -o json
    """  # noqa: D301 - \b keeps the lines of the examples apart
    call = invocation(ctx)
    name = call.stream(stream)
    with call.connect() as cluster:
        value = value_of(kept(existing(cluster, name).configs, name, None).document, path)
    if output is Format.TABLE and not isinstance(value, dict | list):
        typer.echo(plain(value))
    else:
        emit(value, Format.YAML if output is Format.TABLE else output)


@app.command("set")
def set_values(
    ctx: typer.Context,
    assignments: Annotated[
        list[str], typer.Argument(metavar="KEY=VALUE", help="Keys as in 'config get'; the value is YAML.")
    ],
    *,
    stream: StreamOption = None,
    comment: CommentOption = "",
    dry_run: DryRunOption = False,
) -> None:
    """Change values of the document in force.

    Only these places of its text: comments and order stay. A key that is missing is added.
    The result is checked as 'config apply' does it, the difference is shown, and nothing is
    stored if somebody else applies another revision at the same moment.

    \b
    hasync config set batch.max_rows=500 -c 'smaller batches'
    hasync config set enabled=false --dry-run
    """  # noqa: D301 - \b keeps the lines of the examples apart
    call = invocation(ctx)
    name = call.stream(stream)
    with call.connect() as cluster:
        store = existing(cluster, name).configs
        current = kept(store, name, None)
        document = current.document
        for key, value in map(_assignment, assignments):
            document = replaced(document, key, value)
        held = size(checked(document, "the changed document"))
        label = f"{name} revision {current.revision}"
        difference.show(current.document, document, old=label, new=" ".join(assignments))
        draft = Draft(document=document, held=held, comment=comment or " ".join(assignments), based_on=current.revision)
        say(f"{name}: {draft.store(call, store, dry_run=dry_run)}")


def _assignment(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise typer.BadParameter(f"{text!r} is not KEY=VALUE", param_hint="KEY=VALUE")
    return key.strip(), value.strip() or "null"


@app.command()
def edit(
    ctx: typer.Context, *, stream: StreamOption = None, comment: CommentOption = "", yes: YesOption = False
) -> None:
    """Edit the document in force.

    Opens $VISUAL or $EDITOR on it, comments and all. A text that is not valid is opened
    again, its problems named; the difference is shown before it is applied, and a question
    asked. If somebody else has applied a revision meanwhile, or you decline, nothing is
    stored and your text is kept in a file that is named.
    """
    call = invocation(ctx)
    name = call.stream(stream)
    if not call.outside.interactive and not yes:
        raise HasyncError(
            "there is nobody to ask", hint="'hasync config apply FILE', or --yes with an EDITOR that ends"
        )
    with call.connect() as cluster:
        store = existing(cluster, name).configs
        editing.edit(call, store, name, kept(store, name, None), comment=comment, yes=yes)


@app.command()
def history(
    ctx: typer.Context,
    *,
    stream: StreamOption = None,
    number: NumberOption = 20,
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
    columns, spare = ("REVISION", "APPLIED", "BY", "SHA256", "COMMENT"), ("SHA256", "BY")
    emit(documents, output, table(*columns, rows=[_row(each) for each in revisions], spare=spare))


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
    yes: YesOption = False,
) -> None:
    """Put an older revision in force again.

    Its document becomes a new revision, and is checked like any other. The difference is
    shown, and a question asked.
    """
    call = invocation(ctx)
    name = call.stream(stream)
    with call.connect() as cluster:
        store = existing(cluster, name).configs
        older, current = kept(store, name, revision), in_force(store)
        held = f"the document of revision {revision}: {size(checked(older.document, f'revision {revision}'))}"
        label = f"{name} revision {current.revision}" if current else f"{name} (no config)"
        differs = difference.show(
            current.document if current else "", older.document, old=label, new=f"revision {revision}"
        )
        if differs and not dry_run:
            ask(call, f"Put revision {revision} of {name} in force again?", yes=yes)
        based_on = current.revision if current else 0
        draft = Draft(document=older.document, held=held, comment=f"rollback to revision {revision}", based_on=based_on)
        say(f"{name}: {draft.store(call, store, dry_run=dry_run)}")


@app.command()
def schema() -> None:
    """Print the JSON Schema of config documents.

    For editors and CI. What only templates and handlers show is found by 'config validate'.
    """
    typer.echo(orjson.dumps(json_schema(), option=orjson.OPT_INDENT_2).decode())
