"""Every query of every panel, asked of a real Prometheus: one that has no data is a fault."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from monitoring.elements import Dashboard, Json
from monitoring.prometheus import Prometheus

STEP_S: Final = 2.0
RATE_INTERVAL: Final = "10s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The time looked at, Unix seconds."""

    start: float
    end: float

    def filled(self, text: str, variables: Mapping[str, str]) -> str:
        """Return a query as Grafana would send it: its own variables and the dashboard's filled in."""
        own = {"$__rate_interval": RATE_INTERVAL, "$__range": f"{self.end - self.start:.0f}s"}
        for name, value in (own | {f"${name}": value for name, value in variables.items()}).items():
            text = text.replace(name, value)
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one target gave. ``result``: as Prometheus' API writes it."""

    dashboard: str
    panel: str
    letter: str
    expr: str
    result: Sequence[Any]

    @property
    def points(self) -> int:
        """How many values there are that are numbers."""
        return sum(1 for one in self.result for value in _values(one) if not math.isnan(float(value)))

    @property
    def line(self) -> str:
        """Say it in a line."""
        found = f"{len(self.result):3} series {self.points:6} points" if self.points else "  NO DATA"
        return f"{self.dashboard:16} {self.panel:32} {self.letter}  {found}"


def _values(one: Json) -> Iterator[str]:
    yield from (value for _, value in one.get("values", [one["value"]] if "value" in one else []))


def answers(dashboard: Dashboard, prometheus: Prometheus, span: Span, **variables: str) -> Iterator[Answer]:
    """Ask for every target of a dashboard, its annotations included."""
    chosen = {"namespace": ".*", "job": ".*", "pod": ".*", "stream": ".*"} | variables
    for panel, letter, target in _targets(dashboard):
        expr = span.filled(target["expr"], chosen)
        result = _ask(prometheus, expr, span, instant=target.get("instant", False))
        yield Answer(dashboard=dashboard.uid, panel=panel, letter=letter, expr=expr, result=result)


def _targets(dashboard: Dashboard) -> Iterator[tuple[str, str, Json]]:
    """Yield panel, letter and target; an annotation is its own target."""
    document = dashboard.json()
    for panel in document["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["refId"], target
    for note in document["annotations"]["list"]:
        yield note["name"], "-", note


def _ask(prometheus: Prometheus, expr: str, span: Span, *, instant: bool) -> Sequence[Any]:
    if instant:
        return prometheus.now(expr, span.end)
    return prometheus.series(expr, start=span.start, end=span.end, step_s=STEP_S)


def choices(dashboard: Dashboard, prometheus: Prometheus) -> Iterator[tuple[str, list[str]]]:
    """Yield what each variable of a dashboard would offer."""
    for variable in dashboard.json()["templating"]["list"]:
        if variable["type"] == "query":
            selector, label = variable["definition"].removeprefix("label_values(").removesuffix(")").rsplit(", ", 1)
            for name in ("namespace", "job"):
                selector = selector.replace(f"${name}", ".*")
            yield variable["name"], list(prometheus.ask(f"label/{label}/values", **{"match[]": selector}))
