"""Pods of the chart as processes of this machine: their words, variables and mounts, below a folder in place of /."""

import base64
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from testbed import PortLease, Process
from tests.chart.helm import Ended, Object, containers, pod_specs
from tests.chart.values import ROOT

MOUNTS = "/etc/hasync"


class Node:
    """Runs ``pods``, named by kind and name of their objects. ``extra``: Secrets that are no part of the release."""

    def __init__(self, folder: Path, objects: list[Object], extra: Mapping[str, Mapping[str, str]]) -> None:
        self.pods = pod_specs(objects)
        self._folder = folder
        self._objects = objects
        self._extra = extra

    def run(self, pod: Object, name: str) -> list[Ended]:
        """Run the containers of a Job's pod one after the other, until one fails."""
        ended: list[Ended] = []
        for container in containers(pod):
            command, environ = self._started(pod, container, name, {})
            one = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False)
            ended.append(Ended(one.returncode, one.stdout, one.stderr))
            if one.returncode:
                break
        return ended

    def start(self, pod: Object, name: str, lease: PortLease) -> Process:
        """Start the first container of a pod. Pods share this machine's ports, so each has one of its own."""
        own = {"HASYNC_HTTP__PORT": str(lease.port)}
        command, environ = self._started(pod, pod["containers"][0], name, own)
        process = Process(command, log=self._folder / f"{name}.log", directory=ROOT, environment=environ)
        process.start()
        return process

    def _started(
        self, pod: Object, container: Object, name: str, own: Mapping[str, str]
    ) -> tuple[list[str], dict[str, str]]:
        root = self._folder / name
        self._mount(pod, container, root)
        fields = {"metadata.name": name, "status.podIP": "127.0.0.1"}
        variables = {
            one["name"]: one.get("value") or fields[one["valueFrom"]["fieldRef"]["fieldPath"]]
            for one in container["env"]
        }
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("HASYNC_")}
        environ = {key: _below(root, value) for key, value in variables.items()}
        command = [sys.executable, "-m", "hasync", *(_below(root, word) for word in container["args"])]
        return command, inherited | {"PYTHONPATH": str(ROOT), **environ, **own}

    def _mount(self, pod: Object, container: Object, root: Path) -> None:
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        for mount in container["volumeMounts"]:
            if mount["mountPath"].startswith(MOUNTS):
                folder = Path(_below(root, mount["mountPath"]))
                folder.mkdir(parents=True, exist_ok=True)
                for file, text in self._content(volumes[mount["name"]]).items():
                    (folder / file).write_text(_below(root, text))

    def _content(self, volume: Object) -> Mapping[str, str]:
        """Return the files of a volume. Raises StopIteration when what it needs is not there."""
        if "secret" in volume:
            name = volume["secret"]["secretName"]
            if name in self._extra:
                return self._extra[name]
            data = self._find("Secret", name)["data"]
            return {key: base64.b64decode(value).decode() for key, value in data.items()}
        data = self._find("ConfigMap", volume["configMap"]["name"])["data"]
        wanted = [item["key"] for item in volume["configMap"].get("items", [])]
        return {key: value for key, value in data.items() if not wanted or key in wanted}

    def _find(self, kind: str, name: str) -> Object:
        return next(one for one in self._objects if (one["kind"], one["metadata"]["name"]) == (kind, name))


def _below(root: Path, text: str) -> str:
    return text.replace(MOUNTS, f"{root}{MOUNTS}")
