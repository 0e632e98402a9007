"""docs/status-page.md: its commands are run as they stand, and what it lists is what there is."""

import os
import re
import subprocess

import pytest

from tests.browser.stage import TOKEN, Stage
from tests.failover.fleet import ROOT

PAGE = (ROOT / "docs/status-page.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_block_runs_as_it_stands(stage: Stage, block: str) -> None:
    """Each command succeeds against two instances, one of which takes admin actions."""
    environ = {**os.environ, "ADMIN": f"127.0.0.1:{stage.a._lease.port}", "TOKEN": TOKEN}
    told = subprocess.run(["bash", "-euc", block], env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode == 0, told.stderr
    assert '"outcome"' in told.stdout or '"version": 1' in told.stdout


@pytest.mark.parametrize("part", ["streams", "instances"])
def test_fields_are_those_of_the_document(stage: Stage, part: str) -> None:
    """The page's list names every field of an item, and no other."""
    line = next(line for line in PAGE.splitlines() if line.startswith(f"| `{part}[]`"))
    told = line.split("|")[2]
    named = set(re.findall(r"`(\w+)`", re.sub(r"\(`.*?`\)", "", told)))
    assert named == set(stage.view()[part][0])


def test_top_level_fields_are_those_of_the_document(stage: Stage) -> None:
    """So does the list of the document's own fields."""
    named = set(re.findall(r"^\| (`[^|]*`) \|", PAGE[PAGE.index("| `as_of`") :], re.MULTILINE)[:4])
    words = {word for cell in named for word in re.findall(r"`(\w+)(?:\[\])?`", cell)}
    assert words | {"version"} == set(stage.view())
