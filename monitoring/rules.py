"""The alerts that the chart ships, read from their rule files."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parent.parent
RULES: Final = ROOT / "deploy/helm/hasync/files/rules"
RUNBOOKS: Final = ROOT / "docs/runbooks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alerting rule. ``wait``: its ``for``, empty for at once; ``path``: its file."""

    name: str
    expr: str
    wait: str
    severity: str
    summary: str
    description: str
    runbook_url: str
    path: Path


def rule_files() -> list[Path]:
    """Return all rule files, in order."""
    return sorted(RULES.glob("*.yml"))


def alerts() -> Iterator[Alert]:
    """Yield every alert, in the order of its name. Raises KeyError for one that lacks a label or annotation."""
    for path in rule_files():
        for rule in rules_of(path):
            if "alert" in rule:
                yield _alert(rule, path)


def rules_of(path: Path) -> list[dict[str, Any]]:
    """Return the rules of a file, recording ones too."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def _alert(rule: dict[str, Any], path: Path) -> Alert:
    notes = rule["annotations"]
    return Alert(
        name=str(rule["alert"]),
        expr=str(rule["expr"]),
        wait=str(rule.get("for", "")),
        severity=rule["labels"]["severity"],
        summary=notes["summary"],
        description=notes["description"],
        runbook_url=notes["runbook_url"],
        path=path,
    )
