"""Real servers, real instances, and the command line in processes of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from testbed import Redis, wait_until
from testbed.sql import SqlServer
from testbed.zookeeper import ZooKeeper

ROOT = Path(__file__).parents[3]
DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One stream of its own on servers that several tests share: schema, Redis keys and znodes have its name."""

    name: str
    directory: Path
    database: SqlServer
    redis: Redis
    zookeeper: ZooKeeper
    environ: Mapping[str, str] = field(default_factory=dict)

    def variables(self) -> dict[str, str]:
        """Return the environment of an instance or a command, without the caller's own settings."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("HASYNC_")}
        return {
            **inherited,
            "SOURCE_PASSWORD": self.database.reader_password,
            "HASYNC_STREAMS": self.name,
            "HASYNC_ZOOKEEPER__HOSTS": self.zookeeper.hosts,
            "HASYNC_ZOOKEEPER__ROOT": f"/{self.name}",
            "HASYNC_ZOOKEEPER__SESSION_TIMEOUT_S": "4",
            "HASYNC_HTTP__PORT": "0",
            "HASYNC_LOG__FORMAT": "json",
            **self.environ,
        }

    def document(self, value: str = "{name}") -> str:
        """Return a config that keeps ``users`` in Redis."""
        return (
            "version: 1\n"
            f'source: {{hosts: ["{self.database.address}"], user: {self.database.reader_user},'
            ' password: "env:SOURCE_PASSWORD", start: earliest}\n'
            f'redis: {{url: "redis://{self.redis.address}/0"}}\n'
            "tables:\n"
            f"  {self.name}.users:\n"
            f'    - {{set: {{key: "{self.name}:user:{{id}}", value: "{value}"}}}}\n'
        )

    def file(self, document: str | None = None) -> str:
        """Write a document, the usual one for None, and return its path."""
        path = self.directory / "stream.yaml"
        path.write_text(document or self.document())
        return str(path)

    # --------------------------------------------------------------------------- commands

    def run(self, *words: str, **settings: Any) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-P", "-m", "hasync", *words],
            env={**self.variables(), **settings.pop("environ", {})},
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
            stdin=subprocess.DEVNULL,
            **settings,
        )

    def done(self, *words: str) -> str:
        """Run a command that must succeed, and return what it printed."""
        finished = self.run(*words)
        assert finished.returncode == 0, f"{words}: {finished.stdout}{finished.stderr}"
        return finished.stdout

    def data(self, *words: str) -> Any:
        """Run a command that must succeed with ``-o json``, and return its data."""
        return json.loads(self.done(*words, "-o", "json"))

    def status(self) -> Any:
        """Return the stream's part of ``hasync status``, whatever its exit code."""
        finished = self.run("status", "-o", "json")
        assert finished.returncode in {0, 3}, finished.stderr
        (stream,) = json.loads(finished.stdout)["streams"]
        return stream

    # -------------------------------------------------------------------------- instances

    @contextmanager
    def instance(self, member: str) -> Iterator["subprocess.Popen[bytes]"]:
        """Run an instance for the time of a ``with``; its log lies in the directory."""
        with (self.directory / f"{member}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "hasync", "run"],
                env={**self.variables(), "HASYNC_MEMBER_ID": member},
                stderr=log,
                stdout=log,
                stdin=subprocess.DEVNULL,
            )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    # ------------------------------------------------------------------------------- data

    def value(self, number: int) -> bytes | None:
        """Return what Redis holds for a user."""
        found: bytes | None = self.redis.command("GET", f"{self.name}:user:{number}")
        return found

    def wait_for_value(self, number: int, value: bytes | None) -> None:
        """Wait until Redis holds it."""
        wait_until(f"user {number} is {value!r}", lambda: self.value(number) == value, timeout_s=DEADLINE_S)
