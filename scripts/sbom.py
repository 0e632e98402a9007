# ruff: noqa: INP001 - a script, not a package
"""Prints a CycloneDX bill of materials of pinned requirements: what pip installs, by the hashes that it checks.

The same input gives the same output, byte by byte: no time, no random number.
"""

import json
import re
import sys
import tomllib
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

SPEC: Final = "1.6"
PIN: Final = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)")
HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")
VIA: Final = re.compile(r"^    #(?: via)?\s+(?!via$)(\S.*)$")
NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "https://cyclonedx.org/bom")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One requirement: its hashes, and who needs it ("-r ..." for hasync itself)."""

    name: str
    version: str
    hashes: tuple[str, ...]
    needed_by: tuple[str, ...]

    @property
    def reference(self) -> str:
        """Its package URL."""
        return f"pkg:pypi/{canonical(self.name)}@{self.version}"

    def component(self) -> dict[str, Any]:
        """Return it as a component; each hash is of one of its distributions."""
        return {
            "type": "library",
            "bom-ref": self.reference,
            "name": canonical(self.name),
            "version": self.version,
            "purl": self.reference,
            "hashes": [{"alg": "SHA-256", "content": content} for content in self.hashes],
        }


def canonical(name: str) -> str:
    """Return a package's name as package URLs have it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(text: str) -> Iterator[Pin]:
    """Read what pip-compile wrote. Raises ValueError for a requirement that is not pinned by a hash."""
    for block in re.split(r"\n(?=[A-Za-z0-9])", text):
        match = PIN.match(block)
        if match is None:
            raise ValueError(f"not pinned: {block.splitlines()[0]}")
        hashes = tuple(HASH.findall(block))
        if not hashes:
            raise ValueError(f"without a hash: {match[0]}")
        needed_by = tuple(found[1] for line in block.splitlines() if (found := VIA.match(line)))
        yield Pin(name=match[1], version=match[2], hashes=hashes, needed_by=needed_by)


def bill(found: Sequence[Pin], version: str) -> dict[str, Any]:
    """Return the document."""
    root = f"pkg:generic/hasync@{version}"
    needs: dict[str, list[str]] = {root: []} | {pin.reference: [] for pin in found}
    references = {canonical(pin.name): pin.reference for pin in found}
    for pin in found:
        for user in pin.needed_by:
            needs[root if user.startswith("-r ") else references[canonical(user)]].append(pin.reference)
    components = [pin.component() for pin in found]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        "serialNumber": f"urn:uuid:{uuid.uuid5(NAMESPACE, json.dumps([version, components]))}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": root,
                "name": "hasync",
                "version": version,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            }
        },
        "components": components,
        "dependencies": [{"ref": ref, "dependsOn": sorted(of)} for ref, of in needs.items()],
    }


def version_of(project: Path) -> str:
    """Return hasync's version: pyproject.toml says in which module it is."""
    module, _, name = tomllib.loads(project.read_text())["tool"]["setuptools"]["dynamic"]["version"]["attr"].rpartition(
        "."
    )
    text = (project.parent / module.replace(".", "/") / "__init__.py").read_text()
    found = re.search(rf'^{name} = "([^"]+)"', text, re.MULTILINE)
    if found is None:
        raise ValueError(f"no version in {module}")
    return found[1]


def main(arguments: Sequence[str]) -> int:
    """Print the document for ``REQUIREMENTS PYPROJECT``."""
    requirements, project = map(Path, arguments)
    document = bill(list(pins(requirements.read_text().strip())), version_of(project))
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
