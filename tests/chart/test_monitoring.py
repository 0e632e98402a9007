"""Monitors, rules and dashboards as the chart delivers them."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.helm import CACHE, Helm, Object, the
from tests.chart.values import CHART

RULES = sorted([*(CHART / "files/rules").glob("*.y*ml")])
DASHBOARDS = sorted((CHART / "files/dashboards").glob("*.json"))
ALL = ("--set", "metrics.prometheusRule.enabled=true,metrics.dashboards.enabled=true")


def rules_of(objects: list[Object]) -> list[dict[str, Any]]:
    """Return all rules of the PrometheusRule."""
    found = the(objects, "PrometheusRule")
    return [rule for group in found["spec"]["groups"] for rule in group["rules"]]


def promtool() -> str:
    """Return the program. Skips where there is none."""
    path = f"{CACHE.parent}/prometheus-tree-1/usr/bin{os.pathsep}{os.environ.get('PATH', '')}"
    found = shutil.which("promtool", path=path)
    return found or pytest.skip("there is no promtool: scripts/tools/prometheus.sh says why")


def test_rules_pass_promtool(helm: Helm, tmp_path: Path, show: Callable[[str, str], None]) -> None:
    """What is rendered is what promtool takes: nothing was lost or turned into text on the way."""
    rendered = helm.objects(*ALL, values="minimal")
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": the(rendered, "PrometheusRule")["spec"]["groups"]}))
    ended = subprocess.run([promtool(), "check", "rules", str(file)], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    show("promtool check rules", f"{len(rules_of(rendered))} rules")


def test_each_rule_s_file_is_delivered_as_it_is(helm4: Helm) -> None:
    """Every rule of files/rules is there, word for word: Prometheus' own templates are not rendered by helm."""
    expected = [
        rule
        for path in RULES
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
    ]
    assert rules_of(helm4.objects(*ALL, values="minimal")) == expected


def test_rules_are_left_out_added_and_labelled(helm4: Helm) -> None:
    """excludeRules, additionalRules, additionalLabels and runbookUrlPrefix do what they say; recordings stay."""
    before = rules_of(helm4.objects(*ALL, values="minimal"))
    after = rules_of(helm4.objects(values="full"))
    names = [rule.get("alert") for rule in after]
    assert "HasyncCodecUncompiled" not in names
    assert names[-1] == "Mine"
    assert len(after) == len(before)
    for rule in after[:-1]:
        if "alert" in rule:
            assert rule["labels"]["team"] == "data"
            assert rule["annotations"]["runbook_url"] == f"https://runbooks.example.com/hasync/{rule['alert']}.md"
        else:
            assert "team" not in rule.get("labels", {})


def test_rules_can_be_those_of_the_user_alone(helm4: Helm) -> None:
    """With no rule at all there is no object: an empty group would be refused."""
    excluded = ",".join(f"metrics.prometheusRule.excludeRules[{at}]={name}" for at, name in enumerate(names_of_rules()))
    objects = helm4.objects(*ALL, "--set", excluded, values="minimal")
    assert not [one for one in objects if one["kind"] == "PrometheusRule"]


def names_of_rules() -> list[str]:
    """Return the names of all alerts and recordings of files/rules."""
    groups = [group for path in RULES for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]]
    return [rule.get("alert") or rule["record"] for group in groups for rule in group["rules"]]


def test_monitors_find_the_port(helm4: Helm) -> None:
    """Both monitors scrape the named port; the ServiceMonitor's selector meets the Service, and only that."""
    objects = helm4.objects(values="full")
    services = [one for one in objects if one["kind"] == "Service"]
    monitor, pods = the(objects, "ServiceMonitor"), the(objects, "PodMonitor")
    selector = monitor["spec"]["selector"]["matchLabels"]
    found = [one for one in services if selector.items() <= one["metadata"]["labels"].items()]
    assert len(found) == 1
    assert found[0]["spec"]["clusterIP"] == "None"
    assert found[0]["spec"]["ports"][0]["name"] == monitor["spec"]["endpoints"][0]["port"] == "http"
    assert monitor["spec"]["namespaceSelector"] == {"matchNames": ["data"]}
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    assert pods["spec"]["podMetricsEndpoints"][0]["port"] == "http"
    labels = the(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert pods["spec"]["selector"]["matchLabels"].items() <= labels.items()


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)
def test_dashboard_is_delivered_as_it_is(helm4: Helm, path: Path) -> None:
    """Grafana's sidecar finds a ConfigMap by its label, and in it the very JSON of the file."""
    one = the(helm4.objects(*ALL, values="minimal"), "ConfigMap", f"-dashboard-{path.stem.removeprefix('hasync-')}")
    assert one["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert one["metadata"]["annotations"]["grafana_folder"] == "hasync"
    assert json.loads(one["data"][path.name]) == json.loads(path.read_text(encoding="utf-8"))


def test_nothing_for_monitoring_is_made_unasked(helm4: Helm) -> None:
    """Without the operator its kinds do not exist, and an install would fail."""
    kinds = {one["kind"] for one in helm4.objects(values="minimal")}
    assert not kinds & {"ServiceMonitor", "PodMonitor", "PrometheusRule"}
