"""The last line of the demo."""

import pytest

from demo.verdict import Takeover, Verdict

TAKEOVER = Takeover(duration_ms=2143, epoch_before=1, epoch_after=2)


def test_clean_run_passes_in_the_agreed_words() -> None:
    """Scripts read this line, so every character counts."""
    verdict = Verdict(rows=31415, takeover=TAKEOVER)
    assert str(verdict) == "demo: PASS rows=31415 lost=0 doubled=0 stale=0 takeover_ms=2143 epochs=1->2"


@pytest.mark.parametrize("fault", ["lost", "doubled", "stale"])
def test_any_difference_fails(fault: str) -> None:
    """One key is enough."""
    verdict = Verdict(rows=5, takeover=TAKEOVER, **{fault: 1})
    assert not verdict.passed
    assert str(verdict).startswith("demo: FAIL rows=5 ")
    assert f" {fault}=1 " in str(verdict)
    assert str(verdict).endswith(" takeover_ms=2143 epochs=1->2 reason: Redis differs from what the database demands")


@pytest.mark.parametrize(
    ("takeover", "reason"),
    [
        (Takeover(), "no leader was seen"),
        (Takeover(epoch_before=1, epoch_after=1), "no standby took over"),
        (Takeover(duration_ms=9, epoch_before=1, epoch_after=3), "2 changes of leader where one fault allows one"),
        (Takeover(duration_ms=9, epoch_before=2, epoch_after=2), "0 changes of leader where one fault allows one"),
    ],
)
def test_anything_but_one_change_of_leader_fails(takeover: Takeover, reason: str) -> None:
    """One fault, one term change (I7)."""
    assert Verdict(rows=5, takeover=takeover).reason == reason


def test_run_that_stopped_early_says_what_it_knows_and_why() -> None:
    """The fields stay the same, so a script needs no second pattern."""
    verdict = Verdict(trouble="no standby took over within 20 s", takeover=Takeover(epoch_before=1))
    assert str(verdict) == (
        "demo: FAIL rows=0 lost=0 doubled=0 stale=0 takeover_ms=unknown epochs=1->unknown"
        " reason: no standby took over within 20 s"
    )


def test_idle_workload_proves_nothing() -> None:
    """Without a single row there is nothing to pass."""
    assert Verdict(takeover=TAKEOVER).reason == "the workload committed nothing"
