"""The shape of the Prometheus operator's objects (monitoring.coreos.com/v1), as far as the chart may use them."""

from typing import Any, Final

_UNITS: Final = ("y", "w", "d", "h", "m", "s", "ms")
DURATION: Final = {"type": "string", "pattern": f"^(0|{''.join(f'([0-9]+{unit})?' for unit in _UNITS)})$"}
TEXT: Final = {"type": "string"}
TEXTS: Final = {"type": "array", "items": TEXT}
LABELS: Final = {"type": "object", "additionalProperties": TEXT}


def _closed(required: str = "", **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "required": required.split(),
    }


RELABELING: Final = _closed(
    sourceLabels=TEXTS,
    separator=TEXT,
    targetLabel=TEXT,
    regex=TEXT,
    modulus={"type": "integer"},
    replacement=TEXT,
    action={"enum": ["replace", "keep", "drop", "hashmod", "labelmap", "labeldrop", "labelkeep"]},
)
ENDPOINT: Final = _closed(
    "port",
    port=TEXT,
    path=TEXT,
    scheme={"enum": ["http", "https"]},
    interval=DURATION,
    scrapeTimeout=DURATION,
    honorLabels={"type": "boolean"},
    relabelings={"type": "array", "items": RELABELING},
    metricRelabelings={"type": "array", "items": RELABELING},
)
SELECTOR: Final = _closed(matchLabels=LABELS, matchExpressions={"type": "array"})
NAMESPACES: Final = _closed(any={"type": "boolean"}, matchNames=TEXTS)
RULE: Final = _closed(
    "expr",
    alert=TEXT,
    record=TEXT,
    expr={"type": ["string", "integer"]},
    **{"for": DURATION, "keep_firing_for": DURATION},
    labels=LABELS,
    annotations=LABELS,
)
RULES: Final = {"type": "array", "items": RULE, "minItems": 1}
GROUP: Final = _closed("name rules", name=TEXT, interval=DURATION, rules=RULES)

SPECS: Final[dict[str, dict[str, Any]]] = {
    "ServiceMonitor": _closed(
        "selector endpoints",
        jobLabel=TEXT,
        targetLabels=TEXTS,
        podTargetLabels=TEXTS,
        selector=SELECTOR,
        namespaceSelector=NAMESPACES,
        endpoints={"type": "array", "items": ENDPOINT, "minItems": 1},
    ),
    "PodMonitor": _closed(
        "selector podMetricsEndpoints",
        jobLabel=TEXT,
        podTargetLabels=TEXTS,
        selector=SELECTOR,
        namespaceSelector=NAMESPACES,
        podMetricsEndpoints={"type": "array", "items": ENDPOINT, "minItems": 1},
    ),
    "PrometheusRule": _closed("groups", groups={"type": "array", "items": GROUP, "minItems": 1}),
}


def schema(kind: str) -> dict[str, Any]:
    """Return the schema of one of the operator's objects. Raises KeyError for another kind."""
    return _closed(
        "apiVersion kind metadata spec",
        apiVersion={"const": "monitoring.coreos.com/v1"},
        kind={"const": kind},
        metadata=_closed("name labels", name=TEXT, namespace=TEXT, labels=LABELS, annotations=LABELS),
        spec=SPECS[kind],
    )
