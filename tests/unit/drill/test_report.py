"""The report as document, picture, page and comparison."""

import json
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from hasync.drill.comparison import compared
from hasync.drill.findings import Tally
from hasync.drill.page import page
from hasync.drill.picture import picture, takeover, whole
from hasync.drill.report import bundle, thinned
from hasync.drill.verdict import Budgets, Undoing
from hasync.drill.wording import facts
from hasync.model.cluster import TermRecord
from tests.unit.drill.scenes import crash, document, probed

FULL: dict[str, Any] = {
    "tally": Tally(committed=300, lost=0, doubled=0, uncertain=1),
    "terms": (
        TermRecord(epoch=2, member="b", since=1.0, takeover_ms={"claim": 3.2}),
        TermRecord(epoch=1, member="a", since=1.0),
    ),
}


def test_document_is_json_with_the_verdict_on_top() -> None:
    """A script needs one field."""
    made = bundle([document(probed(crash()), **FULL)])
    assert json.loads(json.dumps(made)) == made
    assert made["passed"] is True
    (report,) = made["reports"]
    assert report["seen"]["claimed_ms"] == pytest.approx(30.0)
    assert report["probe"]["committed"] == 300
    assert [term["takeover_ms"] for term in report["terms"]] == [{"claim": 3.2}, {}]


def test_one_broken_budget_fails_the_whole_run() -> None:
    """A plan passes when all its drills do."""
    tight = document(crash(first=10.5), budgets=Budgets(max_gap_s=0.1))
    assert not tight["passed"]
    assert not bundle([document(crash()), tight])["passed"]


def test_page_asks_the_network_for_nothing() -> None:
    """It opens from a mail, in ten years."""
    text = page(bundle([document(probed(crash()), **FULL)]))
    assert "<script" not in text
    assert "href" not in text
    assert "src=" not in text
    assert text.count("<svg") == 2


def test_picture_is_well_formed_and_names_each_moment() -> None:
    """Every step has a flag."""
    report = document(probed(crash(claimed=10.3, first=10.6), gap=(10.0, 10.6)), **FULL)
    near = takeover(report)
    assert near is not None
    words = " ".join(ET.fromstring(picture(report, near, "The takeover")).itertext())  # noqa: S314 - our own
    assert all(word in words for word in ("injected", "noticed", "claimed", "published", "first write", "a, epoch 1"))


def test_names_from_outside_are_escaped() -> None:
    """A member's name cannot become markup."""
    report = document(crash(leader_after="<b>&"))
    text = page(bundle([report]))
    assert "<b>&" not in text
    assert ET.fromstring(picture(report, whole(report), "<x>")).tag  # noqa: S314 - our own


def test_picture_of_a_stream_that_never_wrote_again_is_drawn() -> None:
    """The worst report must not fail to be made."""
    samples = tuple(sample for sample in crash() if sample.at_s <= 10.0 or not hasattr(sample, "seq"))
    report = document(samples, undoing=Undoing(done=False, message="gone", hint="start it"), blind={"Redis": "away"})
    text = page(bundle([report]))
    assert "without an end" in text
    assert "gone; start it" in text
    assert report["gap"]["ms"] is None


def test_blindness_is_said() -> None:
    """A report must not hide that nothing was seen for a while."""
    assert ("not always seen", "Redis: away") in facts(document(crash(), blind={"Redis": "away"}))


def test_comparison_puts_the_same_drills_side_by_side() -> None:
    """With the difference of what was measured."""
    before, after = bundle([document(crash())]), bundle([document(crash(first=10.3))])
    lines = {line["measure"]: line for line in compared(before, after)}
    assert (lines["write gap"]["before"], lines["write gap"]["after"]) == ("50 ms", "300 ms")
    assert lines["write gap"]["change"] == "+250 ms"
    assert lines["passed"]["before"] == "yes"
    assert "lost" not in lines


def test_comparison_shows_a_drill_that_only_one_has() -> None:
    """Its other side stays empty."""
    lines = compared(bundle([]), bundle([document(crash())]))
    assert {line["before"] for line in lines if line["measure"] == "passed"} == {"-"}


def test_curves_are_thinned_evenly() -> None:
    """A drill of ten minutes still makes a page that opens."""
    points = thinned(list(range(100_000)), 100)
    assert (len(points), points[0], points[-1]) == (100, 0, 99_999)
