"""``docs/metrics.md``, made from the families."""

from hasync.metrics.families import SECTIONS, Change, Family, Kind, Result, Skip, Stage, State

_VALUES = {
    "event": Change,
    "result": Result,
    "reason": Skip,
    "stage": Stage,
    "hasync_state": State,
}


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
    return "\n".join(lines) + "\n"


def _row(family: Family) -> str:
    own = (family.full_name,) if family.kind is Kind.STATESET else ()
    labels = ", ".join(f"`{label}`" for label in (*family.labels, *own))
    meaning = f"{family.help} *Of the leader.*" if family.leader_only else family.help
    return f"| `{family.full_name}` | {family.kind} | {labels} | {meaning} |"
