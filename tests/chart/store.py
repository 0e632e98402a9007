"""What a stand-in for the Kubernetes API keeps: objects, their versions, and what happened to them."""

import copy
import threading
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object: its group and version, its name in paths."""

    group: str
    version: str
    name: str
    plural: str
    namespaced: bool = True

    @property
    def api(self) -> str:
        """Return what objects call their apiVersion."""
        return f"{self.group}/{self.version}" if self.group else self.version


KINDS: Final = tuple(
    Kind(*words)
    for words in (
        ("", "v1", "ConfigMap", "configmaps"),
        ("", "v1", "Event", "events"),
        ("", "v1", "Namespace", "namespaces", False),
        ("", "v1", "Pod", "pods"),
        ("", "v1", "Secret", "secrets"),
        ("", "v1", "Service", "services"),
        ("", "v1", "ServiceAccount", "serviceaccounts"),
        ("apps", "v1", "Deployment", "deployments"),
        ("apps", "v1", "ReplicaSet", "replicasets"),
        ("batch", "v1", "Job", "jobs"),
        ("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets"),
        ("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
        ("monitoring.coreos.com", "v1", "ServiceMonitor", "servicemonitors"),
        ("monitoring.coreos.com", "v1", "PodMonitor", "podmonitors"),
        ("monitoring.coreos.com", "v1", "PrometheusRule", "prometheusrules"),
    )
)


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """Where an object is; ``namespace`` is empty for one that belongs to none."""

    kind: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to an object: ADDED, MODIFIED or DELETED."""

    number: int
    what: str
    key: Key
    content: Object


@dataclass(slots=True)
class Store:
    """Objects by their keys. Safe from any thread.

    Nothing is scheduled: a Job is done, or has failed, as soon as it is there, and a
    Deployment has all its pods. ``failing``: names of Jobs that fail.
    """

    failing: set[str] = field(default_factory=set)
    objects: dict[Key, Object] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def number(self) -> int:
        """Return the number of the last change."""
        return len(self.changes) + 1

    def get(self, key: Key) -> Object | None:
        """Return a copy of an object."""
        with self.changed:
            return copy.deepcopy(self.objects.get(key))

    def put(self, key: Key, content: Object, kind: Kind, *, dry: bool = False) -> Object:
        """Keep an object under its key, with what a server adds to it; return that."""
        with self.changed:
            before = self.objects.get(key)
            kept = _served(content, before, kind, self.number + 1, key, failing=self.failing)
            if not dry:
                self.objects[key] = kept
                self._note("MODIFIED" if before else "ADDED", key, kept)
                if kind.name == "Deployment":
                    replica_set = _replica_set(kept)
                    self.objects[Key("ReplicaSet", key.namespace, key.name)] = replica_set
            return copy.deepcopy(kept)

    def delete(self, key: Key) -> None:
        """Forget an object."""
        with self.changed:
            self._note("DELETED", key, self.objects.pop(key))
            if key.kind == "Deployment":
                self.objects.pop(Key("ReplicaSet", key.namespace, key.name), None)

    def _note(self, what: str, key: Key, content: Object) -> None:
        self.changes.append(Change(self.number + 1, what, key, copy.deepcopy(content)))
        self.changed.notify_all()

    def find(self, kind: str, namespace: str = "", query: Mapping[str, str] | None = None) -> list[Object]:
        """Return the objects of a kind that a query's selectors want."""
        with self.changed:
            found = [content for key, content in sorted(self.objects.items()) if key.kind == kind]
            return [copy.deepcopy(one) for one in found if wanted(one, namespace, query or {})]

    def follow(self, after: int, within_s: float) -> Iterator[Change]:
        """Yield changes later than one, as they come; end after a while without one."""
        at = after
        while True:
            with self.changed:
                news = self._later(at)
                if not news and (not self.changed.wait(within_s) or not (news := self._later(at))):
                    return
            at = news[-1].number
            yield from news

    def _later(self, number: int) -> list[Change]:
        return [change for change in self.changes if change.number > number]

    def created(self, kind: str) -> list[str]:
        """Return the names of all objects of a kind that were ever made, in that order."""
        return [change.key.name for change in self.changes if change.key.kind == kind and change.what == "ADDED"]


def wanted(content: Object, namespace: str, query: Mapping[str, str]) -> bool:
    """Whether an object is in the namespace, and matches the selectors of a query."""
    metadata = content["metadata"]
    if namespace and metadata.get("namespace") != namespace:
        return False
    fields = {"metadata.name": metadata["name"], "metadata.namespace": metadata.get("namespace", "")}
    return _matches(query.get("labelSelector", ""), metadata.get("labels") or {}) and _matches(
        query.get("fieldSelector", ""), fields
    )


def _matches(selector: str, values: Mapping[str, str]) -> bool:
    for term in filter(None, selector.split(",")):
        name, equals, value = term.replace("==", "=").partition("=")
        if name.endswith("!"):
            matching = values.get(name[:-1]) != value
        else:
            matching = values.get(name) == value if equals else name in values
        if not matching:
            return False
    return True


def _served(content: Object, before: Object | None, kind: Kind, number: int, key: Key, *, failing: set[str]) -> Object:
    kept = copy.deepcopy(content)
    old = before["metadata"] if before else {}
    metadata = kept.setdefault("metadata", {})
    metadata |= {"name": key.name, "resourceVersion": str(number)}
    if key.namespace:
        metadata["namespace"] = key.namespace
    metadata["uid"] = old.get("uid") or str(uuid.uuid4())
    metadata["creationTimestamp"] = old.get("creationTimestamp") or _now()
    same = before is not None and before.get("spec") == kept.get("spec")
    metadata["generation"] = old.get("generation", 0) + (not same)
    kept |= {"apiVersion": kind.api, "kind": kind.name}
    if kind.name == "Service":
        kept["spec"].setdefault("clusterIP", "10.96.0.10")
    status = _status(kept, metadata, failed=key.name in failing)
    return kept | ({"status": status} if status else {})


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _status(content: Object, metadata: Mapping[str, Any], *, failed: bool) -> Object:
    match content["kind"]:
        case "Job" if failed:
            condition = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "it fails"}
            return {"failed": 1, "startTime": _now(), "conditions": [condition]}
        case "Job":
            condition = {"type": "Complete", "status": "True", "reason": "CompletionsReached"}
            return {"succeeded": 1, "startTime": _now(), "completionTime": _now(), "conditions": [condition]}
        case "Deployment":
            pods = content["spec"].get("replicas", 1)
            counts = dict.fromkeys(("replicas", "readyReplicas", "availableReplicas", "updatedReplicas"), pods)
            available = {"type": "Available", "status": "True"}
            progressing = {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}
            return {
                **counts,
                "observedGeneration": metadata["generation"],
                "conditions": [available, progressing],
            }
        case "Namespace":
            return {"phase": "Active"}
        case "PodDisruptionBudget":
            return {"observedGeneration": metadata["generation"], "currentHealthy": 9, "desiredHealthy": 1}
        case _:
            return {}


def _replica_set(deployment: Object) -> Object:
    """Return what a Deployment's controller would have made: helm 3 waits for that, and not for the Deployment."""
    old = deployment["metadata"]
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": old["name"], "uid": old["uid"], "controller": True}
    metadata = {name: old.get(name) for name in ("name", "namespace", "creationTimestamp", "resourceVersion")}
    metadata |= {"uid": f"{old['uid']}-1", "ownerReferences": [owner], "generation": 1}
    metadata["labels"] = deployment["spec"]["template"]["metadata"].get("labels", {})
    replicas = deployment["spec"].get("replicas", 1)
    counts = dict.fromkeys(("replicas", "readyReplicas", "availableReplicas"), replicas)
    spec = {name: deployment["spec"][name] for name in ("selector", "template")} | {"replicas": replicas}
    status = {**counts, "observedGeneration": 1}
    return {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata, "spec": spec, "status": status}
