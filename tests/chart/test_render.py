"""What the chart renders from every value file, with both versions of helm, for every Kubernetes."""

import re
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from hasync import __version__
from tests.chart.conftest import FULL
from tests.chart.helm import VALUES, Helm, Object, containers, parsed, pod_specs, the
from tests.chart.operator import SPECS, schema
from tests.chart.security import unrestricted
from tests.chart.values import CHART

Show = Callable[[str, str], None]

RELEASES = [f"1.{minor}" for minor in range(29, 38)]
TRIED = RELEASES if FULL else RELEASES[:: len(RELEASES) - 1]
"""In `make test` the oldest and the newest; all in `make chart`."""


@pytest.mark.parametrize("values", ["", *VALUES])
def test_lint_finds_nothing(helm: Helm, values: str, show: Show) -> None:
    """`helm lint --strict` is content, also without any value."""
    helm("lint", "--strict", "--quiet", str(CHART), *(["-f", str(VALUES[values])] if values else []))
    show("lint --strict", "1 value files")


@pytest.mark.parametrize("values", VALUES)
def test_objects_are_valid_for_each_kubernetes(helm4: Helm, values: str, show: Show) -> None:
    """Each object is as its schema says, with no field that is unknown; a kind without a schema is an error."""
    for release in TRIED:
        objects = helm4.objects(values=values, version=f"{release}.0")
        for one in objects:
            _validate(one, release)
        show(f"template, valid for Kubernetes {release}", f"{len(objects)} objects")


def _validate(one: Object, release: str) -> None:
    if one["apiVersion"].startswith("monitoring.coreos.com/"):
        jsonschema.Draft7Validator(schema(one["kind"])).validate(one)
    else:
        kubernetes_validate.validate(one, release, strict=True)


@pytest.mark.parametrize("kind", SPECS)
def test_shape_of_the_operator_s_objects_is_closed(kind: str) -> None:
    """The check itself finds a field that is misspelt, and one that is missing."""
    broken = {"apiVersion": "monitoring.coreos.com/v1", "kind": kind, "metadata": {"name": "a", "labels": {}}}
    for spec in ({}, {"endpoint": []}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft7Validator(schema(kind)).validate(broken | {"spec": spec})


@pytest.mark.parametrize("values", VALUES)
def test_both_versions_of_helm_render_the_same(helm4: Helm, values: str) -> None:
    """Nothing depends on the version of helm but the order of objects and empty lines."""
    older = Helm(helm4.program.with_name("helm3"), helm4.home)

    def by_name(objects: list[Object]) -> dict[tuple[str, str], Object]:
        return {(one["kind"], one["metadata"]["name"]): one for one in objects}

    newer = by_name(helm4.objects(values=values))
    assert newer == by_name(older.objects(values=values))
    assert newer


@pytest.mark.parametrize("values", VALUES)
def test_pods_are_restricted(helm4: Helm, values: str, show: Show) -> None:
    """Pod Security "restricted", a read-only root with a /tmp, no token, no variables of other people's Services."""
    pods = pod_specs(helm4.objects(values=values))
    assert {name: unrestricted(pod) for name, pod in pods.items()} == {name: [] for name in pods}
    for pod in pods.values():
        assert pod["automountServiceAccountToken"] is (values == "other")
        assert pod["enableServiceLinks"] is False
        for container in containers(pod):
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            if container["name"] not in {"wait", "logs"}:
                assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}  # noqa: S108 - theirs
    show("Pod Security restricted, read-only root", f"{len(pods)} pods")


def test_check_of_restricted_pods_finds_each_fault(helm4: Helm) -> None:
    """The check itself is not blind: each rule is broken once."""
    faults: list[dict[str, Any]] = [
        {"hostNetwork": True},
        {"securityContext": {"runAsNonRoot": True}},
        {"securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}},
        {"volumes": [{"name": "a", "hostPath": {"path": "/"}}]},
        {"containers": [{"name": "a", "securityContext": {"allowPrivilegeEscalation": True}}]},
        {"containers": [{"name": "a", "securityContext": {"allowPrivilegeEscalation": False}}]},
    ]
    pod = pod_specs(helm4.objects(values="minimal"))["Deployment/rel-hasync"]
    assert all(unrestricted(pod | fault) for fault in faults)


@pytest.mark.parametrize("values", VALUES)
def test_volumes_that_are_mounted_are_there(helm4: Helm, values: str) -> None:
    """Each mount has its volume, each volume is mounted, and each ConfigMap of the release is made by it."""
    objects = helm4.objects(values=values)
    made = {(one["kind"], one["metadata"]["name"]) for one in objects}
    for pod in pod_specs(objects).values():
        mounted = {mount["name"] for container in containers(pod) for mount in container.get("volumeMounts", [])}
        assert mounted == {volume["name"] for volume in pod["volumes"]}
        names = [volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume]
        assert all(("ConfigMap", name) in made for name in names if name.startswith(("rel-hasync", "sync")))


@pytest.mark.parametrize("values", VALUES)
def test_selectors_find_instances_and_nothing_else(helm4: Helm, values: str) -> None:
    """Service, PodDisruptionBudget and spreading mean instances; pods of Jobs and of the demo do not count."""
    objects = helm4.objects(values=values)
    templates = [one["spec"]["template"]["metadata"]["labels"] for one in objects if "template" in one.get("spec", {})]
    for selector in _selectors(objects):
        hit = [labels for labels in templates if selector.items() <= labels.items()]
        assert len(hit) == 1, selector
    deployment = next(one for one in objects if _is_instances(one))
    assert "helm.sh/chart" not in deployment["spec"]["template"]["metadata"]["labels"]


def _is_instances(one: Object) -> bool:
    return one["kind"] == "Deployment" and "-demo-" not in one["metadata"]["name"]


def _selectors(objects: list[Object]) -> Iterator[dict[str, str]]:
    for one in objects:
        match one["kind"]:
            case "Service":
                yield one["spec"]["selector"]
            case "Deployment" | "PodDisruptionBudget" | "PodMonitor":
                yield one["spec"]["selector"]["matchLabels"]
            case _:
                continue


@pytest.mark.parametrize("values", VALUES)
def test_names_and_labels_fit(helm4: Helm, values: str) -> None:
    """A release with a long name has no name and no label above 63 characters, and no two objects of one name."""
    name = "a-release-with-a-name-as-long-as-helm-allows-it-to-be"
    assert len(name) == 53
    objects = helm4.objects(values=values, name=name)
    keys = [(one["kind"], one["metadata"]["name"]) for one in objects]
    assert len(set(keys)) == len(keys)
    assert max(len(key[1]) for key in keys) <= 63
    labels = [value for one in objects for value in one["metadata"].get("labels", {}).values()]
    assert max(map(len, labels)) <= 63


@pytest.mark.parametrize("values", VALUES)
def test_objects_are_in_the_namespace_and_labelled(helm4: Helm, values: str) -> None:
    """No object depends on where kubectl happens to look; all carry who made them."""
    for one in helm4.objects("--namespace", "here", values=values):
        metadata = one["metadata"]
        assert metadata["namespace"] in {"here", "data", "monitoring"}
        if not metadata["name"].endswith(("-handlers", "-text")):  # extraObjects are as they are given
            assert metadata["labels"]["app.kubernetes.io/managed-by"] == "Helm"
            assert metadata["labels"]["helm.sh/chart"] == f"hasync-{__version__}"


def test_secrets_are_in_secrets_only(helm4: Helm) -> None:
    """No value of a secret is in a ConfigMap, a pod, an annotation or the notes; all are in the Secrets."""
    objects = helm4.objects(values="secrets-inline")
    canary = re.compile("canary-7f3a")
    assert not canary.search(yaml.safe_dump([one for one in objects if one["kind"] != "Secret"]))
    secret = the(objects, "Secret", "rel-hasync")
    assert set(secret["data"]) == {
        "admin-token",
        "mysql-b-password",
        "mysql-password",
        "redis-password",
        "zookeeper-auth",
    }
    assert the(objects, "Secret", "-setup")["data"] == secret["data"]


def test_existing_secret_is_mounted_and_none_is_made(helm4: Helm) -> None:
    """With existingSecret the chart makes none; its name may hold a template."""
    objects = helm4.objects(values="secrets-existing")
    assert not [one for one in objects if one["kind"] == "Secret"]
    for pod in pod_specs(objects).values():
        (volume,) = [one for one in pod["volumes"] if one["name"] == "secrets"]
        assert volume["secret"] == {"secretName": "rel-credentials", "defaultMode": 0o440}


def test_rollout_never_takes_an_instance_before_a_new_one_is_ready(helm4: Helm) -> None:
    """One more than wanted, never one less; and longer than the hand-over takes before a pod is killed."""
    spec = the(helm4.objects(values="minimal"), "Deployment")["spec"]
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    assert (spec["replicas"], spec["minReadySeconds"]) == (3, 10)
    pod = spec["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] == 45
    assert {one["topologyKey"] for one in pod["topologySpreadConstraints"]} == {
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    }
    assert {one["whenUnsatisfiable"] for one in pod["topologySpreadConstraints"]} == {"ScheduleAnyway"}


def test_settings_restart_instances_and_documents_do_not(helm4: Helm) -> None:
    """The pods' checksum follows the settings only: a document takes effect without a restart."""

    def checksum(*words: str) -> str:
        template = the(helm4.objects(*words, values="minimal"), "Deployment")["spec"]["template"]
        return str(template["metadata"]["annotations"]["checksum/config"])

    before = checksum()
    assert checksum("--set", "config.log.level=debug") != before
    assert checksum("--set", "streams.orders.batch.max_rows=7") == before
    assert checksum("--set", "existingSecret=other") == before


@pytest.mark.parametrize(("replicas", "budgets"), [(0, 0), (1, 0), (2, 1), (5, 1)])
def test_budget_is_made_for_two_instances_or_more(helm4: Helm, replicas: int, budgets: int) -> None:
    """A budget over one instance would only hold up every drained node."""
    objects = helm4.objects("--set", f"replicaCount={replicas}", values="minimal")
    assert [one["kind"] for one in objects].count("PodDisruptionBudget") == budgets


def test_network_policy_lets_out_what_is_needed_and_nothing_else(helm4: Helm) -> None:
    """DNS, other instances, and the three servers; in comes only the admin port."""
    policy = the(helm4.objects(values="tls"), "NetworkPolicy")["spec"]
    ports = [{port["port"] for port in rule["ports"]} for rule in policy["egress"]]
    assert ports == [{53}, {9187}, {2281}, {3306}, {6379}]
    assert [{port["port"] for port in rule["ports"]} for rule in policy["ingress"]] == [{9187}]
    full = the(helm4.objects(values="full"), "NetworkPolicy")["spec"]
    assert all("to" in rule for rule in full["egress"][:4])
    senders = full["ingress"][0]["from"]
    assert [list(one) for one in senders] == [["namespaceSelector"], ["podSelector"]]  # what values say, and themselves
    assert set(senders[1]["podSelector"]["matchLabels"]) == {"app.kubernetes.io/name", "app.kubernetes.io/instance"}
    assert not [one for one in helm4.objects(values="minimal") if one["kind"] == "NetworkPolicy"]


def test_network_policy_follows_the_ports_of_the_servers(helm4: Helm) -> None:
    """A port that only the address names would be shut in silence, and look like a server that is down."""
    url = r"redis+sentinel://[::1]:26379\,s2:26380/main/0"
    words = ("--set", "networkPolicy.enabled=true", "--set", "zookeeper.hosts={zk:2281}", "--set", f"redis.url={url}")
    policy = the(helm4.objects(*words, "--set", "mysql.hosts={db:3307,db2:3307}", values="minimal"), "NetworkPolicy")
    ports = [[port["port"] for port in rule["ports"]] for rule in policy["spec"]["egress"][2:]]
    assert ports == [[2181, 2281], [3306, 3307], [6379, 26379, 26380]]


def test_values_reach_the_pod(helm4: Helm) -> None:
    """Scheduling, registry, variables, volumes and containers are where they belong, templates rendered."""
    spec = the(helm4.objects(values="full"), "Deployment")["spec"]
    pod = spec["template"]["spec"]
    instance = next(one for one in pod["containers"] if one["name"] == "hasync")
    assert instance["image"].startswith("registry.example.com/tools/hasync@sha256:0123")
    assert instance["args"] == ["run", "--supervisor"]
    assert {"name": "TZ", "value": '"9500"'} in instance["env"]
    assert pod["imagePullSecrets"] == [{"name": "registry"}]
    assert (pod["priorityClassName"], pod["runtimeClassName"], pod["nodeSelector"]) == (
        "high",
        "gvisor",
        {"kubernetes.io/os": "linux"},
    )
    assert pod["tolerations"][0]["key"] == "dedicated"
    assert "podAntiAffinity" in pod["affinity"]
    assert pod["topologySpreadConstraints"][0]["whenUnsatisfiable"] == "DoNotSchedule"
    assert [one["name"] for one in containers(pod)] == ["wait", "hasync", "logs"]
    assert {"name": "handlers", "configMap": {"name": "rel-handlers"}} in pod["volumes"]
    assert spec["template"]["metadata"]["annotations"]["example.com/release"] == "rel"


def test_image_is_the_chart_s_release_unless_told_otherwise(helm4: Helm) -> None:
    """A tag wins over the release, a digest over the tag."""

    def image(*words: str) -> str:
        pod = pod_specs(helm4.objects(*words, values="minimal"))["Deployment/rel-hasync"]
        return str(pod["containers"][0]["image"])

    digest = "sha256:" + "0" * 64
    assert image() == f"hasync:{__version__}"
    assert image("--set", "image.tag=2.0", "--set", "image.registry=r.test:5000") == "r.test:5000/hasync:2.0"
    assert image("--set", "image.tag=2.0", "--set", f"image.digest={digest}") == f"hasync@{digest}"


def test_package_holds_what_is_rendered_and_no_tests(helm: Helm, tmp_path: Path) -> None:
    """What is published renders as the folder does: rules and schema are in it, the tests' values are not."""
    helm("package", str(CHART), "--destination", str(tmp_path))
    (package,) = tmp_path.glob("hasync-*.tgz")
    with tarfile.open(package) as archive:
        names = {name.removeprefix("hasync/") for name in archive.getnames()}
    assert {"values.schema.json", "README.md", "files/demo/schema.sql"} <= names
    assert any(name.startswith("files/rules/") for name in names)
    assert not [name for name in names if name.startswith("ci/")]
    words = ["rel", "--set", "demo.enabled=true,metrics.prometheusRule.enabled=true,metrics.dashboards.enabled=true"]
    assert parsed(helm("template", *words[:1], str(package), *words[1:])) == parsed(
        helm("template", *words[:1], str(CHART), *words[1:])
    )


def test_setup_is_a_hook_unless_the_servers_come_with_the_release(helm4: Helm) -> None:
    """With the demo ZooKeeper starts with the release, so a hook in front of it would wait for ever."""
    hook = the(helm4.objects(values="minimal"), "Job", "-setup")["metadata"]["annotations"]
    assert hook["helm.sh/hook"] == "pre-install,pre-upgrade,pre-rollback"
    assert "helm.sh/hook" not in _setup_job(helm4)["metadata"].get("annotations", {})


def _setup_job(helm: Helm, *words: str) -> Object:
    objects = helm.objects(*words, values="demo")
    return next(one for one in objects if one["kind"] == "Job" and "-setup-" in one["metadata"]["name"])


def test_job_that_is_no_hook_has_another_name_for_other_work(helm4: Helm) -> None:
    """A Job cannot be changed: what it does is in its name."""
    before = _setup_job(helm4)
    assert _setup_job(helm4, "--set", "metrics.podMonitor.enabled=true") == before
    for value in ("config.log.level=debug", "image.tag=v2", "extraEnv[0].name=A", "commonLabels.a=b"):
        assert _setup_job(helm4, "--set", value)["metadata"]["name"] != before["metadata"]["name"]


def test_hook_mounts_only_what_is_there_before_the_release(helm4: Helm) -> None:
    """On a first install the hook runs before the release's ConfigMap, Secret and account exist."""
    for values in ("minimal", "secrets-inline", "tls"):
        objects = helm4.objects(values=values)
        hooks = {one["metadata"]["name"] for one in objects if "helm.sh/hook" in one["metadata"].get("annotations", {})}
        pod = pod_specs(objects)["Job/rel-hasync-setup"]
        assert "serviceAccountName" not in pod
        needed = [volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume]
        needed += [volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume]
        made = {one["metadata"]["name"] for one in objects}
        assert {name for name in needed if name in made} <= hooks
