"""Releases: installed, upgraded, tested, rolled back and uninstalled, into the stand-in for the Kubernetes API."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.chart.apiserver import ApiServer
from tests.chart.conftest import FULL, slow
from tests.chart.helm import VALUES, Helm, Object, parsed
from tests.chart.values import CHART

Show = Callable[[str, str], None]
SERVER_SIDE = {"uid", "creationTimestamp", "resourceVersion", "generation", "managedFields"}
MANAGED_BY = "app.kubernetes.io/managed-by"
HELM_S_OWN = {"meta.helm.sh/release-name", "meta.helm.sh/release-namespace"}


def live(cluster: ApiServer) -> dict[tuple[str, str], Object]:
    """Return the objects of the release as the cluster has them, without what a server adds and helm's records."""
    kept = {}
    for key, content in cluster.store.objects.items():
        if content.get("type") != "helm.sh/release.v1" and key.kind != "ReplicaSet":
            kept[key.kind, key.name] = _plain(copy.deepcopy(content))
    return kept


def rendered(helm: Helm, release: str = "rel") -> dict[tuple[str, str], Object]:
    """Return the objects of the release as helm says they should be."""
    return {(one["kind"], one["metadata"]["name"]): _plain(one) for one in parsed(helm("get", "manifest", release))}


def _plain(content: Object) -> Object:
    metadata = {name: value for name, value in content["metadata"].items() if name not in SERVER_SIDE}
    annotations = {name: value for name, value in metadata.pop("annotations", {}).items() if name not in HELM_S_OWN}
    # helm labels what it did not render itself (extraObjects), and a server gives Services an address.
    metadata["labels"] = {name: value for name, value in metadata.get("labels", {}).items() if name != MANAGED_BY}
    if content["kind"] == "Service" and content["spec"].get("clusterIP") != "None":
        content["spec"].pop("clusterIP", None)
    plain: dict[str, Any] = {name: value for name, value in content.items() if name not in {"metadata", "status"}}
    return plain | {"metadata": metadata | ({"annotations": annotations} if annotations else {})}


def values(*names: str) -> list[str]:
    """Return the options for value files."""
    return [word for name in names for word in ("-f", str(VALUES[name]))]


@pytest.mark.parametrize("name", VALUES if FULL else ["demo"])
def test_release_lives_from_install_to_uninstall(helms: Helm, cluster: ApiServer, name: str, show: Show) -> None:
    """After each step the cluster has just what the release says; in the end it has nothing."""
    wait = [] if name == "full" else ["--wait", "--timeout", "30s"]
    helms("install", "rel", str(CHART), *values(name), *wait)
    show("install", "1 releases")
    first = rendered(helms)
    assert live(cluster) == first
    helms("upgrade", "rel", str(CHART), *values(name), "--set", "port=9400,replicaCount=4", *wait)
    show("upgrade", "1 releases")
    assert live(cluster) == rendered(helms) != first
    helms("rollback", "rel", "1")
    show("rollback", "1 releases")
    assert live(cluster) == rendered(helms) == first
    history = helms("history", "rel")
    assert [line.split("\t")[2].strip() for line in history.splitlines()[1:]] == [
        "superseded",
        "superseded",
        "deployed",
    ]
    show("history", "3 revisions")
    if name != "other":  # it has no test
        helms("test", "rel", "--timeout", "30s")
        show("test", "1 jobs")
    helms("uninstall", "rel")
    show("uninstall", "1 releases")
    assert live(cluster) == {}


@slow
def test_setup_runs_before_everything_and_leaves_nothing(helm: Helm, cluster: ApiServer) -> None:
    """Its own ConfigMap, Secret and Job come first, on each step, and are gone when it has succeeded."""
    helm("install", "rel", str(CHART), *values("secrets-inline"))
    kinds = [change.key for change in cluster.store.changes if change.what == "ADDED"]
    names = [key.name for key in kinds if not key.name.startswith("sh.helm")]
    assert names[:3] == ["rel-hasync-setup"] * 3
    assert "rel-hasync-setup" not in names[3:]
    helm("upgrade", "rel", str(CHART), *values("secrets-inline"))
    helm("rollback", "rel", "1")
    assert cluster.store.created("Job") == ["rel-hasync-setup"] * 3
    assert not cluster.store.find("Job")


@pytest.mark.parametrize("step", ["install", "upgrade"])
def test_refused_document_stops_the_release(helm: Helm, cluster: ApiServer, step: str) -> None:
    """When setup fails no instance is started, and none that runs is replaced."""
    if step == "upgrade":
        helm("install", "rel", str(CHART), *values("minimal"))
    before = cluster.store.find("Deployment")
    cluster.store.failing.add("rel-hasync-setup")
    ended = helm.try_(step, "rel", str(CHART), *values("minimal"), "--set", "replicaCount=9", "--timeout", "20s")
    assert ended.code != 0
    assert "rel-hasync-setup" in ended.error
    assert cluster.store.find("Deployment") == before


@slow
def test_failed_doctor_fails_the_test(helm: Helm, cluster: ApiServer) -> None:
    """`helm test` tells what `hasync doctor` found."""
    helm("install", "rel", str(CHART), *values("minimal"))
    cluster.store.failing.add("rel-hasync-test")
    assert helm.try_("test", "rel", "--timeout", "20s").code != 0


@slow
def test_notes_say_what_to_do_next(helm: Helm, cluster: ApiServer) -> None:
    """Leader, doctor, switchover and tests are named, and warnings where something is missing."""
    said = helm("install", "rel", str(CHART), *values("minimal"), "--namespace", "data", "--create-namespace")
    for words in (
        "hasync status",
        "hasync doctor",
        "hasync switchover orders --wait --yes",
        "helm test rel --namespace data",
    ):
        assert words in said
    assert "WARNING" not in said
    alone = helm("upgrade", "rel", str(CHART), *values("minimal"), "--namespace", "data", "--set", "replicaCount=1")
    assert "WARNING: one instance has nobody to take over" in alone
    inline = helm("install", "b", str(CHART), *values("secrets-inline"))
    assert "existingSecret keeps them out of it" in inline
    assert "canary" not in inline
    demo = helm("install", "c", str(CHART), *values("demo"))
    assert "deploy/c-hasync-demo-mysql" in demo


@slow
def test_two_releases_live_side_by_side(helm: Helm, cluster: ApiServer) -> None:
    """Nothing has a fixed name: a second release in the namespace meets nothing of the first."""
    helm("install", "a", str(CHART), *values("demo"))
    helm("install", "b", str(CHART), *values("demo"))
    helm("uninstall", "a")
    assert live(cluster) == rendered(helm, "b")


def test_stand_in_refuses_what_kubernetes_would(helm: Helm, cluster: ApiServer) -> None:
    """The stand-in holds objects against the schemas: an unknown field is no success here either."""
    wrong = "extraVolumes[0].name=a,extraVolumes[0].hostPth.path=/"
    ended = helm.try_("install", "rel", str(CHART), *values("minimal"), "--set", wrong)
    assert ended.code != 0
    assert "hostPth" in ended.error
