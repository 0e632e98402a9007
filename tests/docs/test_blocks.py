"""Every ``sh`` block of the docs is run: a page's blocks in order, in one shell, against what the page says it needs.

A page with such blocks declares, in a comment at its top, ``<!-- run: servers=database,redis,zookeeper -->`` or
``<!-- run: servers=database,redis,zookeeper,instances -->`` (two instances that lead the stream *orders*), or
``<!-- run: no servers -->``, or why it is not run, ``<!-- run: no, needs Kubernetes: see tests/chart -->``. A block
under ``<!-- shows: pattern -->`` is repeated until its output matches.
"""

import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed import Testbed, ZooKeeper, wait_until
from tests.docs.pages import ROOT, Page, pages
from tests.docs.terminal import terminal
from tests.failover.fleet import Backends, Fleet, fleet_on

SEEN_WITHIN_S = 30.0
RUNBOOKS = [page for page in pages() if page.name.startswith("docs/runbooks/") and page.blocks_of("sh")]
SHELL = [page for page in pages() if page.blocks_of("sh") and page not in RUNBOOKS and page.name != "README.md"]
"""The README's have a test of their own (tests/failover/test_readme_tour.py)."""

STAND_INS = r"""
curl() { command curl --fail "${@//http:\/\/a:9187/http://$ADMIN}"; }
mysql() { mariadb -h "${SOURCE%:*}" -P "${SOURCE#*:}" -uroot -proot "$@"; }
pip() { [ "$1" = show ]; }
"""
"""For what a runbook's reader has: an instance at a:9187, a client that knows its server."""

NOT_RUN = re.compile(r"no, \S.{9,}")
RUN = re.compile(r"no servers|servers=database,redis,zookeeper(?P<instances>,instances)?")

SCHEMA = """
CREATE DATABASE cluster;
CREATE TABLE cluster.users (id INT PRIMARY KEY, username VARCHAR(50), email VARCHAR(120));
CREATE TABLE cluster.products (id INT PRIMARY KEY, name VARCHAR(100), price DECIMAL(10, 2), stock INT);
"""
CONFIG = """\
version: 1
source: {{hosts: ["{source}"], user: hasync, password: "env:MYSQL_PASSWORD"}}
redis: {{url: "redis://{redis}/0"}}
tables:
  cluster.users:
    - {{delete: ["user:{{id}}", "user:username:{{old.username}}", "user:email:{{old.email}}"]}}
  cluster.products:
    - {{hash: {{key: "product:{{id}}", fields: [name, price, stock]}}, ttl: 1h}}
"""


@pytest.fixture(scope="module")
def bed() -> Iterator[Testbed]:
    """Servers for all pages; each page has a root, a directory and tables of its own."""
    with Testbed() as bed:
        yield bed


@pytest.fixture(scope="module")
def cluster(bed: Testbed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two instances that lead the stream *orders*, for all pages that ask for them."""
    bed.database.script(SCHEMA)
    with fleet_on(backends_of(bed, tmp_path_factory.mktemp("cluster"))) as fleet:
        fleet.apply(document_of(fleet.backends))
        fleet.start("hasync-0", "hasync-1", HASYNC_DRILLS__ENABLED="true")
        fleet.leader()
        wait_until("both are members", lambda: len(fleet.members()) == 2)
        yield fleet


def backends_of(bed: Testbed, directory: Path) -> Backends:
    assert isinstance(bed.zookeeper, ZooKeeper)
    return Backends(
        database=bed.database,
        redis=bed.redis,
        zookeeper=bed.zookeeper,
        source=bed.database.address,
        sink=bed.redis.address,
        directory=directory,
        root=f"/docs-{uuid.uuid4().hex[:8]}",
    )


def document_of(backends: Backends) -> str:
    return CONFIG.format(source=backends.source, redis=backends.sink)


def variables_of(backends: Backends) -> dict[str, str]:
    """Return what the reader of a page has in the environment."""
    return {
        "PYTHONPATH": str(ROOT),
        "SOURCE": backends.source,
        "REDIS": backends.sink,
        "MYSQL_PASSWORD": backends.database.reader_password,
        "HASYNC_ZOOKEEPER__HOSTS": backends.zookeeper.hosts,
        "HASYNC_ZOOKEEPER__ROOT": backends.root,
        "HASYNC_STREAMS": "orders",
        "HASYNC_HTTP__PORT": "0",
    }


def with_cluster(request: pytest.FixtureRequest, directory: Path) -> dict[str, str]:
    """Put the stream's document where the reader is; return the environment."""
    fleet: Fleet = request.getfixturevalue("cluster")
    (directory / "orders.yaml").write_text(document_of(fleet.backends))
    return variables_of(fleet.backends) | {"ADMIN": fleet.leader().address}


@pytest.mark.parametrize("page", SHELL, ids=lambda page: page.name)
def test_page_says_what_its_blocks_need(page: Page) -> None:
    """A page whose blocks are not run gives the reason."""
    assert page.run is not None, f"{page.name} has sh blocks: declare what they need, see {__name__}"
    assert RUN.fullmatch(page.run) or NOT_RUN.fullmatch(page.run), page.run


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "page", [page for page in SHELL if page.run and RUN.fullmatch(page.run)], ids=lambda page: page.name
)
def test_blocks_of_page_run(page: Page, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """What a reader pastes does what the page says, from the first block to the last."""
    variables = {"PYTHONPATH": str(ROOT)}
    if "instances" in (page.run or ""):
        variables = with_cluster(request, tmp_path)
    elif "servers=" in (page.run or ""):
        variables = variables_of(backends_of(request.getfixturevalue("bed"), tmp_path))
    with terminal(tmp_path, variables) as shell:
        for block in page.blocks_of("sh"):
            if block.shows:
                shell.look(block.text, block.shows, SEEN_WITHIN_S)
            else:
                shell.run(block.text)


@pytest.mark.timeout(300)
def test_first_looks_of_runbooks_run(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Whoever is woken up types the lines of a runbook, and each works: once each, since many runbooks share them."""
    texts = [line for page in RUNBOOKS for block in page.blocks_of("sh") for line in block.text.splitlines()]
    lines = {re.sub(r"\d+", "N", line): line for text in texts if (line := text.partition("  #")[0].strip())}
    with terminal(tmp_path, with_cluster(request, tmp_path)) as shell:
        shell.run(STAND_INS)
        for revision in ("second", "third"):
            shell.run(f"sed -i '2i# {revision}' orders.yaml && hasync config apply orders.yaml")
        for line in lines.values():
            shell.run(line)
