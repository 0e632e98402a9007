"""How streams are spread over the instances, as ``hasync status`` shows it. Pure."""

from collections.abc import Sequence
from typing import Any

from rich.console import RenderableType

from hasync.cli.output import table
from hasync.cli.wording import NONE
from hasync.fleet.summary import Summary
from hasync.model.member import Member
from hasync.model.placement import leads


def instances(summaries: Sequence[Summary]) -> tuple[Member, ...]:
    """Return the instances that run any of the streams, ordered by id."""
    found = {member.id: member for summary in summaries for member in summary.facts.members}
    return tuple(found[name] for name in sorted(found))


def document(member: Member) -> dict[str, Any]:
    """Return an instance's part of ``-o json``."""
    return {
        "id": member.id,
        "weight": member.weight,
        "leads": leads(member),
        "stands_by": _count(member, "standby"),
        "paused": _count(member, "paused"),
        "streams": len(member.streams),
        "address": member.address or None,
        "drained": member.drained or None,
    }


def spread(members: Sequence[Member]) -> RenderableType:
    """Return the table of instances: how much each leads, of how much it could; and that it is drained."""
    columns = ("INSTANCE", "WEIGHT", "LEADS", "STANDS BY", "STREAMS", "ADDRESS", "DRAINED")
    rows = [
        [
            member.id,
            str(member.weight),
            str(leads(member)),
            str(_count(member, "standby")),
            str(len(member.streams)),
            member.address or NONE,
            member.drained or NONE,
        ]
        for member in members
    ]
    return table(*columns, rows=rows, spare=("ADDRESS", "WEIGHT", "STREAMS", "STANDS BY"))


def _count(member: Member, role: str) -> int:
    return sum(status.role == role for status in member.streams.values())
