"""The page as it leaves the server: its files, its headers, and its table for browsers without scripts."""

import re
from html.parser import HTMLParser

import pytest

from hasync.fleet.survey import Picture
from hasync.http.page import KINDS, Page
from hasync.http.view import Teller, cluster
from tests.unit.http.stage import STREAM, Bench, Scene

TELLER = Teller(status={"member": "b"}, actions=False, root="/hasync")


def html(scene: Scene, trouble: str = "") -> str:
    return Page().html(cluster(scene.picture(), TELLER, trouble)).body.decode()


def test_page_runs_only_its_own_files(bench: Bench) -> None:
    """Nothing inline and nothing from elsewhere, and the browser is told to hold it to that."""
    answer = bench.ask("/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    text = answer.body.decode()
    assert re.findall(r"<script(?![^>]*\bsrc=)", text) == []
    assert re.findall(r"\sstyle=|\son\w+=|<style", text) == []
    assert re.findall(r"(?:src|href)=\"(?:https?:)?//", text) == []


@pytest.mark.parametrize("path", ["/", "/status", "/metrics", "/static/page.css", "/nowhere", "/api/cluster"])
def test_every_answer_carries_the_security_headers(bench: Bench, path: str) -> None:
    """No sniffing, no framing, no referrer."""
    headers = bench.ask(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("name", sorted(KINDS))
def test_file_is_sent_once_and_then_only_confirmed(bench: Bench, name: str) -> None:
    """A browser asks each time and is sent a file again only when it has changed."""
    first = bench.ask(f"/static/{name}")
    assert (first.status, first.headers["content-type"], first.headers["cache-control"]) == (
        200,
        KINDS[name],
        "no-cache",
    )
    again = bench.ask(f"/static/{name}", headers={"If-None-Match": f'W/{first.headers["etag"]}, "x"'})
    assert (again.status, again.body) == (304, b"")
    assert bench.ask(f"/static/{name}", headers={"If-None-Match": '"other"'}).status == 200


@pytest.mark.parametrize("name", ["page.html", "../page.css", "%2e%2e/answers.py", "page.css/", ""])
def test_nothing_but_the_files_can_be_had(bench: Bench, name: str) -> None:
    """The folder is no window into the package."""
    assert bench.ask(f"/static/{name}").status == 404


def test_files_name_every_file_that_the_page_needs() -> None:
    """What the page or a script refers to is served."""
    page = Page()
    texts = [page.html(cluster(None, TELLER)).body.decode()]
    texts += [file.content.decode() for file in (page.file(name) for name in KINDS) if file]
    wanted = {name for text in texts for name in re.findall(r"(?:static/|from \"\./)([\w.]+)", text)}
    assert wanted == set(KINDS)


class Cells(HTMLParser):
    """Collects the texts of table cells."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.inside = False

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.inside = tag == "td"
        if self.inside:
            self.texts.append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside = False

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.texts[-1] += data


def test_browser_without_scripts_gets_a_table(scene: Scene) -> None:
    """Leader, lag and position are in the HTML itself."""
    cells = Cells()
    cells.feed(html(scene))
    assert cells.texts[:7] == [STREAM, "running", "a", "2", "0.2 s", "binlog.000001:700", "1"]
    assert cells.texts[7] == "a"


def test_table_escapes_what_comes_from_outside(scene: Scene) -> None:
    """A reason or a version that looks like markup stays text."""
    scene.tells("a", degraded={"apply": "<script>alert(1)</script>"}, degraded_long=True)
    text = html(scene, trouble="<b>away</b>")
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "Stale: &lt;b&gt;away" in text


def test_table_of_an_empty_cluster_is_a_page_too() -> None:
    """Before the first look there is a page, and it says so."""
    body = Page().html(cluster(None, TELLER, "no view yet")).body
    assert b"As of never" in body
    assert b"<h2>Streams</h2>" in Page().html(cluster(Picture(taken_at=1.0), TELLER)).body
