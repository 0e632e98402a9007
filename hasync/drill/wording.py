"""A report in words, the same on the terminal and on the page. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from hasync.term.takeover import Step

NOT_SEEN: Final = "not seen"

BY: Final = {
    "probe": "the probe's rows",
    "batches": "the state key's sequence",
    "claim": "the new claim only: too few writes to see a pause",
}


def facts(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return names and values of what was seen."""
    seen, leader, epochs = report["seen"], report["leader"], report["epochs"]
    found = [
        ("led before", f"{leader['before'] or 'nobody'}, epoch {epochs['before']}"),
        ("leads after", f"{leader['after'] or 'nobody'}, epoch {epochs['after']}"),
        ("noticed after", ms(seen["noticed_ms"])),
        ("claimed after", ms(seen["claimed_ms"])),
        ("published after", ms(seen["published_ms"])),
        ("first write after", ms(seen["first_write_ms"])),
        ("undone after", ms(seen["undone_ms"])),
        ("write gap", gap(report["gap"])),
        ("new epochs", ", ".join(map(str, epochs["new"])) or "none"),
        ("sequence", _sequence(report["sequence"])),
        ("longest lag", ms(report["lag_max_ms"])),
    ]
    return [
        *found,
        *_probe(report["probe"]),
        *(("not always seen", f"{at}: {why}") for at, why in report["blind"].items()),
    ]


def terms(report: Mapping[str, Any]) -> list[tuple[str, str, str, str, str]]:
    """Return epoch, member, how it ended, the steps of its takeover, and how its start was decided."""
    return [
        (
            str(term["epoch"]),
            term["member"],
            "; ".join(part for part in (_ended(term, report), term["message"]) if part),
            _takeover(term["takeover_ms"]),
            term["note"] or "-",
        )
        for term in report["terms"]
    ]


def _ended(term: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    return str(term["end_reason"] or ("runs" if term["epoch"] == report["epochs"]["after"] else "without a word"))


def gap(document: Mapping[str, Any]) -> str:
    """Say how long nothing was written, and by what that is known."""
    if not document["ended"]:
        return f"since {ms(document['from_ms'])} without an end, by {BY[document['seen_by']]}"
    usual = f"; {ms(document['usual_ms'])} is usual" if document["seen_by"] != "claim" else ""
    return f"{ms(document['ms'])}, by {BY[document['seen_by']]}{usual}"


def ms(value: float | None) -> str:
    """Write milliseconds."""
    return NOT_SEEN if value is None else f"{value:.0f} ms"


def _sequence(sequence: Mapping[str, Any]) -> str:
    words = "continuous" if sequence["continuous"] else "; ".join(sequence["problems"])
    return f"{sequence['first']} to {sequence['last']}, {words}"


def _probe(probe: Mapping[str, Any] | None) -> Sequence[tuple[str, str]]:
    if probe is None:
        return (("probe", "none: lost and doubled rows were not counted"),)
    unsure = f", {probe['uncertain']} whose commit was not confirmed" if probe["uncertain"] else ""
    visible = " / ".join(ms(probe[f"visible_{name}_ms"]) for name in ("p50", "p99", "max"))
    return (
        ("probe's rows", f"{probe['committed']} committed{unsure}, {probe['lost']} lost, {probe['doubled']} doubled"),
        ("commit to visible", f"{visible} (p50 / p99 / max)"),
    )


def _takeover(steps: Mapping[str, float]) -> str:
    """Return each step with its time, as the leader measured it."""
    return ", ".join(f"{step.value} {ms(steps[step])}" for step in Step if step in steps) or "-"
