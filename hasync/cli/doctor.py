"""``hasync doctor``: looks at all servers as an instance would find them, and says what to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from hasync.cli.documents import STDIN, checked, read, size
from hasync.cli.invocation import Cluster, Invocation, existing, invocation
from hasync.cli.messages import say
from hasync.cli.options import Format, OutputOption, StreamOption, seconds
from hasync.cli.output import emit
from hasync.cli.standing import halt_checks, position_checks
from hasync.cli.waiting import wait_for
from hasync.errors import ConfigInvalid, CoordinationRefused, CoordinationUnavailable, HasyncError
from hasync.fleet.summary import Facts
from hasync.model.check import Check
from hasync.model.config import StreamConfig

app = typer.Typer(rich_markup_mode=None, add_completion=False)

NO_STREAM: Final = "doctor"
"""The name under which a document's servers are looked at that belongs to no stream yet."""


STATE: Final = "redis.state"
UNREADABLE: Final = "config.secrets"
"""The check that fails when the servers cannot even be built."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A check and what it is about: ``instance``, ``cluster``, or a stream."""

    about: str
    check: Check

    @property
    def failed(self) -> bool:
        """Whether this must be mended."""
        return not self.check.ok and not self.check.warning

    def to_json(self) -> dict[str, Any]:
        """Return the finding's part of ``-o json``."""
        check = self.check
        return {
            "about": self.about,
            "name": check.name,
            "ok": check.ok,
            "warning": check.warning,
            "detail": check.detail,
            "remedy": check.remedy,
        }


@app.command()
def doctor(
    ctx: typer.Context,
    *,
    stream: StreamOption = None,
    config: Annotated[
        str | None,
        typer.Option(
            "--config", metavar="FILE", help="Look at this document's servers, not yet applied ones; '-' too."
        ),
    ] = None,
    wait_leader_s: Annotated[
        float | None,
        typer.Option("--wait-leader", parser=seconds, metavar="DURATION", help="Wait until each stream has a leader."),
    ] = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """Look at all servers as an instance would.

    This installation, ZooKeeper, a stream's config, its MySQL or MariaDB, its Redis, whether it is halted and
    where a new term would resume; nothing is written.
    Without --stream: all streams of HASYNC_STREAMS, or else all in ZooKeeper. Exits with
    1 when something has to be mended; a '!' may stay. Run it where instances run: with
    their environment, secrets and network.
    """
    call = invocation(ctx)
    document = read(config) if config is not None else None
    findings = [Finding("instance", check) for check in call.outside.installation()]
    try:
        with call.connect() as cluster:
            findings += [Finding("cluster", check) for check in cluster.checks()]
            if document is None:
                for name in _names(call, cluster, stream):
                    findings += _stream(call, cluster, name, wait_leader_s)
    except (CoordinationUnavailable, CoordinationRefused) as error:
        findings.append(Finding("cluster", _failed("zookeeper.reachable", error)))
    if document is not None and config is not None:
        findings += _candidate(call, stream, config, document)
    _show(findings, output)
    if any(finding.failed for finding in findings):
        raise typer.Exit(1)


def _names(call: Invocation, cluster: Cluster, asked: str | None) -> Sequence[str]:
    """Return the streams to look at. Raises HasyncError for one that does not exist."""
    if asked is not None:
        existing(cluster, asked)
        return (asked,)
    return call.settings.streams or cluster.catalog.names()


def _stream(call: Invocation, cluster: Cluster, name: str, wait_leader_s: float | None) -> list[Finding]:
    facts = Facts.read(cluster.stream(name), cluster.members.list())
    found = _document(call, name, facts.revision.document) if facts.revision else [_no_config(name, facts)]
    found += halt_checks(facts)
    config, _ = facts.config()
    if config is not None and not any(check.name == UNREADABLE for check in found):
        found += position_checks(facts, call.servers(name, config), config)
    if wait_leader_s is not None:
        found.append(_halted(name) if facts.halt_in_force else _leader(call, cluster, name, wait_leader_s))
    return [Finding(name, check) for check in found]


def _no_config(name: str, facts: Facts) -> Check:
    remedy = f"'hasync config apply FILE -s {name}'"
    if facts.unreadable:
        return Check(name="config.readable", ok=False, detail=facts.unreadable, remedy=remedy)
    return Check(name="config.present", ok=False, detail="no config yet", remedy=remedy)


def _candidate(call: Invocation, stream: str | None, file: str, document: str) -> list[Finding]:
    """Look at a document that is not applied yet; of a stream that nobody named there is no state to look at."""
    about = stream or ("standard input" if file == STDIN else Path(file).name)
    found = _document(call, stream or NO_STREAM, document)
    if stream is None:
        found = [check for check in found if check.name != STATE]
        say("with --stream NAME the stream's state in Redis is looked at, too")
    return [Finding(about, check) for check in found]


def _document(call: Invocation, name: str, document: str) -> list[Check]:
    """Check a document, and the servers that it names if it is good."""
    try:
        config = checked(document, name)
    except ConfigInvalid as invalid:
        problems = invalid.problems or (invalid.message,)
        remedy = invalid.hint or "correct the document, then 'hasync config apply'"
        return [Check(name="config.valid", ok=False, detail=problem, remedy=remedy) for problem in problems]
    return [Check(name="config.valid", ok=True, detail=size(config)), *_servers(call, name, config)]


def _servers(call: Invocation, name: str, config: StreamConfig) -> tuple[Check, ...]:
    return call.servers(name, config).checks()


def _halted(name: str) -> Check:
    """Return what waiting would have come to: nobody leads a halted stream before it is resumed."""
    remedy = f"mend what halted it (see stream.halt), then 'hasync resume -s {name}'"
    return Check(name="stream.leader", ok=False, detail="nobody leads a halted stream", remedy=remedy)


def _leader(call: Invocation, cluster: Cluster, name: str, within_s: float) -> Check:
    terms = cluster.stream(name).terms
    try:
        wait_for(lambda: terms.leader() is not None, else_say="no instance leads", within_s=within_s, clock=call.clock)
        leader = terms.leader()
    except HasyncError as error:
        remedy = "start instances with this stream in HASYNC_STREAMS; 'hasync status' says what they wait for"
        return Check(name="stream.leader", ok=False, detail=error.message, remedy=remedy)
    detail = f"{leader.member} leads, epoch {leader.epoch}" if leader else "had a leader a moment ago"
    return Check(name="stream.leader", ok=True, detail=detail)


def _failed(name: str, error: HasyncError) -> Check:
    remedy = error.hint or "'hasync status' says more; look at ZooKeeper's log"
    return Check(name=name, ok=False, detail=error.message, remedy=remedy)


def _show(findings: Sequence[Finding], output: Format) -> None:
    ok = not any(finding.failed for finding in findings)
    document = {"ok": ok, "checks": [finding.to_json() for finding in findings]}
    lines = Table.grid(padding=(0, 1, 0, 0))  # so that what does not fit on a line goes on below its own column
    for finding in findings:
        for mark, text in _lines(finding):
            lines.add_row(mark, text)
    emit(document, output, lines)


def _lines(finding: Finding) -> list[tuple[Text, RenderableType]]:
    check = finding.check
    mark, style = ("✔", "green") if check.ok else ("!", "yellow") if check.warning else ("✘", "red")
    lines: list[tuple[Text, RenderableType]] = [
        (Text(mark, style=style), Text(f"{finding.about}  {check.name}: {check.detail}"))
    ]
    if check.remedy and not check.ok:
        lines.append((Text(""), Padding(Text(f"→ {check.remedy}", style="dim"), (0, 0, 0, 2), expand=False)))
    return lines
