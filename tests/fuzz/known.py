"""Findings that stand: each kind, and why."""

KNOWN: dict[str, str] = {
    "unnoticed: gap between transactions": "a dump by GTID leaves out what was executed, so gaps are no fault there",
}
