"""What is done in a hurry: a leader that hangs, a machine that has to be emptied, a wrong config."""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from testbed import wait_until
from tests.integration.cli.deployment import Deployment

pytestmark = pytest.mark.parametrize("bed", [pytest.param("mysql", marks=pytest.mark.mysql)], indirect=True)
"""One database will do: nothing here depends on which it is."""


def leader(deployment: Deployment) -> str:
    """Return who leads, empty for nobody."""
    found = deployment.status()["leader"]
    return str(found["member"]) if found else ""


def standby_is_able(deployment: Deployment) -> bool:
    """Whether somebody could take the stream over."""
    return deployment.run("switchover", "--dry-run").returncode == 0


def test_stream_is_taken_from_a_leader_that_hangs(deployment: Deployment) -> None:
    """Its session lives, so the election would wait; what was written meanwhile is in Redis, once."""
    # As long as the server grants: the command has to come before the election helps itself.
    deployment = replace(deployment, environ={"HASYNC_ZOOKEEPER__SESSION_TIMEOUT_S": "10"})
    deployment.done("config", "apply", deployment.file())
    users = f"{deployment.name}.users"
    with deployment.instance("a") as a, deployment.instance("b") as b:
        deployment.done("doctor", "--wait-leader", "60s")
        wait_until("there is a standby", lambda: standby_is_able(deployment), timeout_s=60)
        deployment.database.sql(f"INSERT INTO {users} VALUES (1, 'ann')")
        deployment.wait_for_value(1, b"ann")
        first = leader(deployment)
        other = "b" if first == "a" else "a"
        worker = next(each["pid"] for each in deployment.status()["members"] if each["id"] == first)
        refused = deployment.run("failover", "--candidate", other)
        frozen = (worker, (a if first == "a" else b).pid)
        for pid in reversed(frozen):
            os.kill(pid, signal.SIGSTOP)  # the supervisor first: it would replace a worker that hangs
        try:
            done = deployment.data("failover", "--candidate", other, "--yes", "--reason", "hangs")
            deployment.database.sql(f"UPDATE {users} SET name = 'eve' WHERE id = 1")
            deployment.wait_for_value(1, b"eve")
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)
        deployment.database.sql(f"INSERT INTO {users} VALUES (2, 'bob')")
        deployment.wait_for_value(2, b"bob")
        epochs = [term["epoch"] for term in deployment.data("history")]
    assert refused.returncode == 1
    assert "--yes" in refused.stderr
    assert (done["from"], done["leader"]) == (first, other)
    assert epochs == [2, 1]


def test_drained_instance_leads_nothing_until_it_is_undrained(deployment: Deployment) -> None:
    """It hands over in order, takes nothing back in an election, and then does again."""
    deployment.done("init-zk")
    deployment.done("config", "apply", deployment.file())
    with deployment.instance("a"), deployment.instance("b"):
        deployment.done("doctor", "--wait-leader", "60s")
        wait_until("there is a standby", lambda: standby_is_able(deployment), timeout_s=60)
        first = leader(deployment)
        deployment.done("member", "drain", first, "--yes", "--wait", "--reason", "new kernel")
        wait_until("the other leads", lambda: leader(deployment) not in {"", first}, timeout_s=60)
        shown = {each["id"]: each for each in deployment.data("member", "list")}
        ended = deployment.data("history")[-1]
        deployment.done("member", "undrain", first)
        wait_until(
            "it is a standby like any other",
            lambda: deployment.run("switchover", "--dry-run", "--to", first).stderr.count("reserve") == 0,
            timeout_s=60,
        )
        deployment.done("switchover", "--to", first, "--wait", "--yes")
        assert leader(deployment) == first
    assert "new kernel" in shown[first]["drained"]
    assert ended["ended"] == "handover"
    assert f"{first} is drained: new kernel" in ended["message"]


def test_config_is_edited_set_and_taken_back(deployment: Deployment, tmp_path: Path) -> None:
    """Comments stay, the difference is printed, a hook that applies the same again changes nothing."""
    document = "# owned by the shop\n" + deployment.document()
    deployment.done("config", "apply", deployment.file(document))
    script = tmp_path / "editor.py"
    script.write_text(
        "import sys, pathlib\nf = pathlib.Path(sys.argv[1])\nf.write_text(f.read_text() + '# edited\\n')\n"
    )
    environ = {"EDITOR": f"{sys.executable} {script}", "VISUAL": ""}
    edited = deployment.run("config", "edit", "--yes", environ=environ)
    assert edited.returncode == 0, edited.stderr
    assert "+# edited" in edited.stdout
    deployment.done("config", "set", "batch.max_rows=500")
    assert deployment.done("config", "get", "batch.max_rows") == "500\n"
    assert deployment.done("config", "show") == document + "# edited\nbatch: {max_rows: 500}\n"
    assert deployment.run("config", "rollback", "1").returncode == 1
    deployment.done("config", "rollback", "1", "--yes")
    again = deployment.run("config", "apply", deployment.file(document))
    assert (again.returncode, "unchanged, revision 4" in again.stderr) == (0, True)


def test_pause_ends_by_itself(deployment: Deployment) -> None:
    """Nobody has to be awake for it."""
    deployment.done("config", "apply", deployment.file())
    with deployment.instance("a"):
        deployment.done("doctor", "--wait-leader", "60s")
        deployment.done("pause", "--for", "2s", "--wait")
        assert deployment.run("list").returncode == 0
        wait_until("it leads again", lambda: leader(deployment) == "a", timeout_s=60)
