"""``hasync drill``: failover drills with a verdict."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer

from hasync.cli.drillrun import DrillRun
from hasync.cli.drillview import comparison, view
from hasync.cli.invocation import ProbeAccount, invocation
from hasync.cli.messages import say
from hasync.cli.options import Format, OutputOption, seconds
from hasync.cli.output import emit
from hasync.drill.comparison import compared
from hasync.drill.kinds import DrillKind
from hasync.drill.page import page
from hasync.drill.plan import Plan, Step, lasting, parse
from hasync.drill.report import bundle
from hasync.drill.verdict import Budgets
from hasync.errors import HasyncError
from hasync.model.names import Fault
from hasync.model.secret import SecretReference

HELP: Final = """\
Failover drills, with a report and a verdict.

An instance inflicts the fault on itself, and undoes it; this command watches from outside. Instances
obey only with HASYNC_DRILLS__ENABLED=true. Exits with 1 when the verdict is no, or nothing was done.
--compare A.json B.json, without a command, puts two reports (of -o json) side by side. docs/drills.md
says what each drill does, and how to set up --probe.
"""

app = typer.Typer(rich_markup_mode=None, add_completion=False, help=HELP, invoke_without_command=True)

TEXTS: Final = {
    DrillKind.CRASH_LEADER: "Kill the leader's worker.\n\nWith SIGKILL, in the middle of whatever it does.",
    DrillKind.FREEZE_LEADER: (
        "Stop the leader's worker for a while.\n\nWith SIGSTOP. A process that it starts before continues it; "
        "its supervisor kills it after supervisor.heartbeat_s."
    ),
    DrillKind.EXPIRE_SESSION: "Close the leader's ZooKeeper session.\n\nFrom a second client, as if it had expired.",
    DrillKind.CUT_ZOOKEEPER: (
        "Cut the leader off from ZooKeeper.\n\nWith all its streams. Past the session's timeout others lead."
    ),
    DrillKind.CUT_REDIS: "Cut the leader off from Redis.\n\nWhat it writes meanwhile gets no answer.",
    DrillKind.CUT_MYSQL: "Cut the leader off from MySQL.\n\nIts connection breaks, a new one is not answered.",
    DrillKind.SWITCHOVER: "Have the leader hand over.\n\nIn order, to a standby that could lead.",
    DrillKind.ROLLING_RESTART: (
        "Restart all instances of a stream.\n\nOne after the other in order, the leader last; each has to be back "
        "before the next begins."
    ),
}


@app.callback()
def drill(
    ctx: typer.Context,
    *,
    compare: Annotated[
        tuple[Path, Path] | None,
        typer.Option("--compare", metavar="A.json B.json", help="Put two reports side by side."),
    ] = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """Take --compare, which needs no drill."""
    if compare is not None:
        lines = compared(*(_read(path) for path in compare))
        emit(lines, output, comparison(lines))
    elif ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())
        raise typer.Exit(2)


def _read(path: Path) -> Any:
    """Read a report. Raises HasyncError when it is none."""
    try:
        document = orjson.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise HasyncError(f"{path} cannot be read: {error}", hint="'hasync drill ... -o json' writes one") from error
    if not isinstance(document, dict) or not isinstance(document.get("reports"), list):
        raise HasyncError(f"{path} is no report of a drill", hint="'hasync drill ... -o json' writes one")
    return document


# ----------------------------------------------------------------------- what all drills are told

OPTIONS: Final[tuple[tuple[str, Any, Any], ...]] = (
    (
        "max_gap_s",
        Annotated[
            float | None,
            typer.Option(
                "--max-gap", parser=seconds, metavar="DURATION", help="Longest time without a write, such as 500ms."
            ),
        ],
        None,
    ),
    ("max_epochs", Annotated[int | None, typer.Option("--max-epochs", min=0, help="Most new terms.")], None),
    (
        "max_lag_s",
        Annotated[
            float | None,
            typer.Option("--max-lag", parser=seconds, metavar="DURATION", help="Longest lag that the leader may tell."),
        ],
        None,
    ),
    ("max_lost", Annotated[int, typer.Option("--max-lost", min=0, help="Most rows lost; counted with --probe.")], 0),
    (
        "max_doubled",
        Annotated[int, typer.Option("--max-doubled", min=0, help="Most rows applied twice; with --probe.")],
        0,
    ),
    (
        "probe",
        Annotated[bool, typer.Option("--probe", help="Write rows of its own into MySQL, and count them in Redis.")],
        False,
    ),
    (
        "probe_user",
        Annotated[str, typer.Option("--probe-user", metavar="NAME", help="The probe's account.")],
        "hasync_drill",
    ),
    (
        "probe_password",
        Annotated[
            str | None,
            typer.Option("--probe-password", metavar="REFERENCE", help="Its password: env:NAME or file:/path."),
        ],
        None,
    ),
    (
        "probe_host",
        Annotated[
            str, typer.Option("--probe-host", metavar="HOST", help="Where it writes; else the config's first source.")
        ],
        "",
    ),
    (
        "probe_table",
        Annotated[str, typer.Option("--probe-table", metavar="SCHEMA.TABLE", help="Its table.")],
        "hasync_drill.beat",
    ),
    (
        "within_s",
        Annotated[
            float,
            typer.Option("--within", parser=seconds, metavar="DURATION", help="How long undoing the fault may take."),
        ],
        60.0,
    ),
    (
        "html",
        Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write the report as a page, too.")],
        None,
    ),
    ("output", OutputOption, Format.TABLE),
)
"""Name, type and default of each option; the names are :class:`typer.Context`'s parameters."""

STREAM: Final = Annotated[
    str | None,
    typer.Argument(metavar="[STREAM]", help="The stream; not needed where HASYNC_STREAMS names exactly one."),
]
FOR: Final = Annotated[float, typer.Option("--for", parser=seconds, metavar="DURATION", help="How long, such as 3s.")]
FILE: Final = Annotated[Path, typer.Argument(metavar="FILE", help="The YAML file (docs/drills.md).")]


def _add(name: str, text: str, body: Callable[..., None], own: tuple[tuple[str, Any, Any], ...]) -> None:
    """Register a command that takes ``own`` parameters and all of :data:`OPTIONS`."""

    def command(ctx: typer.Context, **given: Any) -> None:
        body(ctx, **given)

    context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    others = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
        for name, annotation, default in (*own, *OPTIONS)
    ]
    made: Any = command
    made.__signature__ = inspect.Signature([context, *others])
    made.__annotations__ = {parameter.name: parameter.annotation for parameter in (context, *others)}
    made.__doc__ = text
    app.command(name)(made)


def _single(kind: DrillKind) -> Callable[..., None]:
    def body(ctx: typer.Context, *, stream: str | None, for_s: float = 0.0, **given: Any) -> None:
        for problem in lasting(kind, for_s):
            raise typer.BadParameter(problem, param_hint="--for")
        step = Step(kind=kind, for_s=for_s, budgets=_budgets(given))
        _run(ctx, Plan(steps=(step,), stream=stream or ""), given)

    return body


def _plan(ctx: typer.Context, *, file: Path, stream: str | None, **given: Any) -> None:
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}", param_hint="FILE") from error
    plan = parse(text, _budgets(given))
    _run(ctx, Plan(steps=plan.steps, stream=stream or plan.stream, pause_s=plan.pause_s), given)


def _budgets(given: dict[str, Any]) -> Budgets:
    return Budgets(
        **{name: given[name] for name in ("max_gap_s", "max_epochs", "max_lag_s", "max_lost", "max_doubled")}
    )


def _run(ctx: typer.Context, plan: Plan, given: dict[str, Any]) -> None:
    """Run all drills of a plan, show what came of them, and exit with 1 when one did not pass."""
    if (given["max_lost"] or given["max_doubled"]) and not given["probe"]:
        raise typer.BadParameter("rows are counted with --probe only", param_hint="--max-lost, --max-doubled")
    call = invocation(ctx)
    run = DrillRun(call, call.stream(plan.stream or None), _account(given), within_s=given["within_s"])
    document = bundle(run.all(plan))
    if given["html"] is not None:
        given["html"].write_text(page(document), encoding="utf-8")
        say(f"the report is in {given['html']}")
    emit(document, given["output"], *view(document))
    if not document["passed"]:
        raise typer.Exit(1)


def _account(given: dict[str, Any]) -> ProbeAccount | None:
    if not given["probe"]:
        return None
    try:
        password = SecretReference.parse(given["probe_password"]) if given["probe_password"] else None
    except Fault as fault:
        raise typer.BadParameter(str(fault), param_hint="--probe-password") from None
    return ProbeAccount(
        table=given["probe_table"], user=given["probe_user"], password=password, host=given["probe_host"]
    )


for _kind in DrillKind:
    _own: tuple[tuple[str, Any, Any], ...] = (("stream", STREAM, None),)
    if _kind.lasts:
        _own = (*_own, ("for_s", FOR, inspect.Parameter.empty))
    _add(_kind.value, TEXTS[_kind], _single(_kind), _own)
_add(
    "plan",
    "Run a sequence of drills.\n\nA YAML file names them, and what each may cost. All run, also behind one that "
    "failed, unless its fault could not be undone.",
    _plan,
    (("file", FILE, inspect.Parameter.empty), ("stream", STREAM, None)),
)
