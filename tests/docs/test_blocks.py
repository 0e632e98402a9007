"""Every ``sh`` block of the docs is run: a page's blocks in order, in one shell, against what the page says it needs.

A page with such blocks declares, in a comment at its top, ``<!-- run: servers=database,redis,zookeeper -->`` or
``<!-- run: servers=database,redis,zookeeper,instances -->`` (two instances that lead the stream *orders*), or
``<!-- run: no servers -->``, or why it is not run, ``<!-- run: no, needs Kubernetes: see tests/chart -->``. A block
under ``<!-- shows: pattern -->`` is repeated until its output matches.
"""

import re
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from testbed import Testbed, ZooKeeper, wait_until
from tests.docs.pages import ROOT, Page, pages
from tests.docs.terminal import terminal
from tests.failover.fleet import Backends, fleet_on

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
CREATE DATABASE shop;
CREATE TABLE shop.users (id INT PRIMARY KEY, username VARCHAR(50), email VARCHAR(120));
CREATE TABLE shop.products (id INT PRIMARY KEY, name VARCHAR(100), price DECIMAL(10, 2), stock INT);
"""
CONFIG = """\
version: 1
source: {{hosts: ["{source}"], user: hasync, password: "env:MYSQL_PASSWORD"}}
redis: {{url: "redis://{redis}/0"}}
tables:
  shop.users:
    - {{delete: ["user:{{id}}", "user:username:{{old.username}}", "user:email:{{old.email}}"]}}
  shop.products:
    - {{hash: {{key: "product:{{id}}", fields: [name, price, stock]}}, ttl: 1h}}
"""


@pytest.fixture(scope="module")
def servers() -> Iterator[Testbed]:
    with Testbed() as bed:
        yield bed


@pytest.fixture
def bed(servers: Testbed) -> Testbed:
    """The servers, as if they were new."""
    servers.redis.command("FLUSHALL")
    kept = {"mysql", "sys", "information_schema", "performance_schema"}
    for (name,) in servers.database.sql("SHOW DATABASES"):
        if name not in kept:
            servers.database.sql(f"DROP DATABASE {name}")
    return servers


@pytest.mark.parametrize("page", SHELL, ids=lambda page: page.name)
def test_page_says_what_its_blocks_need(page: Page) -> None:
    """A page whose blocks are not run gives the reason."""
    assert page.run is not None, f"{page.name} has sh blocks: declare what they need, see {__name__}"
    assert RUN.fullmatch(page.run) or NOT_RUN.fullmatch(page.run), page.run


@pytest.mark.timeout(170)
@pytest.mark.parametrize(
    "page", [page for page in SHELL if page.run and RUN.fullmatch(page.run)], ids=lambda page: page.name
)
def test_blocks_of_page_run(page: Page, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """What a reader pastes does what the page says, from the first block to the last."""
    with ExitStack() as stack:
        variables = {"PYTHONPATH": str(ROOT), "CHECKOUT": str(ROOT)}
        if page.run != "no servers":
            variables |= _prepared(page.run or "", request.getfixturevalue("bed"), tmp_path, stack)
        shell = stack.enter_context(terminal(tmp_path, variables))
        for block in page.blocks_of("sh"):
            if block.shows:
                shell.look(block.text, block.shows, SEEN_WITHIN_S)
            else:
                shell.run(block.text)


@pytest.mark.timeout(170)
def test_first_looks_of_runbooks_run(bed: Testbed, tmp_path: Path) -> None:
    """Whoever is woken up types the lines of a runbook, and each works: once each, since many runbooks share them."""
    lines = {
        line.partition("  #")[0].strip(): None
        for page in RUNBOOKS
        for block in page.blocks_of("sh")
        for line in block.text.splitlines()
        if line.strip()
    }
    with ExitStack() as stack:
        variables = _prepared("instances", bed, tmp_path, stack)
        shell = stack.enter_context(terminal(tmp_path, variables | {"PYTHONPATH": str(ROOT)}))
        shell.run(STAND_INS)
        for revision in (2, 3):
            shell.run(f"sed -i '2i# {revision}' orders.yaml && hasync config apply orders.yaml")
        for line in lines:
            shell.run(line)


def _prepared(needs: str, bed: Testbed, directory: Path, stack: ExitStack) -> dict[str, str]:
    """Prepare what a page needs; return the variables of its reader."""
    assert isinstance(bed.zookeeper, ZooKeeper)
    backends = Backends(
        database=bed.database,
        redis=bed.redis,
        zookeeper=bed.zookeeper,
        source=bed.database.address,
        sink=bed.redis.address,
        directory=directory,
        root=f"/docs-{uuid.uuid4().hex[:8]}",
    )
    admin = ""
    if "instances" in needs:
        bed.database.script(SCHEMA)
        fleet = stack.enter_context(fleet_on(backends))
        document = CONFIG.format(source=backends.source, redis=backends.sink)
        (directory / "orders.yaml").write_text(document)
        fleet.apply(document)
        fleet.start("hasync-0", "hasync-1", HASYNC_DRILLS__ENABLED="true")
        admin = fleet.leader().address
        wait_until("both are members", lambda: len(fleet.members()) == 2)
    return {
        "SOURCE": backends.source,
        "REDIS": backends.sink,
        "MYSQL_PASSWORD": bed.database.reader_password,
        "HASYNC_ZOOKEEPER__HOSTS": backends.zookeeper.hosts,
        "HASYNC_ZOOKEEPER__ROOT": backends.root,
        "HASYNC_STREAMS": "orders",
        "HASYNC_HTTP__PORT": "0",
        "ADMIN": admin,
    }
