"""``docs/metrics.md``, made from the families."""

from hasync.errors import EndReason
from hasync.metrics.families import SECTIONS, Change, Family, Kind, Result, Skip, Stage, State
from hasync.metrics.stream import HALTS
from hasync.model.drill import Deed

_VALUES = {
    "event": Change,
    "result": Result,
    "reason": (*Skip, *EndReason),
    "stage": Stage,
    "code": HALTS,
    "deed": Deed,
    "hasync_state": State,
}

_STATES = {
    State.STARTING: "`starting`; `waiting`: for ZooKeeper, for a config, or standing back after trouble",
    State.STANDBY: "`standby`; `unfit` (`hasync status`): a standby that could not lead; `barred`: by `placement.pin`",
    State.LEADER: "`leader`",
    State.DEGRADED: "`leader`, while `degraded_long`: a retried step fails for longer than `retry.degraded_after_s`",
    State.DRAINING: "`draining`: a leader that applies what it has read before its term ends",
    State.HALTED: "`halted`: until `hasync resume`",
    State.PAUSED: "`paused`: until `hasync resume`; `disabled`: by the config",
}
"""The states, and what ``/status`` and ``hasync status`` call them."""


def reference() -> str:
    """Return ``docs/metrics.md``."""
    lines = [
        "# Metrics",
        "",
        "Made by `python -m hasync.metrics`; a test holds it equal to the code.",
        "Served at `/metrics`, with `process_*` and `python_gc_*` of the Prometheus client.",
        "",
        "No label names the instance: Prometheus adds `instance`, and Kubernetes `pod`.",
        "A metric *of the leader* does not exist on a standby, so `max()` over the instances is honest.",
        "Counters begin at 0 with the process, but those with a `table` begin with the table's first row;",
        "after 1000 tables of a stream, further ones are counted under `_other_`.",
    ]
    for title, families in SECTIONS.items():
        lines += ["", f"## {title}", "", "| name | type | labels | meaning |", "|---|---|---|---|"]
        lines += [_row(family) for family in families]
    lines += ["", "## Label values", "", "| label | values |", "|---|---|"]
    lines += [f"| `{label}` | {', '.join(f'`{value}`' for value in values)} |" for label, values in _VALUES.items()]
    lines += ["", "## States", "", "`hasync_state` groups the roles that `/status` and `hasync status` show:", ""]
    lines += ["| `hasync_state` | role |", "|---|---|"]
    lines += [f"| `{state}` | {roles} |" for state, roles in _STATES.items()]
    return "\n".join(lines) + "\n"


def _row(family: Family) -> str:
    own = (family.full_name,) if family.kind is Kind.STATESET else ()
    labels = ", ".join(f"`{label}`" for label in (*family.labels, *own))
    meaning = f"{family.help} *Of the leader.*" if family.leader_only else family.help
    return f"| `{family.full_name}` | {family.kind} | {labels} | {meaning} |"
