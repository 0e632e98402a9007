"""``hasync metrics``: what an instance serves at /metrics."""

from typing import Annotated, Any

import typer

from hasync.cli.options import Format, OutputOption
from hasync.cli.output import emit, table
from hasync.cli.wording import NONE

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def metrics(
    *,
    _: Annotated[bool, typer.Option("--list", hidden=True)] = True,
    output: OutputOption = Format.TABLE,
) -> None:
    """List the metrics that an instance serves.

    Name, type, labels and meaning of each, as docs/metrics.md has them; no server is
    asked. One that is OF the leader does not exist on a standby.
    """
    from hasync.metrics.families import SECTIONS  # noqa: PLC0415 - brings the client library

    document = [_entry(section, family) for section, families in SECTIONS.items() for family in families]
    rows = [
        [
            each["name"],
            each["type"],
            " ".join(each["labels"]) or NONE,
            "leader" if each["leader_only"] else "any",
            each["help"],
        ]
        for each in document
    ]
    emit(document, output, table("NAME", "TYPE", "LABELS", "OF", "MEANING", rows=rows, spare=("LABELS", "OF", "TYPE")))


def _entry(section: str, family: Any) -> dict[str, Any]:
    return {
        "section": section,
        "name": family.full_name,
        "type": str(family.kind),
        "labels": list(family.labels),
        "leader_only": family.leader_only,
        "help": family.help,
    }
