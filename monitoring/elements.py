"""The parts of a Grafana dashboard, as Grafana's classic JSON (schema version 41) wants them.

Classic, since the sidecar that loads dashboards from ConfigMaps knows nothing newer, and
every Grafana from 10 to 13 reads it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

COLUMNS: Final = 24
SCHEMA_VERSION: Final = 41
SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}

Json = dict[str, Any]
State = tuple[str, str]
"""What a value means, and its colour."""


@dataclass(frozen=True, slots=True)
class Target:
    """One query. ``legend``: Grafana's template over labels; ``instant``: only the newest value."""

    expr: str
    legend: str = ""
    instant: bool = False
    format: str = "time_series"

    def json(self, number: int) -> Json:
        """Return the target; ``number`` gives its letter."""
        return {
            "refId": chr(ord("A") + number),
            "datasource": SOURCE,
            "editorMode": "code",
            "expr": self.expr,
            "legendFormat": self.legend,
            "instant": self.instant,
            "range": not self.instant,
            "format": self.format,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel. ``description`` says what it answers; ``defaults``, ``options``: Grafana's, of its kind."""

    kind: str
    title: str
    description: str
    unit: str
    targets: tuple[Target, ...]
    width: int
    height: int = 8
    defaults: Json = field(default_factory=dict)
    options: Json = field(default_factory=dict)
    overrides: Sequence[Json] = ()
    transformations: Sequence[Json] = ()

    def json(self, number: int, x: int, y: int) -> Json:
        """Return the panel at a place of the grid."""
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": SOURCE,
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "targets": [target.json(place) for place, target in enumerate(self.targets)],
            "fieldConfig": {"defaults": {"unit": self.unit, **self.defaults}, "overrides": list(self.overrides)},
            "options": self.options,
            "transformations": list(self.transformations),
        }


@dataclass(frozen=True, slots=True)
class Row:
    """A titled row of panels; ``answers``: the question it answers, for the docs."""

    title: str
    answers: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """A dashboard. ``several``: its streams are chosen as a list, not one alone."""

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]
    several: bool

    def json(self) -> Json:
        """Return the whole document."""
        return {
            "id": None,
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": ["hasync"],
            "schemaVersion": SCHEMA_VERSION,
            "version": 1,
            "editable": False,
            "graphTooltip": 1,
            "refresh": "30s",
            "timezone": "browser",
            "fiscalYearStartMonth": 0,
            "liveNow": False,
            "preload": False,
            "time": {"from": "now-1h", "to": "now"},
            "timepicker": {},
            "links": [_siblings()],
            "annotations": {"list": _annotations()},
            "templating": {"list": _variables(several=self.several)},
            "panels": list(_placed(self.rows)),
        }


def _placed(rows: Sequence[Row]) -> list[Json]:
    """Lay the panels of each row from left to right; a line is as high as its highest panel."""
    placed: list[Json] = []
    y = 0
    for row in rows:
        placed.append(_row(row.title, len(placed) + 1, y))
        y, x, highest = y + 1, 0, 0
        for panel in row.panels:
            if x + panel.width > COLUMNS:
                y, x, highest = y + highest, 0, 0
            placed.append(panel.json(len(placed) + 1, x, y))
            x, highest = x + panel.width, max(highest, panel.height)
        y += highest
    return placed


def _row(title: str, number: int, y: int) -> Json:
    grid = {"x": 0, "y": y, "w": COLUMNS, "h": 1}
    return {"id": number, "type": "row", "title": title, "collapsed": False, "gridPos": grid, "panels": []}


def _siblings() -> Json:
    return {
        "type": "dashboards",
        "title": "hasync",
        "tags": ["hasync"],
        "asDropdown": False,
        "icon": "external link",
        "includeVars": True,
        "keepTime": True,
        "targetBlank": False,
        "tooltip": "",
        "url": "",
    }


def _annotations() -> list[Json]:
    return [
        _annotation(
            "New leader",
            "sum by (stream, pod) (increase(hasync_leadership_changes_total"
            '{namespace=~"$namespace", job=~"$job", stream=~"$stream", event="acquired"}[$__rate_interval])) > 0',
            "blue",
            "{{pod}} leads {{stream}}",
        ),
        _annotation(
            "Drill",
            'max by (pod, deed) (hasync_drill_running{namespace=~"$namespace", job=~"$job"}) > 0',
            "purple",
            "drill: {{deed}} on {{pod}}",
        ),
        _annotation(
            "Alert",
            'ALERTS{alertname=~"Hasync.*", alertstate="firing", namespace=~"$namespace", stream=~"$stream|"}',
            "red",
            "{{alertname}} {{stream}}",
        ),
    ]


def _annotation(name: str, expr: str, color: str, title: str) -> Json:
    return {
        "name": name,
        "datasource": SOURCE,
        "enable": True,
        "iconColor": color,
        "expr": expr,
        "titleFormat": title,
        "step": "",
        "useValueForTime": False,
    }


def _variables(*, several: bool) -> list[Json]:
    return [
        {
            "name": "datasource",
            "label": "Data source",
            "type": "datasource",
            "query": "prometheus",
            "current": {"text": "default", "value": "default"},
            "hide": 0,
            "refresh": 1,
            "regex": "",
            "options": [],
            "multi": False,
            "includeAll": False,
        },
        _variable("namespace", "Namespace", "label_values(hasync_build_info, namespace)"),
        _variable("job", "Job", 'label_values(hasync_build_info{namespace=~"$namespace"}, job)'),
        _variable(
            "stream",
            "Stream",
            'label_values(hasync_leader{namespace=~"$namespace", job=~"$job"}, stream)',
            all_=several,
        ),
        _variable("pod", "Pod", 'label_values(hasync_build_info{namespace=~"$namespace", job=~"$job"}, pod)'),
    ]


def _variable(name: str, label: str, query: str, *, all_: bool = True) -> Json:
    """Return a variable that Prometheus fills. All is ``.*``, so that targets without the label count, too."""
    everything: Json = {"text": ["All"], "value": ["$__all"], "selected": True}
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "definition": query,
        "query": {"query": query, "refId": name},
        "multi": all_,
        "includeAll": all_,
        **({"allValue": ".*"} if all_ else {}),
        "current": everything if all_ else {"text": "", "value": ""},
        "hide": 0,
        "options": [],
        "refresh": 2,
        "regex": "",
        "sort": 1,
        "skipUrlSync": False,
    }


def meanings(states: Mapping[int, State]) -> list[Json]:
    """Return value mappings: number to text and colour."""
    options = {
        str(value): {"text": text, "color": color, "index": place}
        for place, (value, (text, color)) in enumerate(states.items())
    }
    return [{"type": "value", "options": options}]


def thresholds(*steps: tuple[float | None, str]) -> Json:
    """Return thresholds; the first has no value: it is what is below the second."""
    return {"mode": "absolute", "steps": [{"value": value, "color": color} for value, color in steps]}
