"""A slow installation says so itself, before somebody measures it."""

import io
import json
from typing import Any

from prometheus_client import CollectorRegistry

from hasync.clock import SystemClock
from hasync.logs import open_log
from hasync.metrics import Metrics
from hasync.worker.installation import report_codec


def reported(*, compiled: bool) -> tuple[float | None, list[dict[str, Any]]]:
    """Return the metric and the lines of an instance that starts."""
    out, clock, registry = io.BytesIO(), SystemClock(), CollectorRegistry()
    report_codec(
        Metrics(registry, clock), open_log(level="info", as_json=True, out=out, clock=clock), compiled=compiled
    )
    return registry.get_sample_value("hasync_codec_compiled"), [
        json.loads(line) for line in out.getvalue().splitlines()
    ]


def test_uncompiled_codec_is_one_warning_with_its_remedy() -> None:
    """Whoever reads the log learns what to install."""
    metric, (line,) = reported(compiled=False)
    assert (metric, line["level"], line["event"]) == (0, "warning", "uncompiled")
    assert "gcc" in line["hint"]


def test_compiled_codec_is_silent() -> None:
    """What is as it should be is a metric only."""
    assert reported(compiled=True) == (1, [])
