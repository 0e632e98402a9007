"""From findings to a verdict: every rule, its limit, what was measured, and whether it held. Pure."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from hasync.drill.findings import Findings
from hasync.drill.kinds import DrillKind

MARGIN_S: Final = 0.0005
"""Below what is shown of a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgets:
    """What a drill may cost. None: not asked. Lost and doubled rows are judged wherever a probe counted them."""

    max_gap_s: float | None = None
    max_epochs: int | None = None
    max_lag_s: float | None = None
    max_lost: int = 0
    max_doubled: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Undoing:
    """Whether the fault is undone; else ``message`` says what is left, and ``hint`` how to mend it."""

    done: bool
    message: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One line of a verdict."""

    name: str
    ok: bool
    limit: str
    measured: str
    detail: str = ""


def judge(kind: DrillKind, findings: Findings, budgets: Budgets, undoing: Undoing) -> tuple[Rule, ...]:
    """Return all rules; the drill is passed when each is ok."""
    return (*_always(kind, findings, undoing), *_asked(findings, budgets), *_counted(findings, budgets))


def _always(kind: DrillKind, findings: Findings, undoing: Undoing) -> Iterator[Rule]:
    """Yield what holds for every drill, whatever it may cost."""
    remedy = "; ".join(part for part in (undoing.message, undoing.hint) if part)
    yield Rule(name="undone", ok=undoing.done, limit="yes", measured=_yes(undoing.done), detail=remedy)
    yield Rule(
        name="led again", ok=bool(findings.leader_after), limit="yes", measured=findings.leader_after or "nobody"
    )
    if kind.changes_leader:
        took = bool(findings.epochs)
        detail = "" if took else "the same term went on, so the drill has shown nothing"
        yield Rule(name="a new term", ok=took, limit="yes", measured=_yes(took), detail=detail)
    continuous = not findings.problems
    detail = "; ".join(findings.problems)
    measured = f"{findings.seq_first} to {findings.seq_last}"
    yield Rule(name="sequence", ok=continuous, limit="continuous", measured=measured, detail=detail)


def _asked(findings: Findings, budgets: Budgets) -> Iterator[Rule]:
    if budgets.max_gap_s is not None:
        gap = findings.gap
        ok = gap.seconds <= budgets.max_gap_s + MARGIN_S
        detail = f"seen by {gap.by}" + ("" if math.isfinite(gap.seconds) else ": nothing was written any more")
        yield Rule(name="write gap", ok=ok, limit=in_ms(budgets.max_gap_s), measured=in_ms(gap.seconds), detail=detail)
    if budgets.max_epochs is not None:
        count = len(findings.epochs)
        ok = count <= budgets.max_epochs
        yield Rule(name="new epochs", ok=ok, limit=str(budgets.max_epochs), measured=str(count))
    if budgets.max_lag_s is not None:
        lag = findings.lag_max_s
        ok = lag is not None and lag <= budgets.max_lag_s
        measured = "not told" if lag is None else in_ms(lag)
        yield Rule(name="lag", ok=ok, limit=in_ms(budgets.max_lag_s), measured=measured)


def _counted(findings: Findings, budgets: Budgets) -> Iterator[Rule]:
    tally = findings.tally
    if tally is None:
        return
    of = f"of {tally.committed} committed rows"
    yield Rule(
        name="lost", ok=tally.lost <= budgets.max_lost, limit=str(budgets.max_lost), measured=str(tally.lost), detail=of
    )
    ok = tally.doubled <= budgets.max_doubled
    yield Rule(name="doubled", ok=ok, limit=str(budgets.max_doubled), measured=str(tally.doubled), detail=of)


def in_ms(seconds: float) -> str:
    """Write a time in milliseconds."""
    return f"{seconds * 1000:.0f} ms" if math.isfinite(seconds) else "for ever"


def _yes(value: bool) -> str:
    return "yes" if value else "no"
