"""``hasync list``, ``status --check`` and ``-e``, and the commands that ask no server."""

import pytest

from hasync import __version__
from hasync.cli.completion import Shell
from tests.unit.cli.stage import Stage, acknowledged


@pytest.fixture
def led(stage: Stage) -> Stage:
    """A leads and cannot be asked, b stands by."""
    stage.apply()
    stage.acknowledge(acknowledged(5, 400))
    stage.elect("a", epoch=3)
    stage.show("b", "standby", able=True)
    return stage


def test_list_is_a_line_for_each_stream_and_exits_with_0(led: Stage) -> None:
    """Whatever it shows: 'status' is for exit codes."""
    answer = led.run("list")
    assert answer.exit_code == 0
    assert answer.stdout.splitlines()[0].split() == ["STREAM", "STATE", "LEADER", "EPOCH", "LAG", "STANDBYS", "CONFIG"]
    assert answer.stdout.splitlines()[1].split() == ["orders", "degraded", "a", "3", "?", "1", "1"]
    assert "binlog.000001:400" in led.run("list", "-e").stdout
    assert led.json("list")["streams"][0]["stream"] == "orders"


def test_check_prints_problems_only(led: Stage) -> None:
    """A line each; nothing when all is well; the exit code says the same."""
    answer = led.run("status", "--check")
    assert answer.exit_code == 3
    assert answer.stdout.splitlines() == ["orders: the leader cannot be asked: it has published no address"]
    led.apply("version: 1\n")
    assert len(led.run("status", "--check").stdout.splitlines()) > 1


def test_extended_status_has_gtids_and_processes(led: Stage) -> None:
    """For those who look deeper."""
    shown = led.run("status", "-e").stdout
    for word in ("gtid", "source end", "queue", "PID", "MEANT AS"):
        assert word in shown


def test_narrow_terminal_leaves_columns_out(led: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """No line is broken while there is something less important to leave out."""
    monkeypatch.setattr("hasync.cli.output.PIPE_WIDTH", 50)
    lines = led.run("list", "-e").stdout.splitlines()
    assert "STREAM" in lines[0]
    assert "SINCE" not in lines[0]
    assert all(len(line) <= 50 for line in lines)


def test_version_names_release_python_and_drivers(stage: Stage) -> None:
    """No server is asked, no setting read."""
    told = stage.json("version")
    assert told["hasync"] == __version__
    assert {"python", "codec", "kazoo", "redis"} <= set(told)


def test_metrics_are_listed_with_type_and_meaning(stage: Stage) -> None:
    """The same families that docs/metrics.md has."""
    listed = {each["name"]: each for each in stage.json("metrics")}
    assert listed["hasync_lag_seconds"]["type"] == "gauge"
    assert listed["hasync_lag_seconds"]["help"]
    assert stage.run("metrics", "--list").exit_code == 0


@pytest.mark.parametrize("shell", list(Shell))
def test_completion_prints_a_script(stage: Stage, shell: Shell) -> None:
    """It names the program and the variable that asks it."""
    script = stage.run("completion", shell.value).stdout
    assert "_HASYNC_COMPLETE" in script
    assert stage.run("completion", "tcsh").exit_code == 2
