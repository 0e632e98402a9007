"""The bill of materials names exactly what is pinned, in the form that scanners read."""

import json
import re
import subprocess
import sys
from typing import Any

import pytest

from tests.security.estate import ROOT

RUNTIME = ROOT / "requirements" / "runtime.txt"
PURL = re.compile(r"pkg:pypi/[a-z0-9][a-z0-9-]*@[0-9][A-Za-z0-9.+!-]*")


def printed(requirements: str) -> "subprocess.CompletedProcess[str]":
    """Run the generator."""
    script = str(ROOT / "scripts" / "sbom.py")
    return subprocess.run(
        [sys.executable, script, requirements, str(ROOT / "pyproject.toml")],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def bill() -> Any:
    """The document of the runtime's requirements."""
    return json.loads(printed(str(RUNTIME)).stdout)


def test_every_pinned_package_is_there_with_all_its_hashes(bill: Any) -> None:
    """Nothing is left out, and nothing is added."""
    text = RUNTIME.read_text()
    pinned = {re.sub(r"[-_.]+", "-", name).lower() for name in re.findall(r"^([\w.-]+)==", text, re.MULTILINE)}
    assert {component["name"] for component in bill["components"]} == pinned
    hashes = [found["content"] for component in bill["components"] for found in component["hashes"]]
    assert sorted(hashes) == sorted(re.findall(r"sha256:([0-9a-f]{64})", text))
    assert {"kazoo", "redis", "pymysql", "cryptography"} <= pinned


def test_form_is_cyclonedx(bill: Any) -> None:
    """What CycloneDX 1.6 requires of each part."""
    assert (bill["bomFormat"], bill["specVersion"], bill["version"]) == ("CycloneDX", "1.6", 1)
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", bill["serialNumber"])
    for component in bill["components"]:
        assert component["type"] == "library"
        assert PURL.fullmatch(component["purl"])
        assert {found["alg"] for found in component["hashes"]} == {"SHA-256"}


def test_dependencies_lead_from_hasync_to_every_package(bill: Any) -> None:
    """Each reference is known, unique, and reached from the root."""
    needs = {entry["ref"]: entry["dependsOn"] for entry in bill["dependencies"]}
    root = bill["metadata"]["component"]["bom-ref"]
    references = {component["bom-ref"] for component in bill["components"]}
    assert len(references) == len(bill["components"])
    reached, waiting = set(), [root]
    while waiting:
        reached.add(at := waiting.pop())
        waiting += [each for each in needs[at] if each not in reached]
    assert reached == references | {root}


def test_same_input_gives_the_same_bytes() -> None:
    """A release can be built twice and compared."""
    assert printed(str(RUNTIME)).stdout == printed(str(RUNTIME)).stdout


def test_requirement_without_a_hash_is_refused(tmp_path: Any) -> None:
    """A bill that leaves out what pip would not check is none."""
    loose = tmp_path / "runtime.txt"
    loose.write_text("kazoo==2.11.0\n")
    refused = printed(str(loose))
    assert refused.returncode != 0
    assert "without a hash: kazoo==2.11.0" in refused.stderr
