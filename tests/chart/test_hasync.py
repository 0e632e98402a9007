"""What the chart renders, hasync itself accepts: settings, documents, command lines, paths of probes."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner

from hasync import __version__
from hasync.cli.app import app
from hasync.model import config
from hasync.settings import Settings, load
from tests.chart.helm import VALUES, Helm, Object, containers, pod_specs, the
from tests.chart.values import CHART, ROOT

OWN_SETTINGS = [name for name in VALUES if name != "configmap-existing"]
UsageError = typer.BadParameter.__mro__[1]
DEPLOYMENTS = {"full": "sync"}
IMAGE = dict(re.findall(r"(HASYNC_\w+)=(\S+)", (ROOT / "Dockerfile").read_text(encoding="utf-8")))


def instance(objects: list[Object], values: str) -> Object:
    """Return the container of an instance."""
    pod = pod_specs(objects)[f"Deployment/{DEPLOYMENTS.get(values, 'rel-hasync')}"]
    return next(one for one in pod["containers"] if one["name"] == "hasync")


def settings_of(objects: list[Object], values: str, folder: Path) -> Settings:
    """Read the settings as an instance would: its variables, and the file that they name."""
    name = DEPLOYMENTS.get(values, "rel-hasync")
    (folder / "settings.yaml").write_text(the(objects, "ConfigMap", name)["data"]["settings.yaml"])
    given = {"metadata.name": f"{name}-5d8f7c9b6-x2x4z", "status.podIP": "10.1.2.3"}
    environ = {
        one["name"]: one.get("value") or given[one["valueFrom"]["fieldRef"]["fieldPath"]]
        for one in instance(objects, values)["env"]
        if one["name"].startswith("HASYNC_") and "secretKeyRef" not in one.get("valueFrom", {})
    }
    assert environ["HASYNC_SETTINGS_FILE"] == "/etc/hasync/settings/settings.yaml"
    return load(IMAGE | environ | {"HASYNC_SETTINGS_FILE": str(folder / "settings.yaml")}, hostname="pod")


@pytest.mark.parametrize("values", OWN_SETTINGS)
def test_settings_load(helm4: Helm, values: str, tmp_path: Path) -> None:
    """An instance takes the ConfigMap, is called like its pod, and is found at the pod's address."""
    objects = helm4.objects(values=values)
    settings = settings_of(objects, values, tmp_path)
    container = instance(objects, values)
    assert settings.require_streams()
    assert re.fullmatch(r"(rel-hasync|sync)-5d8f7c9b6-x2x4z", settings.member_id)
    assert settings.http.address("pod", settings.http.port) == f"10.1.2.3:{container['ports'][0]['containerPort']}"
    pod = pod_specs(objects)[f"Deployment/{DEPLOYMENTS.get(values, 'rel-hasync')}"]
    assert pod["terminationGracePeriodSeconds"] >= settings.shutdown_timeout_s + 10


def test_settings_win_over_the_image_s_own(helm4: Helm, tmp_path: Path) -> None:
    """The image listens on all IPv4 addresses by a variable, which a file alone could not change."""
    objects = helm4.objects("--set", "config.http.host=::", values="minimal")
    assert settings_of(objects, "minimal", tmp_path).http.host == "::"
    assert settings_of(helm4.objects(values="minimal"), "minimal", tmp_path).http.host == "0.0.0.0"  # noqa: S104


@pytest.mark.parametrize("values", OWN_SETTINGS)
def test_files_that_settings_and_documents_name_are_mounted(helm4: Helm, values: str, tmp_path: Path) -> None:
    """Each secret and certificate is below a mount; one of the chart's own Secret is among its keys."""
    objects = helm4.objects(values=values)
    texts = [text for one in objects if one["kind"] == "ConfigMap" for text in one.get("data", {}).values()]
    named = {path for text in texts for path in re.findall(r"/etc/hasync/(?:secrets|auth|tls)[\w./-]+", text)}
    mounts = {mount["mountPath"] for mount in instance(objects, values)["volumeMounts"]}
    assert all(any(path.startswith(f"{mount}/") for mount in mounts) for path in named)
    for secret in [one for one in objects if one["kind"] == "Secret"]:
        files = {Path(path).name for path in named if path.startswith("/etc/hasync/secrets/")}
        assert files <= set(secret["data"])


@pytest.mark.parametrize("values", VALUES)
def test_documents_are_valid(helm4: Helm, values: str, tmp_path: Path) -> None:
    """`hasync config validate` takes each stream's document."""
    for name, text in documents(helm4.objects(values=values)).items():
        (tmp_path / name).write_text(text)
        result = CliRunner().invoke(app, ["config", "validate", str(tmp_path / name)])
        assert result.exit_code == 0, result.output


def documents(objects: list[Object]) -> dict[str, str]:
    """Return the streams' documents by file."""
    maps = [one["data"] for one in objects if one["kind"] == "ConfigMap" and one["metadata"]["name"].endswith("-setup")]
    return {name: text for data in maps for name, text in data.items() if name != "settings.yaml"}


def test_documents_get_the_servers_that_all_share(helm4: Helm) -> None:
    """A map gets what it does not say itself; a text is kept to the letter."""
    found = documents(helm4.objects(values="tls"))["orders.yaml"]
    stream = config.parse(found)
    assert [str(host) for host in stream.source.hosts] == ["mysql-0:3306", "mysql-1:3306"]
    assert str(stream.source.password) == "file:/etc/hasync/auth/mysql/password"
    assert stream.source.tls is not None
    assert (stream.source.tls.ca, stream.source.tls.verify) == ("/etc/hasync/tls/mysql/ca.crt", "full")
    assert (stream.redis.username, stream.redis.url) == ("hasync", "rediss://redis:6379/0")
    own = config.parse(documents(helm4.objects(values="secrets-existing"))["users.yaml"])
    assert (own.source.user, str(own.source.password)) == ("reader", "file:/etc/hasync/secrets/mysql-b-password")
    text = yaml.safe_load(VALUES["other"].read_text())["streams"]["orders"]
    assert documents(helm4.objects(values="other"))["orders.yaml"].rstrip() == text.rstrip()


def test_tables_as_text_keep_their_order_and_braces(helm4: Helm) -> None:
    """Rules count in document order, and YAML maps pass through helm sorted: a text is what keeps it."""
    found = documents(helm4.objects(values="full"))
    assert "{{literal}} {action}" in found["Audit_2.yaml"]
    stream = config.parse(found["orders.yaml"])
    assert (stream.batch.max_rows, stream.batch.max_bytes) == (1000, 1_048_576)


@pytest.mark.parametrize("values", VALUES)
def test_command_lines_are_those_of_this_release(helm4: Helm, values: str) -> None:
    """The parser of the command line takes the words of each container, with their values."""
    seen = set()
    for pod in pod_specs(helm4.objects(values=values)).values():
        for container in containers(pod):
            if "hasync" in container["image"] and "demo" not in container["image"]:
                seen.add(parsed_command(container["args"]))
    assert "hasync run" in seen
    assert seen <= {"hasync run", "hasync init-zk", "hasync config apply", "hasync doctor"}


def parsed_command(words: list[str]) -> str:
    """Return the command that words mean. Raises UsageError for what the parser does not know."""
    command: Any = typer.main.get_command(app)
    context = command.make_context("hasync", list(words), obj=None)
    path = "hasync"
    while hasattr(command, "resolve_command"):
        name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        path = f"{path} {name}"
        context = command.make_context(name, rest, parent=context)
    return path


def test_parser_of_command_lines_refuses_what_is_unknown() -> None:
    """The check itself is not blind."""
    for words in (["runs"], ["doctor", "--wait-leaders", "60s"], ["config", "apply"], ["--timeout", "soon", "doctor"]):
        with pytest.raises(UsageError):
            parsed_command(words)


def test_chart_is_of_this_release() -> None:
    """AppVersion is the version that the code says; the chart's own follows it."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == __version__
    assert chart["name"] == "hasync"


def test_probes_ask_paths_that_the_instance_serves(helm4: Helm) -> None:
    """Liveness never looks at a server; readiness does; both are paths of the admin port."""
    container = instance(helm4.objects(values="minimal"), "minimal")
    paths = {name: container[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert paths == {"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"}
    assert {container[name]["httpGet"]["port"] for name in paths} == {"http"}
    router = (ROOT / "hasync/http/router.py").read_text()
    assert all(f'"{path}"' in router for path in paths.values())


def test_demo_s_tables_are_those_of_its_schema(helm4: Helm) -> None:
    """The try-out's stream follows tables that its MySQL makes, under the account that it makes."""
    objects = helm4.objects(values="demo-pinned")
    schema = the(objects, "ConfigMap", "-demo-mysql")["data"]["schema.sql"]
    stream = config.parse(documents(objects)["shop.yaml"])
    assert all(f"CREATE TABLE {table} " in schema for table in stream.tables)
    assert f"TO '{stream.source.user}'@'%'" in schema
    services = {one["metadata"]["name"] for one in objects if one["kind"] == "Service"}
    assert {host.host for host in stream.source.hosts} <= services
    assert stream.redis.url == "redis://rel-hasync-demo-redis:6379/0"
    mysql = pod_specs(objects)["Deployment/rel-hasync-demo-mysql"]["containers"][0]
    assert {"name": "MYSQL_USER", "value": stream.source.user} in mysql["env"]
    password = next(one for one in mysql["env"] if one["name"] == "MYSQL_PASSWORD")["valueFrom"]["secretKeyRef"]
    assert str(stream.source.password) == f"file:/etc/hasync/secrets/{password['key']}"
    assert password["key"] in the(objects, "Secret")["data"]
