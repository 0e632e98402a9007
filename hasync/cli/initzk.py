"""``hasync init-zk``: the tree in ZooKeeper, before the first instance."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.text import Text

from hasync.cli.invocation import invocation
from hasync.cli.messages import say, warn
from hasync.cli.options import Format, OutputOption
from hasync.cli.output import emit, table
from hasync.cli.wording import NONE
from hasync.model.provision import Provisioned, ZnodeState

app = typer.Typer(rich_markup_mode=None, add_completion=False)

STYLES = {
    ZnodeState.CREATED: "green",
    ZnodeState.FIXED: "green",
    ZnodeState.MISSING: "yellow",
    ZnodeState.DIFFERS: "bold red",
}


@app.command()
def init_zk(
    ctx: typer.Context,
    *,
    stream: Annotated[
        list[str] | None,
        typer.Option(
            "--stream", "-s", metavar="NAME", help="Make this one's, too; may be given again. Else HASYNC_STREAMS."
        ),
    ] = None,
    fix_acl: Annotated[
        bool, typer.Option("--fix-acl", help="Give every znode with another ACL to this identity.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only look; change nothing.")] = False,
    output: OutputOption = Format.TABLE,
) -> None:
    """Make the tree in ZooKeeper that instances and operators write into.

    Creates what is missing, under the ACL of this identity, and changes nothing that is
    there: run it as often as you like. Each znode is 'created' or 'present'; 'missing' is
    said by --dry-run. Where the ACL of a znode 'differs' from what new ones get, at the
    parents or anywhere below, that is told and the command exits with 1, until --fix-acl
    has corrected it ('fixed'); named identities that may only read are left alone.
    Not needed without ACLs: instances make their parents themselves.
    """
    call = invocation(ctx)
    with call.connect() as cluster:
        found = cluster.provision(tuple(stream or call.settings.streams), execute=not dry_run, fix_acl=fix_acl)
    differs = any(one.state is ZnodeState.DIFFERS for one in found)
    root = call.settings.zookeeper.root
    document = {"root": root, "dry_run": dry_run, "ok": not differs, "znodes": [one.to_json() for one in found]}
    rows: list[list[str | Text]] = [
        [Text(one.state.value, style=STYLES.get(one.state, "")), one.path, one.detail or NONE] for one in found
    ]
    emit(document, output, table("STATE", "ZNODE", "ACL", rows=rows))
    say(f"{root}: {_counted(found)}")
    if differs:
        warn("some znodes have another ACL; 'hasync init-zk --fix-acl' corrects those that this identity may")
        raise typer.Exit(1)


def _counted(found: Sequence[Provisioned]) -> str:
    counts = Counter(one.state for one in found)
    return ", ".join(f"{counts[state]} {state.value}" for state in ZnodeState if counts[state])
