"""The report of a drill as one JSON document; the terminal, the page and the comparison show nothing else. Pure.

Times are milliseconds after the fault was injected, on the watcher's clock. What could
not be measured is null; a gap that never ended is null with ``ended`` false.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hasync.drill.findings import Findings, injected_at, of, progress, quantile
from hasync.drill.kinds import Request
from hasync.drill.recording import LagSeen, LeaderSeen, Marked, Sample
from hasync.drill.verdict import Budgets, Rule, Undoing, judge
from hasync.model.cluster import TermRecord

FORMAT: Final = 1
MOST_POINTS: Final = 600
"""So many points of a curve are kept: what a picture can show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that a report is made of. ``terms``: of the stream, newest first; ``blind``: what could not be seen, and why.

    ``started_at``: Unix seconds of the fault, by the watcher's wall clock.
    """

    samples: Sequence[Sample]
    findings: Findings
    undoing: Undoing
    terms: Sequence[TermRecord]
    blind: Mapping[str, str]
    started_at: float
    version: str


def report(request: Request, budgets: Budgets, evidence: Evidence) -> dict[str, Any]:
    """Return the document of one drill."""
    findings = evidence.findings
    rules = judge(request.kind, findings, budgets, evidence.undoing)
    return {
        "drill": request.kind.value,
        "id": request.id,
        "stream": request.stream,
        "for_ms": _ms(request.for_s) if request.for_s else None,
        "by": request.by,
        "at": evidence.started_at,
        "hasync": evidence.version,
        "passed": all(rule.ok for rule in rules),
        "rules": [_rule(rule) for rule in rules],
        "leader": {"before": findings.leader_before or None, "after": findings.leader_after or None},
        "epochs": {"before": findings.epoch_before, "after": findings.epoch_after, "new": list(findings.epochs)},
        "seen": _seen(findings),
        "gap": _gap(findings),
        "sequence": {
            "first": findings.seq_first,
            "last": findings.seq_last,
            "continuous": not findings.problems,
            "problems": list(findings.problems),
        },
        "probe": _probe(findings),
        "lag_max_ms": _ms(findings.lag_max_s),
        "undone": {
            "done": evidence.undoing.done,
            "message": evidence.undoing.message,
            "hint": evidence.undoing.hint,
        },
        "terms": [_term(term) for term in evidence.terms if term.epoch >= findings.epoch_before],
        "blind": dict(evidence.blind),
        "timeline": _timeline(evidence.samples, findings),
    }


def bundle(reports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the document of all drills of one run."""
    return {"v": FORMAT, "passed": all(each["passed"] for each in reports), "reports": list(reports)}


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "rule": rule.name,
        "ok": rule.ok,
        "limit": rule.limit,
        "measured": rule.measured,
        "detail": rule.detail,
    }


def _seen(findings: Findings) -> dict[str, Any]:
    """Return the steps of the takeover as they were seen from outside."""
    return {
        "noticed_ms": _ms(findings.noticed_s),
        "claimed_ms": _ms(findings.claimed_s),
        "published_ms": _ms(findings.led_s),
        "first_write_ms": _ms(findings.applied_s),
        "undone_ms": _ms(findings.undone_s),
    }


def _gap(findings: Findings) -> dict[str, Any]:
    gap = findings.gap
    return {
        "ms": _ms(gap.seconds),
        "ended": math.isfinite(gap.seconds),
        "seen_by": gap.by,
        "from_ms": _ms(gap.begin_s),
        "to_ms": _ms(gap.end_s),
        "usual_ms": _ms(gap.usual_s),
    }


def _probe(findings: Findings) -> dict[str, Any] | None:
    tally = findings.tally
    if tally is None:
        return None
    latencies = [latency for _, latency in findings.latencies_s]
    return {
        "committed": tally.committed,
        "lost": tally.lost,
        "doubled": tally.doubled,
        "uncertain": tally.uncertain,
        "visible_p50_ms": _ms(quantile(latencies, 0.5)),
        "visible_p99_ms": _ms(quantile(latencies, 0.99)),
        "visible_max_ms": _ms(max(latencies, default=0.0)),
    }


def _term(term: TermRecord) -> dict[str, Any]:
    """Return a term as its leader recorded it; where it timed its takeover, with each step."""
    stored = term.to_json()
    names = ("epoch", "member", "since", "until", "end_reason", "note", "message", "takeover_ms")
    return {name: stored[name] for name in names}


# ------------------------------------------------------------------------------ the timeline


def _timeline(samples: Sequence[Sample], findings: Findings) -> dict[str, Any]:
    zero = injected_at(samples)
    _, moments = progress(samples)
    return {
        "from_ms": _ms(samples[0].at_s - zero),
        "to_ms": _ms(findings.ended_s),
        "leaders": _leaders(of(samples, LeaderSeen), zero, findings.ended_s),
        "writes": [_ms(moment - zero) for moment in thinned(moments)],
        "visible": [[_ms(at), _ms(latency)] for at, latency in thinned(findings.latencies_s)],
        "lag": [[_ms(seen.at_s - zero), _ms(seen.lag_s)] for seen in thinned(of(samples, LagSeen))],
        "marks": [
            {"ms": _ms(mark.at_s - zero), "mark": mark.mark.value, "text": mark.text} for mark in of(samples, Marked)
        ],
    }


def _leaders(leaders: Sequence[LeaderSeen], zero: float, ended_s: float) -> list[dict[str, Any]]:
    ends = [*(seen.at_s - zero for seen in leaders[1:]), ended_s]
    return [
        {"member": seen.member, "epoch": seen.epoch, "from_ms": _ms(seen.at_s - zero), "to_ms": _ms(end)}
        for seen, end in zip(leaders, ends, strict=True)
        if seen.member
    ]


def thinned(points: Sequence[Any], most: int = 4 * MOST_POINTS) -> list[Any]:
    """Return at most ``most`` points, evenly chosen, the first and the last among them."""
    if len(points) <= most:
        return list(points)
    return [points[round(number * (len(points) - 1) / (most - 1))] for number in range(most)]


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None or not math.isfinite(seconds) else round(seconds * 1000, 1)
