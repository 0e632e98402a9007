"""The dashboards: what is committed is what the generator makes, and keeps the rules that Grafana's linter knows."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from hasync.metrics.families import Kind, families
from monitoring.dashboards import DASHBOARDS, FOLDER, files
from monitoring.elements import COLUMNS, Dashboard

FAMILIES = {family.full_name: family for family in families()}
FOREIGN = {
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_open_fds",
    "python_gc_collections_total",
}
SUFFIX = re.compile(r"_(bucket|sum|count)$")
NAME = re.compile(r"\b((?:hasync|process|python)_\w+)\s*\{")
SCHEMA = jsonschema.Draft7Validator(json.loads(Path(__file__).with_name("dashboard.schema.json").read_text()))

PANELS = [(dashboard, panel) for dashboard in DASHBOARDS for panel in dashboard.json()["panels"]]
DRAWN = [(dashboard, panel) for dashboard, panel in PANELS if panel["type"] != "row"]


def name_of(value: Any) -> str:
    return value.uid if isinstance(value, Dashboard) else value["title"]


def expressions(dashboard: Dashboard) -> Iterator[str]:
    document = dashboard.json()
    for panel in document["panels"]:
        yield from (target["expr"] for target in panel.get("targets", []))
    yield from (note["expr"] for note in document["annotations"]["list"])


def test_committed_dashboards_are_the_generators() -> None:
    """``make dashboards`` brings them up to date; the chart ships exactly these."""
    assert {path: path.read_text() for path in FOLDER.glob("*.json")} == dict(files())


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=name_of)
def test_dashboard_can_be_provisioned(dashboard: Dashboard) -> None:
    """No id of one Grafana, a fixed uid, read-only, and a data source that is chosen."""
    document = json.loads(json.dumps(dashboard.json()))
    assert document["id"] is None
    assert re.fullmatch(r"hasync-\w+", document["uid"])
    assert document["editable"] is False
    assert document["schemaVersion"] == 41
    assert [variable["name"] for variable in document["templating"]["list"]] == [
        *("datasource", "namespace", "job", "stream", "pod")
    ]
    several = {variable["name"] for variable in document["templating"]["list"] if variable["multi"]}
    assert several >= {"namespace", "job", "pod"}
    assert ("stream" in several) == dashboard.several


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=name_of)
def test_panels_lie_side_by_side(dashboard: Dashboard) -> None:
    """Nothing overlaps, nothing sticks out, and every line is filled to its end."""
    places: dict[tuple[int, int], str] = {}
    for panel in dashboard.json()["panels"]:
        grid = panel["gridPos"]
        assert grid["x"] + grid["w"] <= COLUMNS
        for cell in (
            (x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])
        ):
            assert cell not in places, f"{panel['title']} lies on {places[cell]}"
            places[cell] = panel["title"]
    assert len(places) == COLUMNS * (max(y for _, y in places) + 1)


@pytest.mark.parametrize(("dashboard", "panel"), DRAWN, ids=name_of)
def test_panel_explains_itself(dashboard: Dashboard, panel: dict[str, Any]) -> None:
    """A title, a sentence, a unit, and queries against the chosen data source."""
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["targets"]
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    for one in (panel, *panel["targets"]):
        assert one["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=name_of)
def test_panels_have_different_titles(dashboard: Dashboard) -> None:
    """Somebody who says "look at Lag" means one panel."""
    titles = [panel["title"] for panel in dashboard.json()["panels"] if panel["type"] != "row"]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=name_of)
def test_windows_follow_the_scrape_interval(dashboard: Dashboard) -> None:
    """A fixed window is empty where Prometheus scrapes more rarely."""
    windows = {window for expr in expressions(dashboard) for window in re.findall(r"\[([^]]+)\]", expr)}
    assert windows <= {"$__rate_interval", "$__range"}


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=name_of)
def test_queries_name_what_there_is_and_choose(dashboard: Dashboard) -> None:
    """Every metric exists, and each is narrowed by all variables that it has labels for."""
    for expr in expressions(dashboard):
        for name, selector in re.findall(r"\b((?:hasync|process|python)_\w+)\{([^}]*)\}", expr):
            family = FAMILIES.get(name) or FAMILIES.get(SUFFIX.sub("", name))
            assert family or name in FOREIGN, name
            chosen = {"namespace", "job", *(("stream",) if family and "stream" in family.labels else ())}
            assert all(f'{label}=~"${label}"' in selector for label in chosen), expr
        bare = set(re.findall(r"\bhasync_\w+(?![\w{])", expr)) - {"hasync_state"}
        assert bare == set(), expr


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=name_of)
def test_counters_are_shown_as_rates_only(dashboard: Dashboard) -> None:
    """A raw counter says how old the process is; a gauge's rate says nothing."""
    for expr in expressions(dashboard):
        for found in NAME.finditer(expr):
            family = FAMILIES.get(found[1]) or FAMILIES.get(SUFFIX.sub("", found[1]))
            counts = (family.kind in {Kind.COUNTER, Kind.HISTOGRAM}) if family else found[1].endswith("_total")
            assert bool(re.search(r"(rate|increase)\(\s*$", expr[: found.start()])) == counts, expr


def test_every_metric_of_use_is_on_a_panel() -> None:
    """A metric that no panel and no alert shows is either useless or forgotten."""
    shown = {
        SUFFIX.sub("", name)
        for dashboard in DASHBOARDS
        for expr in expressions(dashboard)
        for name in NAME.findall(expr)
    }
    assert len(shown & set(FAMILIES)) > 35


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=name_of)
def test_dashboard_is_what_grafana_declares(dashboard: Dashboard) -> None:
    """Grafana's own types, as a JSON schema, take the whole document."""
    assert [error.message for error in SCHEMA.iter_errors(dashboard.json())] == []


def test_schema_finds_faults() -> None:
    """A place that is no number, and an unknown kind of link, do not pass."""
    document = DASHBOARDS[0].json()
    document["panels"][0]["gridPos"]["x"] = "left"
    document["links"][0]["type"] = "elsewhere"
    assert len(list(SCHEMA.iter_errors(document))) >= 2
