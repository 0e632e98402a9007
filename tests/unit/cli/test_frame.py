"""What all commands share: options, settings, errors, exit codes, the reference."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import typer

from hasync import __version__
from hasync.cli.app import app
from hasync.cli.doors import outside_world
from hasync.cli.invocation import Invocation
from hasync.cli.options import seconds
from hasync.cli.reference import commands, reference
from hasync.cli.suggestions import member_names, stream_names
from hasync.cli.tree import MODULES, SUMMARIES
from hasync.errors import ConfigInvalid, CoordinationUnavailable
from hasync.model.cluster import NAME
from tests.unit.cli.stage import Stage

ROOT = Path(__file__).parents[3]


def watched(stage: Stage) -> list[Invocation]:
    """Have ``hasync run`` keep what it was called with."""
    calls: list[Invocation] = []

    def work(call: Invocation, stop: threading.Event) -> int:
        calls.append(call)
        return 0

    stage.work = work
    return calls


ALL = list(commands(typer.main.get_command(app)))


def test_version_is_printed(stage: Stage) -> None:
    """``--version`` needs neither settings nor servers."""
    assert stage.run("--version").stdout == f"hasync {__version__}\n"


def test_reference_equals_the_commands() -> None:
    """``docs/cli.md`` is what ``python -m hasync.cli.reference`` prints, so no command can be missing in it."""
    assert (ROOT / "docs" / "cli.md").read_text() == reference()


@pytest.mark.parametrize("words", [words for words, _ in ALL], ids=" ".join)
def test_every_command_explains_itself(words: tuple[str, ...], stage: Stage) -> None:
    """``--help`` of each command works and shows a whole sentence."""
    answer = stage.run(*words, "--help")
    assert answer.exit_code == 0
    assert "." in answer.stdout
    assert f"## `hasync {' '.join(words)}`" in reference()


@pytest.mark.parametrize("name", list(MODULES))
def test_line_in_the_help_is_the_commands_own(name: str) -> None:
    """The root help is printed without loading any command, so its words are kept twice."""
    root: Any = typer.main.get_command(app)
    command = root.commands[name]
    assert (command.help or "").strip().splitlines()[0] == SUMMARIES[name]


def test_help_loads_no_command() -> None:
    """Nobody waits for drivers to read a line about them."""
    words = "import sys; from hasync.cli.app import app; app(['--help'], standalone_mode=False); "
    heavy = "{'pydantic', 'kazoo', 'redis', 'pymysql', 'orjson', 'hasync.model.config'}"
    done = subprocess.run(
        [sys.executable, "-c", f"{words}print(sorted({heavy} & set(sys.modules)), file=sys.stderr)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.strip() == "[]"


def test_status_loads_no_driver() -> None:
    """What only ZooKeeper is asked for needs kazoo, and neither database nor Redis driver."""
    heavy = "{'redis', 'pymysql', 'pymysqlreplication', 'prometheus_client', 'structlog'}"
    words = "import sys, hasync.cli.status, hasync.cli.listing, hasync.cli.switchover, hasync.cli.doors; "
    done = subprocess.run(
        [sys.executable, "-c", f"{words}print(sorted({heavy} & set(sys.modules)))"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_names_are_completed_from_zookeeper(stage: Stage) -> None:
    """Streams and instances that begin so; none, and no message, when it does not answer."""
    stage.apply()
    stage.show("a", "standby")
    root: Any = typer.main.get_command(app)
    context = root.make_context("hasync", ["status"], obj=stage.outside(), resilient_parsing=True)
    assert stream_names(context, "ord") == ["orders"]
    assert stream_names(context, "x") == []
    assert member_names(context, "") == ["a"]
    stage.unreachable = CoordinationUnavailable("away")
    assert stream_names(context, "ord") == []


def test_commands_are_completed_without_loading_them() -> None:
    """The first word, and the options before it."""
    root: Any = typer.main.get_command(app)
    context = root.make_context("hasync", [], resilient_parsing=True)
    assert [item.value for item in root.shell_complete(context, "s")] == ["status", "switchover"]
    assert "--zookeeper" in [item.value for item in root.shell_complete(context, "--z")]


def test_mistyped_command_is_answered_with_the_right_one(stage: Stage) -> None:
    """Wrong usage is exit code 2, although commands are loaded only when called."""
    answer = stage.run("statsu")
    assert answer.exit_code == 2
    assert "'status'" in answer.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("status", "-o", "xml"), "'xml' is not one of 'table', 'json', 'yaml'"),
        (("history", "-n", "0"), "0 is too small; write 1 or more"),
        (("history", "-n", "1000"), "1000 is too large; write 100 or less"),
        (("config", "rollback", "x"), "'x' is not a whole number"),
        (("position", "reset", "--to-file", "a.000001", "--to-pos", "x"), "'x' is not a whole number"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_wrong_value_of_an_option_is_told_in_words(stage: Stage, words: tuple[str, ...], told: str) -> None:
    """The value is repeated, and no library's name for the fault appears."""
    answer = stage.run(*words)
    assert answer.exit_code == 2
    assert told in answer.stderr
    assert "Value error" not in answer.stderr
    assert "Input should" not in answer.stderr


def test_wrong_settings_name_every_problem_and_exit_with_2(stage: Stage) -> None:
    """Each problem has a line of its own on standard error, and nothing is connected."""
    answer = stage.run("status", environ={"HASYNC_HTTP__PORT": "x", "HASYNC_STREAM": "orders"})
    assert answer.exit_code == 2
    assert answer.stdout == ""
    assert "HASYNC_HTTP__PORT (http.port): 'x' is refused" in answer.stderr
    assert "HASYNC_STREAM: is not a setting" in answer.stderr


def test_wrong_hosts_on_the_command_line_are_wrong_settings(stage: Stage) -> None:
    """An option is checked as the variable that it stands for."""
    answer = stage.run("--zookeeper", "zk 0", "status")
    assert answer.exit_code == 2
    assert "HASYNC_ZOOKEEPER__HOSTS" in answer.stderr


def test_options_before_the_command_win_over_variables(stage: Stage) -> None:
    """Hosts, root and patience of the command line are the ones used."""
    calls = watched(stage)
    words = ("--zookeeper", "zk-1,zk-2:2182", "--root", "/other", "--timeout", "500ms", "run")
    environ = {"HASYNC_ZOOKEEPER__HOSTS": "zk-9", "HASYNC_ZOOKEEPER__CONNECT_TIMEOUT_S": "9"}
    assert stage.run(*words, environ=environ).exit_code == 0
    zookeeper = calls[0].settings.zookeeper
    assert zookeeper.hosts == ("zk-1:2181", "zk-2:2182")
    assert (zookeeper.root, zookeeper.connect_timeout_s) == ("/other", 0.5)


def test_settings_file_may_be_named_before_and_behind_run(stage: Stage, tmp_path: Path) -> None:
    """The file named last wins."""
    first, last = tmp_path / "first.yaml", tmp_path / "last.yaml"
    first.write_text("member_id: one")
    last.write_text("member_id: two")
    calls = watched(stage)
    stage.run("--settings", str(first), "run")
    stage.run("--settings", str(first), "run", "--settings", str(last))
    assert [call.settings.member_id for call in calls] == ["one", "two"]


def test_unreachable_zookeeper_is_one_message_and_exit_1(stage: Stage) -> None:
    """No traceback: the error, then the hint that names the servers tried."""
    stage.unreachable = CoordinationUnavailable("no ZooKeeper server answered within 1 s", hint="tried zk-0:2181")
    answer = stage.run("status")
    assert answer.exit_code == 1
    assert answer.stderr == "error: no ZooKeeper server answered within 1 s\nhint: tried zk-0:2181\n"


def test_stream_not_named_is_wrong_usage(stage: Stage) -> None:
    """With several streams in HASYNC_STREAMS nobody guesses which one is meant."""
    answer = stage.run("history", environ={"HASYNC_STREAMS": "orders,users"})
    assert answer.exit_code == 2
    assert "orders, users" in answer.stderr


def test_unknown_stream_is_answered_with_the_nearest(stage: Stage) -> None:
    """A mistyped stream is not silently taken for an empty one."""
    stage.apply()
    answer = stage.run("history", "-s", "oders")
    assert answer.exit_code == 1
    assert "did you mean 'orders'?" in answer.stderr


def test_interrupt_exits_with_130(stage: Stage) -> None:
    """Ctrl-C during a command leaves no traceback, and the session is closed."""
    stage.apply()

    def press() -> None:
        raise KeyboardInterrupt

    stage.clock.during_wait = press
    answer = stage.run("resume", "--wait")
    assert answer.exit_code == 130
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(("text", "value_s"), [("500ms", 0.5), ("30s", 30.0), ("2m", 120.0), ("15", 15.0), (2.5, 2.5)])
def test_times_are_read_with_and_without_unit(text: str, value_s: float) -> None:
    """A plain number is seconds."""
    assert seconds(text) == value_s


@pytest.mark.parametrize("text", ["0", "-1", "soon", "5 parsecs", ""])
def test_other_times_are_refused(text: str) -> None:
    """What is no time to wait is wrong usage."""
    with pytest.raises(typer.BadParameter):
        seconds(text)


# ------------------------------------------------------------------------------------ run


@pytest.mark.parametrize("code", [0, 1])
def test_run_exits_with_the_instances_code(stage: Stage, code: int) -> None:
    """0 after a hand-over, 1 when ZooKeeper refuses for good."""
    stage.work = lambda call, stop: code
    assert stage.run("run").exit_code == code


def test_run_with_settings_that_cannot_work_exits_with_2(stage: Stage) -> None:
    """What only the start shows (a port that is taken) is told like any wrong setting."""

    def work(call: Invocation, stop: threading.Event) -> int:
        raise ConfigInvalid("the admin port is taken", problems=("HASYNC_HTTP__PORT (http.port): 9187 is in use",))

    stage.work = work
    answer = stage.run("run")
    assert answer.exit_code == 2
    assert "9187 is in use" in answer.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signal_asks_the_instance_to_stop(stage: Stage, number: signal.Signals) -> None:
    """SIGTERM, SIGHUP and SIGINT set the event the worker waits for, and the handlers are put back."""
    before = signal.getsignal(number)

    def work(call: Invocation, stop: threading.Event) -> int:
        os.kill(os.getpid(), number)
        return 0 if stop.wait(10) else 1

    stage.work = work
    assert stage.run("run", "--no-supervisor").exit_code == 0
    assert signal.getsignal(number) is before


def test_supervised_worker_leaves_interrupts_to_its_supervisor(stage: Stage) -> None:
    """A terminal sends Ctrl-C to both; counted by both, one press would be two."""

    def work(call: Invocation, stop: threading.Event) -> int:
        os.kill(os.getpid(), signal.SIGINT)
        return 1 if stop.wait(0.05) else 0

    stage.work = work
    assert stage.run("run", "--lifeline", "9").exit_code == 0


def test_run_supervises_unless_told_not_to(stage: Stage) -> None:
    """The parent of the worker is what ``hasync run`` becomes."""
    stage.supervise = lambda call: 70
    stage.work = lambda call, stop: 5
    codes = [stage.run("run", *words).exit_code for words in ((), ("--supervisor",), ("--no-supervisor",))]
    assert codes == [70, 70, 5]


def test_second_interrupt_ends_run_at_once(stage: Stage) -> None:
    """Whoever presses Ctrl-C twice does not wait for the hand-over."""

    def work(call: Invocation, stop: threading.Event) -> int:
        os.kill(os.getpid(), signal.SIGINT)
        stop.wait(10)
        os.kill(os.getpid(), signal.SIGINT)
        return 0

    stage.work = work
    assert stage.run("run", "--no-supervisor").exit_code == 130


# ------------------------------------------------------------------------------ the real world


def test_commands_do_not_load_what_they_do_not_need() -> None:
    """``--version`` and ``config validate`` start without any driver and without rich."""
    program = "import sys, hasync.cli.app; print(sorted({'kazoo', 'redis', 'pymysql', 'rich'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "[]\n"


def test_supervisor_loads_none_of_the_big_libraries() -> None:
    """It stays small, and so it is still there when memory runs out for the worker."""
    big = {"kazoo.client", "redis", "pymysql", "pydantic", "structlog", "orjson", "rich", "typer", "yaml", "asyncio"}
    program = f"import sys, hasync.supervisor.__main__; print(sorted({big!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "[]\n"


def test_outside_world_is_this_process() -> None:
    """The real doors are found, and the user has a name even where none is known."""
    outside = outside_world()
    assert outside.pid == os.getpid()
    assert outside.user
    assert not outside.interactive


def test_member_of_the_command_line_is_a_znodes_name(stage: Stage) -> None:
    """A host's name with odd letters, or a long one, still gives a name that the election takes."""
    calls = watched(stage)
    stage.hostname = "x_(1)." + 60 * "y"
    stage.environ["HASYNC_MEMBER_ID"] = "a"
    assert stage.run("run").exit_code == 0
    assert NAME.fullmatch(calls[0].member)
    assert calls[0].member.startswith("cli-x_-1-.yyy")
