"""Helm as a program, and what it renders."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tests.chart.values import CHART

CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hasync/helm-tree-1"
VALUES: Final = {path.name.removesuffix("-values.yaml"): path for path in sorted((CHART / "ci").glob("*-values.yaml"))}
"""The value files of the chart's own tests, by name."""

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended."""

    code: int
    out: str
    error: str


@dataclass(frozen=True, slots=True)
class Helm:
    """One version of helm. ``kubeconfig``: where its cluster is; ``home``: where it keeps its own files."""

    program: Path
    home: Path
    kubeconfig: Path | None = None

    def try_(self, *words: str) -> Ended:
        """Run it; return how it ended."""
        environ = {
            "PATH": os.defpath,
            "HOME": str(self.home),
            "KUBECONFIG": str(self.kubeconfig or self.home / "none"),
            "HELM_CACHE_HOME": str(self.home / "cache"),
            "HELM_CONFIG_HOME": str(self.home / "config"),
            "HELM_DATA_HOME": str(self.home / "data"),
        }
        ended = subprocess.run(
            [self.program, *words], env=environ, capture_output=True, text=True, check=False, timeout=120
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    def __call__(self, *words: str) -> str:
        """Run it; return what it wrote. Raises AssertionError with what it complained of."""
        ended = self.try_(*words)
        assert ended.code == 0, f"helm {' '.join(words)}: {ended.error}{ended.out}"
        return ended.out

    def objects(self, *words: str, values: str = "", version: str = "1.34.0", name: str = "rel") -> list[Object]:
        """Render the chart as a release."""
        files = ["-f", str(VALUES[values])] if values else []
        return parsed(_rendered(self, ("template", name, str(CHART), "--kube-version", version, *files, *words)))


_RENDERED: dict[tuple[Path, tuple[str, ...]], str] = {}
"""What was rendered before: the chart does not change while tests run, and most of them look at the same objects."""


def _rendered(helm: Helm, words: tuple[str, ...]) -> str:
    key = (helm.program, words)
    if key not in _RENDERED:
        _RENDERED[key] = helm(*words)
    return _RENDERED[key]


def parsed(text: str) -> list[Object]:
    """Return the objects of a stream of YAML documents."""
    return [one for one in yaml.load_all(text, Loader=yaml.CSafeLoader) if one]  # the other one takes seconds


def the(objects: Sequence[Object], kind: str, ending: str = "") -> Object:
    """Return the one object of a kind whose name ends so. Raises AssertionError for none or several."""
    found = [one for one in objects if one["kind"] == kind and one["metadata"]["name"].endswith(ending)]
    assert len(found) == 1, [(one["kind"], one["metadata"]["name"]) for one in objects]
    return found[0]


def pod_specs(objects: Sequence[Object]) -> dict[str, Object]:
    """Return the pods that objects lead to, by the object's kind and name."""
    return {
        f"{one['kind']}/{one['metadata']['name']}": one["spec"]["template"]["spec"]
        for one in objects
        if one["kind"] in {"Deployment", "Job", "StatefulSet", "DaemonSet"}
    }


def containers(pod: Object) -> list[Object]:
    """Return all containers of a pod, in the order in which they start."""
    return [*pod.get("initContainers", []), *pod["containers"]]
