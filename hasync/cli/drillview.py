"""Reports of drills on a terminal. Pure but for rich."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from hasync.cli.output import facts, table
from hasync.cli.wording import NONE
from hasync.drill.wording import facts as facts_of
from hasync.drill.wording import terms

Document = Mapping[str, Any]


def view(bundle: Document) -> list[RenderableType]:
    """Return what a person reads: for each drill what was seen, the terms, and the verdict last."""
    return [part for report in bundle["reports"] for part in _report(report)]


def _report(report: Document) -> Iterator[RenderableType]:
    lasting = f" for {report['for_ms'] / 1000:g} s" if report["for_ms"] else ""
    yield Text(f"{report['drill']}{lasting} of {report['stream']}", style="bold")
    yield facts(*facts_of(report))
    yield Text()
    yield table("EPOCH", "MEMBER", "ENDED", "TAKEOVER", "NOTE", rows=terms(report))
    yield Text()
    yield table("RULE", "", "LIMIT", "MEASURED", "", rows=[_rule(rule) for rule in report["rules"]])
    passed = report["passed"]
    yield Text(f"verdict: {'passed' if passed else 'FAILED'}", style="bold green" if passed else "bold red")
    yield Text()


def _rule(rule: Document) -> list[str | Text]:
    word = Text("ok", style="green") if rule["ok"] else Text("BROKEN", style="bold red")
    return [rule["rule"], word, rule["limit"], rule["measured"], rule["detail"]]


def comparison(lines: Sequence[Document]) -> RenderableType:
    """Return two reports side by side."""
    rows = [[line["drill"], line["measure"], line["before"], line["after"], line["change"] or NONE] for line in lines]
    return table("DRILL", "MEASURE", "BEFORE", "AFTER", "CHANGE", rows=rows)
