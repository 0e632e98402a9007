"""The benchmark's command line, plans and the build of its Go program."""

from pathlib import Path

import pytest

from benchmarks.command import arguments
from benchmarks.contender import CONTENDERS
from benchmarks.filling import CHUNK_ROWS
from benchmarks.golang import environment
from benchmarks.plan import FULL, QUICK, Plan
from benchmarks.workload import ALL, WIDE_COLUMNS, WORKLOADS, Workload


def test_everything_is_measured_unless_said_otherwise() -> None:
    """Leaving something out is a decision that shows in the command line."""
    options = arguments([])
    assert (options.quick, options.only, options.contenders) == (False, None, CONTENDERS)


def test_parts_are_chosen_by_name_and_come_in_their_usual_order() -> None:
    """A developer measures what was changed."""
    assert arguments(["--only", "latency,bulk"]).only == ("bulk", "latency")
    assert arguments(["--large"]).only == ("large",)
    assert arguments(["--contenders", "go,hasync"]).contenders == ("hasync", "go")


def test_unknown_part_is_refused_with_the_names_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt workload measures nothing and must not look as if it did."""
    with pytest.raises(SystemExit):
        arguments(["--only", "bluk"])
    assert "bluk: not among bulk, one_row, wide, deletes, hashes, latency, large" in capsys.readouterr().err


@pytest.mark.parametrize("plan", [FULL, QUICK], ids=["full", "quick"])
def test_sizes_are_whole_chunks(plan: Plan) -> None:
    """The audit compares chunks: a part of one would be left unaudited."""
    assert set(plan.sizes) == set(WORKLOADS)
    for size in plan.sizes.values():
        assert size.rows % CHUNK_ROWS == size.slow_rows % CHUNK_ROWS == 0
        assert 0 < size.slow_rows <= size.rows


@pytest.mark.parametrize("workload", ALL.values(), ids=list(ALL))
def test_first_column_counts_the_rows(workload: Workload) -> None:
    """The audit asks for rows by their number in the binlog, the first ones for a slow contender."""
    assert workload.values.split(",")[0] == "i"
    assert workload.row_number in {"id", "uid"}


def test_wide_rows_have_fifty_columns_of_which_three_are_used() -> None:
    """What a reader does not decode is what this workload is about."""
    wide = WORKLOADS["wide"]
    assert WIDE_COLUMNS == 50
    assert wide.rule["set"] == {"key": "profile:{id}", "value": "{c7}:{c33}"}


def test_go_is_built_with_the_users_proxy_and_in_our_cache() -> None:
    """The build must not leave read-only directories that `make distclean` cannot remove, nor fetch a toolchain."""
    given = {"GOPROXY": "https://proxy.example", "GOFLAGS": "-buildvcs=false"}
    found = environment(given, Path("/cache/go"), "/bin")
    assert found["GOPROXY"] == "https://proxy.example"
    assert found["GOFLAGS"] == "-buildvcs=false -modcacherw -mod=readonly"
    assert (found["GOMODCACHE"], found["GOTOOLCHAIN"]) == ("/cache/go/modules", "local")
