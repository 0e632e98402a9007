"""The kinds of panels that hasync's dashboards use, each with one look."""

from collections.abc import Mapping
from typing import Final

from monitoring.elements import Json, Panel, State, Target, meanings, thresholds

PLAIN: Final = thresholds((None, "blue"))
NONE_WANTED: Final = thresholds((None, "green"), (1, "red"))
"""Of things that should not be there at all."""

LAG: Final = thresholds((None, "green"), (10, "yellow"), (60, "orange"), (300, "red"))
DETAILS: Final = "/d/hasync-stream/hasync-stream?${__url_time_range}&var-stream=${__field.labels.stream}"


def stat(
    title: str,
    description: str,
    unit: str,
    expr: str,
    *,
    legend: str = "",
    width: int = 3,
    steps: Json = PLAIN,
    states: Mapping[int, State] | None = None,
    decimals: int | None = None,
) -> Panel:
    """Return one big value; with a ``legend`` its name is what is shown."""
    defaults: Json = {"color": {"mode": "thresholds"}, "thresholds": steps, "mappings": meanings(states or {})}
    if decimals is not None:
        defaults["decimals"] = decimals
    return Panel(
        kind="stat",
        title=title,
        description=description,
        unit=unit,
        targets=(Target(expr, legend, instant=True),),
        width=width,
        height=4,
        defaults=defaults,
        options={
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "textMode": "name" if legend else "value",
            "colorMode": "value",
            "graphMode": "none",
            "justifyMode": "center",
            "orientation": "auto",
            "wideLayout": True,
        },
    )


def series(
    title: str,
    description: str,
    unit: str,
    *targets: tuple[str, str],
    width: int = 8,
    stacked: bool = False,
    steps: bool = False,
    links: bool = False,
    maximum: float | None = None,
) -> Panel:
    """Return lines over time. ``steps``: of values that jump, such as a count of instances."""
    custom: Json = {
        "drawStyle": "line",
        "lineInterpolation": "stepAfter" if steps else "linear",
        "lineWidth": 1,
        "fillOpacity": 25 if stacked else 0 if steps else 6,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
        "axisPlacement": "auto",
        "axisSoftMax": 1 if unit == "short" else 0.001,  # what is 0 all the time lies at the bottom
    }
    defaults: Json = {"color": {"mode": "palette-classic"}, "custom": custom, "min": 0}
    if maximum is not None:
        defaults["max"] = maximum
    if steps and unit == "short":
        defaults["decimals"] = 0
    if links:
        defaults["links"] = [{"title": "This stream in depth", "url": DETAILS, "targetBlank": False}]
    return Panel(
        kind="timeseries",
        title=title,
        description=description,
        unit=unit,
        targets=tuple(Target(expr, legend) for expr, legend in targets),
        width=width,
        defaults=defaults,
        options={
            "legend": {"showLegend": True, "displayMode": "list", "placement": "bottom", "calcs": []},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    )


def timeline(
    title: str, description: str, expr: str, legend: str, states: Mapping[int, State], *, width: int = 12
) -> Panel:
    """Return who was in which state when, one line for each series."""
    return Panel(
        kind="state-timeline",
        title=title,
        description=description,
        unit="none",
        targets=(Target(expr, legend),),
        width=width,
        defaults={
            "color": {"mode": "thresholds"},
            "custom": {"fillOpacity": 85, "lineWidth": 0},
            "mappings": meanings(states),
            "thresholds": thresholds((None, "text")),
        },
        options={
            "alignValue": "left",
            "mergeValues": True,
            "rowHeight": 0.85,
            "showValue": "auto",
            "legend": {"showLegend": False, "displayMode": "list", "placement": "bottom"},
            "tooltip": {"mode": "single", "sort": "none"},
        },
    )


def bars(title: str, description: str, unit: str, expr: str, legend: str, *, width: int = 8) -> Panel:
    """Return one bar for each series, of one value over the whole time shown."""
    return Panel(
        kind="bargauge",
        title=title,
        description=description,
        unit=unit,
        targets=(Target(expr, legend, instant=True),),
        width=width,
        defaults={"color": {"mode": "thresholds"}, "thresholds": PLAIN, "min": 0},
        options={
            "displayMode": "basic",
            "orientation": "horizontal",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "showUnfilled": True,
            "valueMode": "text",
            "namePlacement": "left",
        },
    )


def heatmap(title: str, description: str, unit: str, expr: str, *, width: int = 8) -> Panel:
    """Return how a histogram's buckets fill over time."""
    return Panel(
        kind="heatmap",
        title=title,
        description=description,
        unit="short",
        targets=(Target(expr, "{{le}}", format="heatmap"),),
        width=width,
        options={
            "calculate": False,
            "cellGap": 1,
            "color": {"mode": "scheme", "scheme": "Oranges", "fill": "dark-orange", "steps": 64, "exponent": 0.5},
            "rowsFrame": {"layout": "auto"},
            "showValue": "never",
            "tooltip": {"mode": "single", "yHistogram": False},
            "yAxis": {"unit": unit, "axisPlacement": "left"},
            "legend": {"show": True},
        },
    )


def table(title: str, description: str, columns: Mapping[str, tuple[str, str]], *, by: str, width: int = 24) -> Panel:
    """Return one line for each value of the label ``by``; ``columns``: name to query and unit.

    Of the first column it is the label ``pod`` that is shown, not the value.
    """
    letters = [chr(ord("A") + place) for place in range(len(columns))]
    values = {f"Value #{letter}": name for letter, name in zip(letters, columns, strict=True)}
    first, *_ = values
    overrides = [
        {"matcher": {"id": "byName", "options": name}, "properties": [{"id": "unit", "value": unit}]}
        for name, (_, unit) in columns.items()
    ]
    return Panel(
        kind="table",
        title=title,
        description=description,
        unit="short",
        targets=tuple(Target(expr, "", instant=True, format="table") for expr, _ in columns.values()),
        width=width,
        height=7,
        defaults={"custom": {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": False}},
        options={"showHeader": True, "cellHeight": "sm", "sortBy": [{"displayName": by.capitalize(), "desc": False}]},
        overrides=overrides,
        transformations=[
            {"id": "merge", "options": {}},
            {
                "id": "organize",
                "options": {
                    "excludeByName": {"Time": True, first: True},
                    "indexByName": {by: 0, "pod": 1},
                    "renameByName": values | {"pod": values[first], by: by.capitalize()},
                },
            },
        ],
    )
