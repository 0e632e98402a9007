"""Dockerfile and Compose file: what they set is what the code reads. No Docker engine is needed."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from hasync.model import config
from hasync.settings import Settings, load

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
INSTANCES = [name for name in COMPOSE["services"] if name.startswith("hasync-")]


def settings_of(service: str) -> Settings:
    definition = COMPOSE["services"][service]
    image = dict(re.findall(r"(HASYNC_\w+)=(\S+)", DOCKERFILE))
    return load(image | definition["environment"], hostname=definition.get("hostname", service))


@pytest.mark.parametrize("service", [*INSTANCES, "config"])
def test_compose_gives_instances_valid_settings(service: str) -> None:
    """A renamed setting would stop every container at its start."""
    settings = settings_of(service)
    assert settings.require_streams() == ("shop",)
    assert settings.zookeeper.hosts == ("zookeeper:2181",)
    assert settings.http.host == "0.0.0.0"  # noqa: S104 - inside a container


def test_compose_runs_three_distinct_instances() -> None:
    """Three contenders with names of their own, so that one may die."""
    assert len(INSTANCES) == 3
    assert len({settings_of(service).member_id for service in INSTANCES}) == 3
    published = {port for service in INSTANCES for port in COMPOSE["services"][service]["ports"]}
    assert published == {f"127.0.0.1:{9187 + number}:9187" for number in range(3)}


def test_compose_stores_a_valid_config_for_the_stream_that_runs() -> None:
    """The config that ``config apply`` stores is one, and its secret is where the instances look for it."""
    stream = config.parse(COMPOSE["configs"]["stream"]["content"])
    assert COMPOSE["services"]["config"]["command"] == ["config", "apply", "/etc/hasync/shop.yaml", "--stream", "shop"]
    assert stream.source.password is not None
    assert all(stream.source.password.name in COMPOSE["services"][name]["environment"] for name in INSTANCES)
    assert {str(host) for host in stream.source.hosts} == {"mysql:3306"}
    schema = COMPOSE["configs"]["schema"]["content"]
    assert all(f"CREATE TABLE {table} " in schema for table in stream.tables)


def test_compose_gives_time_to_hand_over() -> None:
    """Killed before its shutdown time is over, a leader would leave the takeover to the session timeout."""
    for service in INSTANCES:
        grace_s = float(COMPOSE["services"][service]["stop_grace_period"].removesuffix("s"))
        assert grace_s > settings_of(service).shutdown_timeout_s


def test_compose_refers_only_to_what_it_defines() -> None:
    """Each dependency is a service, with a health check or an end; each volume and config is defined."""
    services = COMPOSE["services"]
    for definition in services.values():
        for name, how in definition.get("depends_on", {}).items():
            ends = how["condition"] == "service_completed_successfully"
            assert ends or "test" in services[name]["healthcheck"]
        assert {entry["source"] for entry in definition.get("configs", [])} <= set(COMPOSE["configs"])
        assert {entry.split(":")[0] for entry in definition.get("volumes", [])} <= set(COMPOSE["volumes"])


def test_compose_puts_no_config_file_into_a_read_only_container() -> None:
    """Compose copies inline configs into the container, which fails on a read-only root (docker/compose#12031)."""
    assert not [
        name for name, service in COMPOSE["services"].items() if service.get("read_only") and "configs" in service
    ]


def test_image_runs_unprivileged_and_holds_no_build_tools() -> None:
    """The final stage starts from the plain slim image and ends as a numbered user."""
    final = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]
    assert re.search(r"^USER 10001:10001$", final, re.MULTILINE)
    assert not re.search(r"apt-get|pip install|gcc|build-essential", final)
    assert re.search(r"^STOPSIGNAL SIGTERM$", final, re.MULTILINE)


def test_image_holds_what_it_copies() -> None:
    """Everything that the Dockerfile copies exists and is let through by .dockerignore."""
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE):
        for source in sources.split():
            assert (ROOT / source).exists()
            assert source in allowed
