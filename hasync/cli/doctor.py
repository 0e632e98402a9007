"""``hasync doctor``: looks at all servers as an instance would find them, and says what to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import typer
from rich.text import Text

from hasync.cli.documents import checked, read, size
from hasync.cli.invocation import Cluster, Invocation, existing, invocation
from hasync.cli.options import Format, OutputOption, StreamOption, seconds
from hasync.cli.output import emit
from hasync.cli.waiting import wait_for
from hasync.errors import ConfigInvalid, CoordinationRefused, CoordinationUnavailable, HasyncError
from hasync.model.check import Check
from hasync.model.config import StreamConfig

app = typer.Typer(rich_markup_mode=None, add_completion=False)

NO_STREAM: Final = "doctor"
"""The name under which a document's servers are looked at that belongs to no stream yet."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A check and what it is about: ``cluster``, or a stream."""

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

    ZooKeeper, a stream's config, its MySQL or MariaDB, and its Redis; nothing is written.
    Without --stream: all streams of HASYNC_STREAMS, or else all in ZooKeeper. Exits with
    1 when something has to be mended; a '!' may stay. Run it where instances run: with
    their environment, secrets and network.
    """
    call = invocation(ctx)
    document = read(config) if config is not None else None
    findings: list[Finding] = []
    try:
        with call.connect() as cluster:
            findings += [Finding("cluster", check) for check in cluster.checks()]
            if document is None:
                for name in _names(call, cluster, stream):
                    findings += _stream(call, cluster, name, wait_leader_s)
    except (CoordinationUnavailable, CoordinationRefused) as error:
        findings.append(Finding("cluster", _failed("zookeeper.reachable", error)))
    if document is not None:
        name = stream or NO_STREAM
        findings += [Finding(name, check) for check in _document(call, name, document)]
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
    ports = cluster.stream(name)
    try:
        revision = ports.configs.get()
        document = revision.document if revision else None
    except ConfigInvalid as invalid:
        return [Finding(name, _failed("config.readable", invalid))]
    if document is None:
        remedy = f"'hasync config apply FILE -s {name}'"
        return [Finding(name, Check(name="config.present", ok=False, detail="no config yet", remedy=remedy))]
    found = _document(call, name, document)
    if wait_leader_s is not None:
        found.append(_leader(call, cluster, name, wait_leader_s))
    return [Finding(name, check) for check in found]


def _document(call: Invocation, name: str, document: str) -> list[Check]:
    """Check a document, and the servers that it names if it is good."""
    try:
        config = checked(document)
    except ConfigInvalid as invalid:
        problems = invalid.problems or (invalid.message,)
        return [Check(name="config.valid", ok=False, detail=problem, remedy=invalid.hint) for problem in problems]
    return [Check(name="config.valid", ok=True, detail=size(config)), *_servers(call, name, config)]


def _servers(call: Invocation, name: str, config: StreamConfig) -> tuple[Check, ...]:
    return call.servers(name, config).checks()


def _leader(call: Invocation, cluster: Cluster, name: str, within_s: float) -> Check:
    terms = cluster.stream(name).terms
    try:
        wait_for(f"{name} has a leader", lambda: terms.leader() is not None, within_s=within_s, clock=call.clock)
        leader = terms.leader()
    except HasyncError as error:
        remedy = "start instances with this stream in HASYNC_STREAMS; 'hasync status' says what they wait for"
        return Check(name="stream.leader", ok=False, detail=error.message, remedy=remedy)
    detail = f"{leader.member} leads, epoch {leader.epoch}" if leader else "had a leader a moment ago"
    return Check(name="stream.leader", ok=True, detail=detail)


def _failed(name: str, error: HasyncError) -> Check:
    return Check(name=name, ok=False, detail=error.message, remedy=error.hint)


def _show(findings: Sequence[Finding], output: Format) -> None:
    ok = not any(finding.failed for finding in findings)
    document = {"ok": ok, "checks": [finding.to_json() for finding in findings]}
    emit(document, output, *(line for finding in findings for line in _lines(finding)))


def _lines(finding: Finding) -> list[Text]:
    check = finding.check
    mark, style = ("✔", "green") if check.ok else ("!", "yellow") if check.warning else ("✘", "red")
    lines = [Text.assemble((mark, style), f" {finding.about}  {check.name}: {check.detail}")]
    if check.remedy and not check.ok:
        lines.append(Text(f"    → {check.remedy}", style="dim"))
    return lines
