"""Kubernetes' Pod Security Standard "restricted", rule by rule (pod-security-standards, v1.34)."""

from collections.abc import Iterator
from typing import Final

from tests.chart.helm import Object, containers

VOLUMES: Final = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image"} | {
    "persistentVolumeClaim",
    "projected",
    "secret",
}
PROFILES: Final = {"RuntimeDefault", "Localhost"}


def unrestricted(pod: Object) -> list[str]:
    """Return what the standard forbids in a pod, in words."""
    return [*_of_pod(pod), *(fault for one in containers(pod) for fault in _of_container(one, pod))]


def _of_pod(pod: Object) -> Iterator[str]:
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(name):
            yield name
    for volume in pod.get("volumes", []):
        if kinds := set(volume) - {"name"} - VOLUMES:
            yield f"volume {volume['name']}: {', '.join(sorted(kinds))}"
    context = pod.get("securityContext", {})
    if context.get("sysctls"):
        yield "sysctls"


def _of_container(container: Object, pod: Object) -> list[str]:
    own = container.get("securityContext", {})
    both = pod.get("securityContext", {}) | own
    capabilities = own.get("capabilities", {})
    probes = (container.get(probe, {}) for probe in ("startupProbe", "livenessProbe", "readinessProbe"))
    kept: dict[str, bool] = {
        "runAsNonRoot": both.get("runAsNonRoot") is True,
        "runAsUser 0": both.get("runAsUser") != 0,
        "seccompProfile": both.get("seccompProfile", {}).get("type") in PROFILES,
        "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is False,
        "privileged": not own.get("privileged"),
        "capabilities dropped": "ALL" in capabilities.get("drop", []),
        "capabilities added": set(capabilities.get("add", [])) <= {"NET_BIND_SERVICE"},
        "procMount": own.get("procMount", "Default") == "Default",
        "hostPort": not any(port.get("hostPort") for port in container.get("ports", [])),
        "a probe of another host": not any(probe.get("httpGet", {}).get("host") for probe in probes),
    }
    return [f"{container['name']}: {rule}" for rule, good in kept.items() if not good]
