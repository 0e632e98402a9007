"""An operator's day: apply, look, pause, move, resume, hand over; on real servers with real instances."""

import json
import re
import signal
import subprocess
import sys

import pytest

from testbed import wait_until
from tests.integration.cli.deployment import DEADLINE_S, Deployment


def sessions(deployment: Deployment) -> set[str]:
    """Return the ids of all sessions that ZooKeeper keeps, with or without a connection."""
    tracked = deployment.zookeeper.four_letters("dump").partition("ephemeral nodes dump")[0]
    return set(re.findall(r"^\s+(0x[0-9a-f]+)$", tracked, re.MULTILINE))


def test_stream_is_applied_led_paused_moved_and_resumed(deployment: Deployment) -> None:
    """The whole life of a stream through the command line, and every row is in Redis in the end."""
    users = f"{deployment.name}.users"
    assert deployment.run("status").returncode == 0
    deployment.done("config", "apply", deployment.file())
    assert deployment.run("status").returncode == 3
    with deployment.instance("a"), deployment.instance("b"):
        deployment.done("doctor", "--wait-leader", "60s")
        deployment.database.sql(f"INSERT INTO {users} VALUES (1, 'ann'), (2, 'bob')")
        deployment.wait_for_value(2, b"bob")
        assert deployment.status()["leader"]["reached"]

        deployment.done("pause", "--wait", "--reason", "moving")
        assert "paused by" in deployment.status()["problems"][0]
        deployment.redis.command("DEL", f"{deployment.name}:user:2")
        deployment.database.sql(f"UPDATE {users} SET name = 'eve' WHERE id = 1")
        moved = deployment.data("position", "reset", "--to-earliest", "--execute", "--yes")
        assert moved["executed"]
        assert deployment.value(1) == b"ann"

        deployment.done("resume", "--wait")
        deployment.wait_for_value(1, b"eve")
        deployment.wait_for_value(2, b"bob")
        terms = deployment.data("history")
    assert [term["epoch"] for term in terms] == [3, 2, 1]
    assert terms[1]["member"].startswith("cli-")
    assert [term["ended"] for term in terms] == ["running", "handover", "paused"]


def test_terminated_leader_hands_over_and_exits_with_0(deployment: Deployment) -> None:
    """SIGTERM is no failure, and ``status`` shows the successor."""
    deployment.done("config", "apply", deployment.file())
    with deployment.instance("a") as a, deployment.instance("b") as b:
        deployment.done("doctor", "--wait-leader", "60s")
        first = deployment.status()["leader"]["member"]
        leader, other = (a, "b") if first == "a" else (b, "a")
        leader.send_signal(signal.SIGTERM)
        assert leader.wait(DEADLINE_S) == 0
        wait_until(
            "the other leads", lambda: (deployment.status()["leader"] or {}).get("member") == other, timeout_s=60
        )
    ended = [term["ended"] for term in deployment.data("history") if term["member"] == first]
    assert ended == ["shutdown"]


def test_looking_does_not_disturb_the_leader(deployment: Deployment) -> None:
    """``position show`` and a plan open the source too, under another server id: the term goes on."""
    deployment.done("config", "apply", deployment.file())
    with deployment.instance("a"):
        deployment.done("doctor", "--wait-leader", "60s")
        deployment.database.sql(f"INSERT INTO {deployment.name}.users VALUES (1, 'ann')")
        deployment.wait_for_value(1, b"ann")
        shown = deployment.data("position", "show")
        assert shown["source"]["file"] == shown["state"]["position"]["file"]
        plan = deployment.data("position", "reset", "--to-earliest")
        assert "a leads, epoch 1" in plan["obstacles"]
        refused = deployment.run("position", "reset", "--to-earliest", "--execute", "--yes")
        assert refused.returncode == 1
        assert "hasync pause" in refused.stderr
        deployment.database.sql(f"INSERT INTO {deployment.name}.users VALUES (2, 'bob')")
        deployment.wait_for_value(2, b"bob")
        (term,) = deployment.data("history")
    assert term["ended"] == "running"


def test_applied_config_is_followed_and_can_be_rolled_back(deployment: Deployment) -> None:
    """A new revision is in force in the running leader, and the old one again after a rollback."""
    deployment.done("config", "apply", deployment.file())
    with deployment.instance("a"):
        deployment.done("doctor", "--wait-leader", "60s")
        deployment.done("config", "apply", deployment.file(deployment.document("{id}/{name}")), "-c", "with id")
        wait_until("it is in force", lambda: deployment.status()["config"]["in_force"] == 2, timeout_s=60)
        deployment.database.sql(f"INSERT INTO {deployment.name}.users VALUES (1, 'ann')")
        deployment.wait_for_value(1, b"1/ann")
        deployment.done("config", "rollback", "1", "--yes")
        wait_until("it is in force", lambda: deployment.status()["config"]["in_force"] == 3, timeout_s=60)
        deployment.database.sql(f"INSERT INTO {deployment.name}.users VALUES (2, 'bob')")
        deployment.wait_for_value(2, b"bob")
    assert [revision["comment"] for revision in deployment.data("config", "history")] == [
        "rollback to revision 1",
        "with id",
        "",
    ]


def test_target_is_proven_on_the_source(deployment: Deployment) -> None:
    """A file that is not there is refused; a real offset, a time and a GTID set are found."""
    deployment.done("config", "apply", deployment.file())
    deployment.database.sql(f"INSERT INTO {deployment.name}.users VALUES (1, 'ann')")
    file, end = deployment.database.binlog_position()
    refused = deployment.run("position", "reset", "--to-file", "mysql-bin.999999", "--to-pos", "4")
    assert refused.returncode == 1
    assert "mysql-bin.999999" in refused.stderr
    for words in (
        ("--to-file", file, "--to-pos", str(end)),
        ("--to-gtid", deployment.database.gtid_set()),
        ("--to-latest",),
    ):
        target = deployment.data("position", "reset", *words)["target"]
        assert target["gtid_set"] == deployment.database.gtid_set(), words
    assert deployment.data("position", "reset", "--to-datetime", "1000000000")["target"]["pos"] >= 4
    executed = deployment.database.gtid_set()
    mysql = ":" in executed
    never = f"{executed.rpartition('-')[0]}-{10**9}"
    strange = "11111111-2f0b-11f0-9d5e-0242ac110002:1-5" if mysql else "7-1-5"
    for gtid_set in (never, strange):
        refused = deployment.run("position", "reset", "--to-gtid", gtid_set)
        assert refused.returncode == 1
        assert "only" in refused.stderr
        assert ("@@gtid_executed" if mysql else "@@gtid_current_pos") in refused.stderr


def test_stream_that_never_ran_starts_where_it_was_reset_to(deployment: Deployment) -> None:
    """The reset wins over the config's start: rows before it never reach Redis."""
    deployment.done("config", "apply", deployment.file())
    deployment.database.sql(f"INSERT INTO {deployment.name}.users VALUES (1, 'before')")
    deployment.done("position", "reset", "--to-latest", "--execute", "--yes")
    deployment.database.sql(f"INSERT INTO {deployment.name}.users VALUES (2, 'behind')")
    with deployment.instance("a"):
        deployment.wait_for_value(2, b"behind")
    assert deployment.value(1) is None


def test_commands_leave_no_session_behind(deployment: Deployment) -> None:
    """A closed session frees its nodes at once; one left open would hold a lock for seconds."""
    before = sessions(deployment)
    deployment.done("config", "apply", deployment.file())
    deployment.done("position", "reset", "--to-latest", "--execute", "--yes")
    assert sessions(deployment) <= before


def test_unreachable_zookeeper_names_the_hosts(deployment: Deployment) -> None:
    """One message within the time given, exit code 1."""
    answer = deployment.run("--zookeeper", "127.0.0.1:1,127.0.0.1:2", "--timeout", "500ms", "status")
    assert answer.returncode == 1
    assert "within 0.5 s" in answer.stderr
    assert "127.0.0.1:1, 127.0.0.1:2" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_interrupted_watch_exits_with_130(deployment: Deployment) -> None:
    """Each round is one line of JSON; Ctrl-C ends it without a traceback."""
    deployment.done("config", "apply", deployment.file())
    process = subprocess.Popen(
        # Whoever starts the tests in the background may have Ctrl-C ignored, and children inherit that.
        ["env", "--default-signal=INT", sys.executable, "-P", "-m", "hasync", "status", "--watch", "-o", "json"],
        env={**deployment.variables(), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    (stream,) = json.loads(process.stdout.readline())["streams"]
    assert stream["stream"] == deployment.name
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors


def test_handler_of_the_current_directory_is_found(deployment: Deployment) -> None:
    """A document is checked with the code that lies beside it, though that is not installed."""
    (deployment.directory / "my_handlers.py").write_text("def on_user(changes):\n    return []\n")
    document = deployment.document() + "    - {handler: 'my_handlers:on_user'}\n"
    file = deployment.file(document)
    assert deployment.run("config", "validate", file, cwd=deployment.directory).returncode == 0
    elsewhere = deployment.run("config", "validate", file, cwd="/")
    assert elsewhere.returncode == 1
    assert "my_handlers" in elsewhere.stderr


def test_doctor_finds_what_would_stop_the_stream(deployment: Deployment) -> None:
    """A wrong password and an unreachable Redis are found with their remedies, exit code 1."""
    redis_gone = deployment.document().replace(deployment.redis.address, "127.0.0.1:1")
    answer = deployment.run(
        "doctor",
        "--config",
        deployment.file(redis_gone),
        "-o",
        "json",
        environ={"SOURCE_PASSWORD": "wrong"},
    )
    assert answer.returncode == 1
    failed = {
        check["name"] for check in json.loads(answer.stdout)["checks"] if not check["ok"] and not check["warning"]
    }
    assert failed == {"source.reachable", "redis.reachable"}


def test_instance_without_streams_is_told_so(deployment: Deployment) -> None:
    """Bad settings are exit code 2, with the variable to set."""
    answer = deployment.run("run", environ={"HASYNC_STREAMS": ""})
    assert answer.returncode == 2
    assert "HASYNC_STREAMS" in answer.stderr


WRONG_PLACES = {
    "nobody listens for MySQL": ("{mysql}", "127.0.0.1:1", "source.reachable", "nothing listens there"),
    "no such name for MySQL": ("{mysql}", "nosuchhost.invalid:3306", "source.reachable", "does not resolve"),
    "Redis instead of MySQL": ("{mysql}", "{redis}", "source.reachable", "source.hosts"),
    "nobody listens for Redis": ("redis://{redis}/0", "redis://127.0.0.1:1/0", "redis.reachable", "nothing listens"),
    "no such name for Redis": (
        "redis://{redis}/0",
        "redis://nosuchhost.invalid:6379/0",
        "redis.reachable",
        "does not resolve",
    ),
    "MySQL instead of Redis": ("redis://{redis}/0", "redis://{mysql}/0", "redis.reachable", "another protocol"),
    "ZooKeeper instead of Redis": ("redis://{redis}/0", "redis://{zookeeper}/0", "redis.reachable", "redis.url"),
    "TLS to a plain Redis": ("redis://{redis}/0", "rediss://{redis}/0", "redis.reachable", "TLS"),
    "no such database": ("redis://{redis}/0", "redis://{redis}/99", "redis.reachable", "database number in redis.url"),
}


@pytest.mark.parametrize("place", WRONG_PLACES)
def test_wrong_place_is_found_with_a_remedy(deployment: Deployment, place: str) -> None:
    """Whatever is behind an address that was mistyped, the remedy says what to correct."""
    servers = {
        "mysql": deployment.database.address,
        "redis": deployment.redis.address,
        "zookeeper": deployment.zookeeper.hosts,
    }
    right, wrong, name, words = (text.format(**servers) for text in WRONG_PLACES[place])
    answer = deployment.run(
        "doctor", "--config", deployment.file(deployment.document().replace(right, wrong)), "-o", "json"
    )
    assert answer.returncode == 1, answer.stdout
    checks = json.loads(answer.stdout)["checks"]
    (failed,) = [check for check in checks if not check["ok"] and not check["warning"]]
    assert failed["name"] == name
    assert words in failed["remedy"], failed
    assert "hasync doctor" not in failed["remedy"]


def test_wrong_zookeeper_is_found_with_a_remedy(deployment: Deployment) -> None:
    """The same for the ensemble: no name, nobody there, another service's port."""
    for hosts in ("nosuchhost.invalid:2181", "127.0.0.1:1", deployment.redis.address, deployment.database.address):
        answer = deployment.run("--zookeeper", hosts, "--timeout", "2s", "doctor", "-o", "json")
        assert answer.returncode == 1
        (failed,) = [check for check in json.loads(answer.stdout)["checks"] if not check["ok"]]
        assert failed["name"] == "zookeeper.reachable"
        assert "client ports" in failed["remedy"], failed


def test_halted_stream_is_told_and_halts_again_when_it_is_resumed(deployment: Deployment) -> None:
    """A flushed Redis: doctor, status and history say why, and a resume that is waited for ends at once."""
    deployment.done("config", "apply", deployment.file())
    with deployment.instance("a"):
        deployment.done("doctor", "--wait-leader", "60s")
        deployment.database.sql(f"INSERT INTO {deployment.name}.users VALUES (1, 'ann')")
        deployment.wait_for_value(1, b"ann")
        deployment.redis.command("DEL", f"hasync:{{{deployment.name}}}:state")
        deployment.database.sql(f"INSERT INTO {deployment.name}.users VALUES (2, 'bob')")
        wait_until("it halts", lambda: deployment.status()["halt"] is not None, timeout_s=60)
        halted = deployment.run("resume", "--wait")
        assert halted.returncode == 1
        assert "halted again by a: state_missing" in halted.stderr
        wait_until("it obeys", lambda: deployment.status()["members"][0]["role"] == "halted", timeout_s=60)
        status = deployment.status()
        looked = deployment.run("doctor")
        last = deployment.data("history")[0]
    assert last["ended"] == "halted"
    assert "is gone, this leader wrote" in last["message"]
    assert len(status["problems"]) == 1
    assert status["warnings"] == []
    assert looked.returncode == 1
    assert "stream.halt: halted by a: state_missing" in looked.stdout
    assert "stream.position: Redis has no state" in looked.stdout
