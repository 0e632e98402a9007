"""The alerts: rules that Prometheus takes, tested both ways, and each with a runbook that can be followed."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from hasync.metrics.families import families
from monitoring.prometheus import tool
from monitoring.rules import RUNBOOKS, Alert, alerts, rule_files, rules_of
from tests.docs.commandlines import command_lines, fault_of
from tests.docs.pages import Page

CASES = Path(__file__).with_name("rules")
ALERTS = list(alerts())
SECTIONS = ["Meaning", "Impact", "First look", "Causes and remedies", "When to escalate"]
SUFFIX = re.compile(r"_(bucket|sum|count)$")


def promtool(*words: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([tool("promtool"), *words], capture_output=True, text=True, check=False)


def cases_of(alert: Alert) -> list[dict[str, Any]]:
    document = yaml.safe_load((CASES / f"{alert.name}.yml").read_text())
    return [case for test in document["tests"] for case in test["alert_rule_test"]]


def test_prometheus_takes_every_rule() -> None:
    """No duplicate, no unknown field, nothing that promtool's linter dislikes."""
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", *rule_files())
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", sorted(CASES.glob("*.yml")), ids=lambda path: path.stem)
def test_rules_do_as_told(path: Path) -> None:
    """Each alert fires when it should, with these words, and is silent when it should be."""
    done = promtool("test", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_alert_is_tested_firing_and_silent(alert: Alert) -> None:
    """A rule that never fires, or always, would pass one half of its test."""
    fires = [bool(case["exp_alerts"]) for case in cases_of(alert) if case["alertname"] == alert.name]
    assert set(fires) == {True, False}


def test_waiting_longer_is_noticed(tmp_path: Path) -> None:
    """A ``for`` of five minutes breaks the promise that a dead leader is alerted within one."""
    [alert] = [alert for alert in ALERTS if alert.name == "HasyncNoLeader"]
    slow = tmp_path / alert.path.name
    slow.write_text(alert.path.read_text().replace("for: 30s", "for: 5m"))
    case = (CASES / alert.path.name).read_text()
    (tmp_path / "case.yml").write_text(re.sub(r"rule_files: .*", f"rule_files: [{slow.name}]", case))
    done = promtool("test", "rules", tmp_path / "case.yml")
    assert done.returncode != 0
    assert "within a minute" in done.stdout + done.stderr


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_alert_is_complete(alert: Alert) -> None:
    """One alert a file of its name, with a severity, sentences, and its runbook's place."""
    assert alert.path.stem == alert.name
    assert re.fullmatch(r"Hasync[A-Z]\w+", alert.name)
    assert alert.severity in {"critical", "warning", "info"}
    assert alert.summary.endswith(".")
    assert len(alert.summary) <= 100
    assert alert.description.endswith(".")
    assert alert.runbook_url == f"docs/runbooks/{alert.name}.md"


def test_rules_name_metrics_that_exist() -> None:
    """A renamed metric would leave an alert that never fires."""
    known = {family.full_name for family in families()}
    named = {
        name for path in rule_files() for rule in rules_of(path) for name in re.findall(r"\bhasync_\w+", rule["expr"])
    }
    assert {name for name in named if name not in known and SUFFIX.sub("", name) not in known} - {
        "hasync_state"
    } == set()


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_alert_has_a_runbook_of_fixed_shape(alert: Alert) -> None:
    """Whoever is woken finds the same sections in the same place, and commands to begin with."""
    page = Page(path=RUNBOOKS / f"{alert.name}.md")
    assert re.findall(r"^## (.*)$", page.text, re.MULTILINE) == SECTIONS
    assert page.text.startswith(f"# {alert.name}\n")
    assert f"Severity **{alert.severity}**" in page.text
    assert f"after {alert.wait}." in page.text if alert.wait else "at once." in page.text
    assert len(page.blocks_of("sh")) == 1


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_runbooks_commands_exist(alert: Alert) -> None:
    """A command that is not understood helps nobody at night."""
    page = Page(path=RUNBOOKS / f"{alert.name}.md")
    lines = list(command_lines(page))
    assert lines or "curl" in page.text
    assert [(where, fault) for where, line in lines if (fault := fault_of(line))] == []


def test_every_runbook_has_its_alert() -> None:
    """A runbook of an alert that is gone misleads."""
    assert {path.stem for path in RUNBOOKS.glob("Hasync*.md")} == {alert.name for alert in ALERTS}
