"""A throw-away Prometheus with hasync's rules, and its programs."""

import http.client
import json
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from monitoring.rules import rule_files
from testbed import MissingError, Server
from testbed.trees import program
from testbed.workdirs import cache

TREE: Final = "prometheus-tree-1"
"""scripts/tools/prometheus.sh unpacks it under this name."""

ASKED_WITHIN_S: Final = 10.0


def tool(name: str) -> Path:
    """Return ``prometheus`` or ``promtool``. Raises MissingError."""
    unpacked = cache() / TREE / "usr/bin" / name
    if unpacked.exists():
        return unpacked
    try:
        return program(name)
    except MissingError as missing:
        raise MissingError(f"{name} (scripts/tools/prometheus.sh brings it)") from missing


class Prometheus(Server):
    """Scrapes instances every second, and evaluates all of hasync's rules as often."""

    def __init__(self, workdir: Path, *, targets: Mapping[str, str]) -> None:
        """``targets``: pod name to address."""
        super().__init__(workdir, name="prometheus")
        self._targets = targets

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{self.address}"

    def _prepare(self) -> None:
        labels = [
            {"targets": [address], "labels": {"namespace": "demo", "pod": pod}}
            for pod, address in self._targets.items()
        ]
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(path) for path in rule_files()],
            "scrape_configs": [{"job_name": "hasync", "static_configs": labels}],
        }
        (self.directory / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")

    def _command(self) -> list[str]:
        return [
            str(tool("prometheus")),
            f"--config.file={self.directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.directory / 'data'}",
            f"--web.listen-address={self.address}",
            "--log.level=warn",
        ]

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=1) as answer:
                return bool(answer.status == http.client.OK)
        except (OSError, http.client.HTTPException):
            return False

    def ask(self, path: str, **parameters: str | float) -> Any:
        """Return the data of an answer of the HTTP API. Raises OSError for a refused query."""
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=ASKED_WITHIN_S) as answer:
            return json.load(answer)["data"]

    def series(self, expr: str, *, start: float, end: float, step_s: float) -> Sequence[Any]:
        """Return what an expression was over a time."""
        found: Sequence[Any] = self.ask("query_range", query=expr, start=start, end=end, step=step_s)["result"]
        return found

    def now(self, expr: str, at: float) -> Sequence[Any]:
        """Return what an expression is at a moment."""
        found: Sequence[Any] = self.ask("query", query=expr, time=at)["result"]
        return found
