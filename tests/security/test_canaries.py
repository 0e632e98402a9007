"""Secrets are planted in every place that takes one, and then looked for in everything that hasync gives out."""

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from kazoo.client import KazooClient

from testbed import wait_until, workdir
from tests.security.estate import DEADLINE_S, STREAM, Estate

MARK = "canary"
GUESS = "canary-guess-000000"
PLANTED = {
    "source": "canary-source-5d1c",
    "redis": "canary-redis-88ab",
    "zookeeper": "hasync:canary-zookeeper-a7f0",
    "key": "canary-key-2e90",
    "admin": "canary-admin-token-41c7",
}
PAGES = ("/", "/status", "/metrics", "/livez", "/readyz", "/api/cluster", "/nothing")
MISPLACED = {
    "a literal password": ('password": "file:', 'password": "canary-literal-5512", "was": "file:'),
    "a password in redis.url": ("rediss://", "rediss://user:canary-url-7731@"),
    "a password in redis.url's options": ("/0", "/0?password=canary-option-9a"),
    "a password in source.hosts": ('"hosts": ["', '"hosts": ["root:canary-host-cc12@'),
    "a literal key password": ('key_password": "file:', 'key_password": "canary-seal-d1", "was": "file:'),
    "broken YAML": ('"password"', '"password": "canary-broken-6d'),
}
SETTINGS = {
    "HASYNC_ZOOKEEPER__AUTH": "hasync:canary-setting-90",
    "HASYNC_ZOOKEEPER__TLS__KEY_PASSWORD": "canary-setting-91",
    "HASYNC_HTTP__ADMIN_TOKEN": "canary-setting-92-long-enough",
    "HASYNC_ZOOKEEPER__HOSTS": "hasync:canary-setting-93@zookeeper:2181",
    "HASYNC_ZOOKEEPER__PASSWORD": "canary-setting-94",
}


class Haul:
    """Everything that was given out, by where it came from."""

    def __init__(self) -> None:
        self._texts: list[tuple[str, str]] = []

    def add(self, where: str, text: str | bytes) -> None:
        """Keep one text."""
        self._texts.append((where, text.decode(errors="replace") if isinstance(text, bytes) else text))

    def command(self, estate: Estate, *words: str, **more: str) -> int:
        """Run a command, keep what it says and return its exit code."""
        finished = estate.run(*words, **more)
        self.add(f"hasync {' '.join(words)}", finished.stdout + finished.stderr)
        return finished.returncode

    def findings(self) -> list[str]:
        """Name each place that shows a canary, with what stands around it."""
        pattern = re.compile(rf".{{0,60}}{MARK}.{{0,40}}", re.DOTALL)
        return [f"{where}: {found[0]!r}" for where, text in self._texts for found in pattern.finditer(text)]

    @property
    def size(self) -> int:
        """How many texts were kept."""
        return len(self._texts)


@pytest.fixture(scope="module")
def estate() -> Iterator[Estate]:
    """A deployment whose every secret is a canary, and that logs all it can."""
    with workdir() as place:
        admin = place / "secrets" / "admin"
        settings = {"HASYNC_HTTP__ADMIN_TOKEN": f"file:{admin}", "HASYNC_LOG__LEVEL": "debug"}
        with Estate(place, database="mysql", secrets=PLANTED, settings=settings) as estate:
            yield estate


def walk(client: KazooClient, path: str) -> Iterator[tuple[str, bytes]]:
    """Yield each znode and what it holds."""
    yield path, client.get(path)[0]
    for name in client.get_children(path):
        yield from walk(client, f"{path}/{name}")


def fetch(haul: Haul, url: str, *, body: bytes | None = None, headers: dict[str, str] | None = None) -> None:
    """Ask the admin port, and keep headers and body whatever the status."""
    request = urllib.request.Request(url, data=body, headers=headers or {})  # noqa: S310 - our own
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            haul.add(url, str(answer.headers).encode() + answer.read())
    except urllib.error.HTTPError as refused:
        haul.add(url, str(refused.headers).encode() + refused.read())


def address(estate: Estate) -> str:
    """Return where the instance's admin port is."""

    def listening() -> str | None:
        lines = [json.loads(line) for line in estate.log("a").read_text().splitlines() if line.startswith("{")]
        return next((line["address"] for line in lines if line.get("event") == "started"), None)

    return wait_until("the admin port is open", listening, timeout_s=DEADLINE_S)


def processes(haul: Haul, root: int) -> None:
    """Keep argv and environment of a process and its children, which ``ps`` shows."""
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            parent = re.search(r"^PPid:\s+(\d+)", status.read_text(), re.MULTILINE)
            if int(status.parent.name) == root or (parent and int(parent[1]) == root):
                for name in ("cmdline", "environ"):
                    haul.add(f"/proc/.../{name}", (status.parent / name).read_bytes())
        except OSError:
            continue  # it ended meanwhile


@pytest.mark.timeout(240)
def test_no_secret_is_given_out(estate: Estate) -> None:
    """Through success and failures on real servers: logs, commands, pages, metrics, znodes, argv, environment."""
    haul = Haul()
    estate.deploy()
    with estate.instance("a") as process:
        succeed(estate, haul, process.pid)
        fail(estate, haul)
        for page in PAGES:
            fetch(haul, f"http://{address(estate)}{page}")
    misplace(estate, haul)
    with estate.tree(PLANTED["zookeeper"]) as client:
        for path, data in walk(client, "/hasync"):
            haul.add(path, data)
    for log in estate.place.glob("*.log"):
        haul.add(log.name, log.read_bytes())
    assert haul.size > 50
    assert haul.findings() == []


def succeed(estate: Estate, haul: Haul, pid: int) -> None:
    """Let the stream run, and look at it in all ways there are."""
    estate.write(1, "ann")
    estate.wait_for(1, "ann")
    processes(haul, pid)
    for words in (
        ("status", "-o", "json"),
        ("list",),
        ("doctor", "--stream", STREAM, "-o", "json"),
        ("config", "show", "--stream", STREAM),
        ("config", "history", "--stream", STREAM),
        ("history", "--stream", STREAM),
        ("init-zk",),
        ("pause", "--stream", STREAM, "--wait"),
        ("resume", "--stream", STREAM),
    ):
        haul.command(estate, *words)
    url = f"http://{address(estate)}"
    for page in PAGES:
        fetch(haul, url + page)
    bearer = {"Authorization": f"Bearer {PLANTED['admin']}", "Content-Type": "application/json"}
    fetch(haul, f"{url}/api/streams/{STREAM}/pause", body=b"{}", headers=bearer)
    fetch(haul, f"{url}/api/streams/{STREAM}/resume", body=b"{}", headers=bearer)
    fetch(haul, f"{url}/api/streams/{STREAM}/pause", body=b"{}", headers={"Authorization": f"Bearer {GUESS}"})


def fail(estate: Estate, haul: Haul) -> None:
    """Refuse each login in turn, cut connections, restart a server; look each time."""
    for name, wrong in (("source", "canary-wrong-1"), ("redis", "canary-wrong-2"), ("key", "canary-wrong-3")):
        estate.put(name, wrong)
        haul.command(estate, "doctor", "--stream", STREAM)
        estate.kill_readers()
        estate.admin("CLIENT", "KILL", "USER", "hasync")
        estate.write(2, name)
        haul.command(estate, "status")
        fetch(haul, f"http://{address(estate)}/status")
        estate.put(name, PLANTED[name])
        estate.wait_for(2, name)
    estate.put("zookeeper", "hasync:canary-wrong-4")
    haul.command(estate, "status")
    haul.command(estate, "config", "show", "--stream", STREAM)
    estate.put("zookeeper", "canary-wrong-5")
    haul.command(estate, "status")
    estate.put("zookeeper", PLANTED["zookeeper"])
    estate.redis.restart()
    estate.wait_for(2, "key")


def misplace(estate: Estate, haul: Haul) -> None:
    """Write secrets where none belong; each is refused without being repeated."""
    for what, (there, instead) in MISPLACED.items():
        document = estate.place / "misplaced.yaml"
        changed = estate.document().replace(there, instead, 1)
        assert MARK in changed, what
        document.write_text(changed)
        assert haul.command(estate, "config", "validate", str(document)) != 0, what
        assert haul.command(estate, "config", "diff", "--stream", STREAM, str(document)) != 0, what
    assert haul.command(estate, "config", "apply", "--stream", STREAM, str(document)) != 0
    haul.command(estate, "doctor", "--stream", STREAM, "--config", str(document))
    for name, value in SETTINGS.items():
        assert haul.command(estate, "status", **{name: value}) != 0, name
