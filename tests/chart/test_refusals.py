"""What cannot work is refused before anything is installed, with a message that says what to do."""

from pathlib import Path

import pytest
import yaml

from tests.chart.apiserver import ApiServer
from tests.chart.helm import VALUES, Helm
from tests.chart.values import CHART

WRONG = {
    "replicas=3": "additional properties 'replicas' not allowed",
    "config.log.lvl=debug": "additional properties 'lvl' not allowed",
    "mysql.auth.pasword=x": "additional properties 'pasword' not allowed",
    "metrics.serviceMonitor.enable=true": "additional properties 'enable' not allowed",
    "streams.orders.tabels=x": "/streams/orders",
    "streams.or/ders.tables=x": "invalid propertyName 'or/ders'",
    "replicaCount=many": "got string, want integer",
    "port=80": "minimum: got 80, want 1,024",
    "image.digest=sha256:12": "does not match pattern",
    "image.pullPolicy=always": "value must be one of 'Always', 'IfNotPresent', 'Never'",
    "redis.url=http://redis": "does not match pattern",
    "zookeeper.root=hasync": "does not match pattern",
    "config.member_id=a": "additional properties 'member_id' not allowed",
    "config.zookeeper.hosts=a": "additional properties 'hosts' not allowed",
    "terminationGracePeriodSeconds=20": "20 is too short for a hand-over; at least config.shutdown_timeout_s (20) and",
    "zookeeper.auth.enabled=true,existingSecret=": "zookeeper.auth.enabled, but no secret: set existingSecret",
    "zookeeper.tls.enabled=true": "set zookeeper.tls.existingSecret (key ca.crt)",
    "mysql.tls.enabled=true,mysql.tls.certKey=a": "mysql.tls: certKey and keyKey go together",
    "mysql.auth.password=x": "existingSecret and secrets as values: give all by the one or all by the other",
    "zookeeper.hosts=null": "zookeeper.hosts: name the servers of the ensemble",
    "streams=null": "streams: there is none; --set-file streams.orders=orders.yaml",
    "mysql.hosts=null": "streams.orders: no MySQL; set mysql.hosts or streams.orders.source.hosts",
    "redis.url=": "streams.orders: no Redis; set redis.url or streams.orders.redis.url",
    "metrics.serviceMonitor.enabled=true,metrics.service.enabled=false": "serviceMonitor needs metrics.service.enabled",
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_cannot_work_is_refused(helm4: Helm, wrong: str) -> None:
    """The message names the value and, where it is not a typo, the remedy."""
    ended = helm4.try_("template", "rel", str(CHART), "-f", str(VALUES["minimal"]), "--set", wrong)
    assert ended.code != 0
    assert WRONG[wrong] in ended.error, ended.error


def test_typo_is_refused_by_every_command(helms: Helm, cluster: ApiServer) -> None:
    """Lint, template and install all hold the values against the schema, in both versions of helm."""
    words = [str(CHART), "-f", str(VALUES["minimal"]), "--set", "replicas=3"]
    for command in (["lint"], ["template", "rel"], ["install", "rel"]):
        ended = helms.try_(*command, *words)
        assert ended.code != 0
        assert "additional properties 'replicas' not allowed" in ended.error + ended.out
    assert cluster.store.objects == {}


def test_bare_on_is_explained(helm4: Helm, tmp_path: Path) -> None:
    """YAML 1.1 reads the key `on` as true, before the chart sees it; the message says what to write instead."""
    values = yaml.safe_load(VALUES["tls"].read_text())
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values).replace("'on':", "on:"))
    assert " on:" in file.read_text()
    ended = helm4.try_("template", "rel", str(CHART), "-f", str(file))
    assert "YAML reads a bare 'on' as true" in ended.error, ended.error


def test_umbrella_chart_may_pass_its_globals(helm4: Helm) -> None:
    """`global` is there in every sub-chart, so the schema lets it through."""
    assert helm4.objects("--set", "global.imageRegistry=r.example.com", values="minimal")
